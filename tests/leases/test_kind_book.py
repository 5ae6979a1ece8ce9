"""The book of a kind: what is worked out from it is never older than the book."""

from comptoir.fleet.conditions import SoldTo
from comptoir.leases.inbound import InboundLease, InboundState
from comptoir.leases.kind_book import KindBook
from comptoir.tenants.entitlements import Holder
from comptoir.units.ids import InboundLeaseId
from comptoir.units.values import replace
from tests.tenants.test_entitlements import row

TEAM = "tn_a"
SUPPLY = InboundLease(
    InboundLeaseId("il_1"), "owned", "owned", "h100-sxm", 0, None, 0, "USD", InboundState.ACTIVE,
    SoldTo.EVERYBODY,
)  # fmt: skip


def test_lending_is_worked_out_once_while_nothing_changes_and_anew_after_a_change() -> None:
    book = KindBook("h100-sxm")
    book.put_row(row(TEAM, 8))
    first = book.lending(0)
    assert book.lending(0) is first
    assert book.lending(1) is not first

    book.bring(SUPPLY, "paris", 24)
    assert book.lending(0).can_lend() == 24
    book.move_supply(SUPPLY, replace(SUPPLY, state=InboundState.ENDED))
    assert book.lending(0).can_lend() == 8
    book.put_row(replace(row(TEAM, 8), lend_limit=3))
    assert book.lending(0).can_lend() == 3
    book.drop_row(row(TEAM, 8))
    assert Holder(TEAM) not in book.lending(0).holders()
