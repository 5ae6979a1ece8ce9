"""An entry is balanced in every unit, or it is not written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.ledger.entries import (
    Account,
    Entry,
    Posting,
    Unit,
    check_entry,
    sums_by_unit,
    transfer,
)
from comptoir.units.errors import InvariantBroken

accounts = st.sampled_from([Account(name) for name in "abcd"])
units = st.sampled_from([Unit("USD"), Unit("EUR"), Unit("accelerator_ms:cpu-core")])
transfers = st.builds(transfer, accounts, accounts, units, st.integers(-(2**62), 2**62))


def entry(postings: tuple[Posting, ...]) -> Entry:
    return Entry(1, "k", "usage", "", 0, 0, postings)


@given(st.lists(transfers))
def test_whatever_is_transferred_every_unit_stays_at_zero(
    moved: list[tuple[Posting, ...]],
) -> None:
    postings = tuple(posting for legs in moved for posting in legs)
    assert not any(sums_by_unit(postings).values())
    assert all(posting.amount for posting in postings)
    if postings:
        assert check_entry(entry(postings)).postings == postings


@given(st.builds(transfer, accounts, accounts, units, st.integers(1, 2**62)), st.integers(1, 9))
def test_an_entry_that_does_not_balance_is_not_written(
    legs: tuple[Posting, ...], more: int
) -> None:
    with pytest.raises(InvariantBroken, match="not zero"):
        check_entry(entry((*legs, Posting(Account("x"), legs[0].unit, more))))


def test_an_empty_entry_or_one_beyond_64_bits_is_not_written() -> None:
    with pytest.raises(InvariantBroken):
        check_entry(entry(()))
    with pytest.raises(InvariantBroken, match="does not fit"):
        check_entry(entry(transfer(Account("a"), Account("b"), Unit("USD"), 2**63)))
