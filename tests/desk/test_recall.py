"""A lease may be recalled as its contract says: with its notice, and so many times a year."""

import pytest

from comptoir.desk.contract_requests import ContractVersionRef, ProposeContract
from comptoir.leases.lease import LeaseClass
from comptoir.sales.contract_file import read_contract_file
from comptoir.sales.tranches import ActType
from comptoir.simulation.audit_memory import memory_problems
from comptoir.tenants.parties import Role
from comptoir.units.errors import Refused
from tests.builders import HOUR_MS
from tests.desk.test_lending import Shop
from tests.desk.test_lending import shop as shop  # the fixture

CONTRACT = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-09-01
until = 2028-01-01

[recall]
notice = "10m"
fee = 1.5
times_a_year = 2
"""


def agree(shop: Shop, text: str = CONTRACT) -> None:
    request = ProposeContract(read_contract_file("acme.toml", text))
    made = shop.desk.call("propose_contract", request, shop.user(Role.SALES))
    ref = ContractVersionRef(made.contract.id, made.version.number)
    shop.desk.call("approve_contract", ref, shop.user(Role.APPROVER))


def test_a_reserved_lease_has_the_recall_clause_of_its_contract(shop: Shop) -> None:
    end = shop.clock.instant_ms + 100 * HOUR_MS
    before = shop.lease(shop.acme, LeaseClass.RESERVED, 1, ends_at_ms=end)
    agree(shop)
    after = shop.lease(shop.acme, LeaseClass.RESERVED, 1, ends_at_ms=end)
    longer = shop.lease(shop.acme, LeaseClass.RESERVED, 1, ends_at_ms=end, notice_s=3_600)
    spot = shop.lease(shop.acme, LeaseClass.SPOT, 1)
    short = shop.clock.instant_ms + 300_000  # ends before its notice would be over
    brief = shop.lease(shop.acme, LeaseClass.RESERVED, 1, ends_at_ms=short)
    asked = (before, after, longer, spot, brief)
    assert [lease.recall for lease in asked] == [False, True, True, False, False]
    assert [lease.notice_s for lease in (after, longer)] == [max(after.notice_s, 600), 3_600]
    assert after.notice_s >= 600


def test_once_a_year_has_seen_its_recalls_no_lease_can_be_recalled(shop: Shop) -> None:
    shop.entitle(shop.a, 16)
    agree(shop)
    end = shop.clock.instant_ms + 12_000 * HOUR_MS
    sold = [shop.lease(shop.acme, LeaseClass.RESERVED, 4, ends_at_ms=end) for _ in range(4)]
    assert shop.stands(*sold) == ["active"] * 4
    for _ in range(2):
        shop.lease(shop.a, LeaseClass.INTERNAL, 4)
        shop.pass_s(90_000)
    recalled = [lease for lease in map(shop.now, sold) if lease.reclaims]
    kept = [lease for lease in map(shop.now, sold) if not lease.reclaims]
    assert (len(recalled), [lease.recall for lease in kept]) == (2, [False, False])
    acts = [a for a in shop.desk.book.contracts.acts if a.type is ActType.RECALL]
    assert sorted(act.subject for act in acts) == sorted(lease.id for lease in recalled)
    waiting = shop.lease(shop.a, LeaseClass.INTERNAL, 4)
    shop.pass_s(90_000)
    assert [shop.stands(lease)[0] for lease in (*kept, waiting)] == ["active", "active", "waiting"]
    assert list(memory_problems(shop.desk)) == []
    later = {"starts_at_ms": end, "ends_at_ms": end + HOUR_MS}
    with pytest.raises(Refused, match="entitled_to_teams"):  # it could not be recalled
        shop.lease(shop.acme, LeaseClass.RESERVED, 1, **later)
    shop.pass_s(120 * 86_400)  # the next year allows two again, for what is asked from then on
    assert shop.lease(shop.acme, LeaseClass.RESERVED, 1, **later).recall
