"""The proof of the ledger adds exactly, however large the amounts of an entry are."""

from pathlib import Path

import pytest
from sqlalchemy import insert

from comptoir.store import tables as t
from comptoir.store.opening import open_store
from comptoir.store.views import Views
from comptoir.store.views.ledger import prove


@pytest.mark.parametrize(
    ("amounts", "unbalanced"),
    [
        ((1_863_843_840_000_000, 4_136_156_160_000_000, -6_000_000_000_000_000), 0),
        ((10**17, -(10**17) + 1, -1), 0),
        ((4_000_000_000, -3_999_999_999), 1),
        ((1 << 31, -1), 1),
    ],
)
def test_an_entry_is_wrong_only_if_its_legs_do_not_sum_to_zero(
    tmp_path: Path, amounts: tuple[int, ...], unbalanced: int
) -> None:
    store = open_store(tmp_path, None, "test")
    try:
        with store.engine.begin() as connection:
            entry = {
                "seq": 1, "key": "k", "kind": "usage", "description": "", "effective_at_ms": 0,
                "booked_at_ms": 0,
            }  # fmt: skip
            connection.execute(insert(t.entry), entry)
            for leg, amount in enumerate(amounts):
                posting = {"entry_seq": 1, "leg": leg, "account": f"a{leg}", "unit": "USD"}
                connection.execute(insert(t.posting), {**posting, "amount": amount})
        assert prove(Views(store.engine), 0).unbalanced_entries == unbalanced
    finally:
        store.close()
