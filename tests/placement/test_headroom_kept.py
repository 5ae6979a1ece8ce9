"""What is kept for somebody who waits is not counted as what they use."""

from pathlib import Path

from comptoir.desk.requests import Hold, RequestLease, SetEntitlement
from comptoir.leases.lease import LeaseClass, Shape
from comptoir.tenants.parties import TenantKind
from tests.builders import START_MS, Book


def test_a_hold_counts_once_and_is_not_ahead_of_itself(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.price_all()
    book.supply(4)
    ads = book.tenant("ads", TenantKind.TEAM)
    other = book.tenant("other", TenantKind.TEAM)
    book.desk.call("set_entitlement", SetEntitlement("cpu-core", 4, tenant_id=other.id))
    acme = book.tenant("acme")
    book.lease(acme, LeaseClass.SPOT, 2, ends_at_ms=START_MS + 3_600_000)
    book.turn()
    wanted = RequestLease(
        "cpu-core", 2, LeaseClass.INTERNAL, Shape.NODE, tenant_id=ads.id, notice_s=1
    )
    book.desk.call("hold_capacity", Hold(wanted, 60, False), book.operator)
    fed = book.desk.book.headroom.contents("cpu-core")
    book.desk.reload()
    assert book.desk.book.headroom.contents("cpu-core") == fed
