"""Bank accounts, as their standards write them. Source: ISO 13616 (IBAN); ISO 9362 (BIC)."""

import re

from comptoir.units.errors import Invalid

_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")


def check_iban(field: str, text: str) -> str:
    """An IBAN without its blanks, if its check digits are right.

    Raises:
        Invalid: `bad_iban`.
    """
    iban = "".join(text.split()).upper()
    sound = iban.isascii() and iban.isalnum() and 15 <= len(iban) <= 34 and iban[:2].isalpha()
    if sound:
        turned = iban[4:] + iban[:4]
        rest = int("".join(str(int(letter, 36)) for letter in turned)) % 97
        if rest == 1:
            return iban
    raise Invalid(
        "bad_iban",
        f"{field}: {text[:40]!r} is not an IBAN"
        + (f": its check gives {rest}, not 1" if sound else ""),
        "copy it from the bank's statement",
        {"field": field},
    )


def check_bic(field: str, bic: str) -> str:
    """`bic` itself if it has the form of one.

    Raises:
        Invalid: `bad_bic`.
    """
    if not _BIC.fullmatch(bic):
        raise Invalid(
            "bad_bic",
            f"{field}: {bic[:20]!r} is not a BIC",
            'it has 8 or 11 letters and digits: "PSSTFRPPPAR"',
            {"field": field},
        )
    return bic
