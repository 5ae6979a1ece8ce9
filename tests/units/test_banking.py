"""IBANs are held to their check digits, BICs to their form."""

import pytest

from comptoir.units.banking import check_bic, check_iban
from comptoir.units.errors import Invalid


def test_an_iban_is_held_to_its_check_digits() -> None:
    assert check_iban("iban", "fr14 2004 1010 0505 0001 3M02 606") == "FR1420041010050500013M02606"
    assert check_iban("iban", "DE89370400440532013000") == "DE89370400440532013000"
    # The examples of the IBAN registry with a digit wrong, and what is none at all.
    for wrong in ("FR15 2004 1010 0505 0001 3M02 606", "DE89370400440532013001", "DE89", "é" * 20):
        with pytest.raises(Invalid, match="bad_iban"):
            check_iban("iban", wrong)
    with pytest.raises(Invalid, match=r"iban: .*its check gives \d+, not 1"):
        check_iban("iban", "DE88 3704 0044 0532 0130 00")


def test_a_bic_has_eight_or_eleven_signs() -> None:
    assert check_bic("bic", "PSSTFRPP") == "PSSTFRPP"
    assert check_bic("bic", "PSSTFRPPPAR") == "PSSTFRPPPAR"
    for wrong in ("", "PSSTFRP", "psstfrpp", "PSSTFRPPPA"):
        with pytest.raises(Invalid, match="bad_bic"):
            check_bic("bic", wrong)
