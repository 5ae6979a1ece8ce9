"""Holders are warned before the end of a lease, and make it smaller or shorter before that."""

from typing import Any

import pytest

from comptoir.desk.requests import (
    ExtendLease,
    LeaseRef,
    SetSetting,
    ShrinkLease,
)
from comptoir.leases.lease import Lease, LeaseClass, LeaseState, Shape
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import Conflict, Invalid, NotFound
from comptoir.units.ids import AllocationId
from comptoir.units.values import replace
from tests.builders import HOUR_MS, START_MS, Book
from tests.desk.test_windows import TOMORROW, events
from tests.desk.test_windows import acme as acme  # a fixture
from tests.desk.test_windows import shop as shop

RESERVED, SPOT, ON_DEMAND = LeaseClass.RESERVED, LeaseClass.SPOT, LeaseClass.ON_DEMAND
DAY_MS = 24 * HOUR_MS


class TestEndings:
    def test_the_holder_is_warned_once_with_what_an_extension_costs(
        self, shop: Book, acme: Tenant
    ) -> None:
        lease = shop.lease(acme, RESERVED, 8, duration_s=4 * 3_600)
        block = START_MS + 6 * HOUR_MS
        shop.lease(acme, RESERVED, 1, starts_at_ms=block, ends_at_ms=block + HOUR_MS)
        shop.turn()
        shop.pass_s(3 * 3_600 - 1)
        assert events(shop, "lease.ending") == []
        shop.pass_s(1)
        shop.pass_s(60)
        (warning,) = events(shop, "lease.ending")
        assert warning["ends_at_ms"] == START_MS + 4 * HOUR_MS
        assert warning["extendable_until_ms"] == block
        assert warning["price_nanos"] == 36_000_000_000
        assert warning["per_hour_micros"] == 8 * 36_000_000
        extend = ExtendLease(lease.id, block)
        shop.desk.call("extend_lease", extend, shop.operator)
        shop.pass_s(2 * 3_600)
        assert [e["ends_at_ms"] for e in events(shop, "lease.ending")][1:] == [block]

    def test_the_lead_is_set_for_the_book_and_at_most_half_of_the_lease(
        self, shop: Book, acme: Tenant
    ) -> None:
        shop.desk.call("set_setting", SetSetting("ending_lead_s", 600), shop.operator)
        shop.lease(acme, RESERVED, 1, duration_s=600)
        shop.lease(acme, RESERVED, 1, duration_s=6_000)
        shop.turn()
        shop.pass_s(300)
        assert len(events(shop, "lease.ending")) == 1
        shop.pass_s(5_100)
        assert len(events(shop, "lease.ending")) == 2
        with pytest.raises(Invalid, match="out_of_range"):
            shop.desk.call("set_setting", SetSetting("ending_lead_s", 10**9), shop.operator)
        with pytest.raises(NotFound, match="unknown_setting"):
            shop.desk.call("set_setting", SetSetting("colour", 1), shop.operator)


class TestShrinking:
    def shrink(self, book: Book, lease: Lease, **what: Any) -> Lease:
        shrunk = book.desk.call("shrink_lease", ShrinkLease(lease.id, **what), book.operator)
        assert isinstance(shrunk, Lease)
        return shrunk

    def test_what_is_given_back_is_metered_to_the_instant_and_free_at_once(
        self, shop: Book, acme: Tenant
    ) -> None:
        lease = shop.lease(acme, ON_DEMAND, 8)
        shop.turn()
        shop.pass_s(100)
        assert self.shrink(shop, lease, accelerators=3).accelerators == 3
        again = shop.lease(acme, ON_DEMAND, 5)
        assert again.state is LeaseState.SCHEDULED
        shop.pass_s(10)
        shop.desk.call("end_lease", LeaseRef(lease.id), shop.operator)
        shop.turn()
        with shop.store.engine.connect() as connection:
            total = connection.exec_driver_sql(
                "SELECT sum(accelerator_ms) FROM usage WHERE lease_id = ?", (lease.id,)
            ).scalar_one()
        assert total == 8 * 100_000 + 3 * 10_000

    def test_a_node_is_given_back_by_its_name(self, shop: Book, acme: Tenant) -> None:
        lease = shop.lease(acme, ON_DEMAND, 6)
        shop.turn()
        parts = sorted(
            shop.desk.book.allocations_of(lease.id), key=lambda part: len(part.accelerators)
        )
        shrunk = self.shrink(shop, lease, node_ids=(parts[0].node_id,))
        assert shrunk.accelerators == len(parts[1].accelerators)
        with pytest.raises(Conflict, match="not_on_this_node"):
            self.shrink(shop, lease, node_ids=(parts[0].node_id,))
        with pytest.raises(Conflict, match="nothing_left"):
            self.shrink(shop, lease, node_ids=(parts[1].node_id,))

    def test_all_that_a_lease_has_on_a_node_is_given_back_with_it(
        self, shop: Book, acme: Tenant
    ) -> None:
        lease = shop.lease(acme, RESERVED, 8, **TOMORROW)
        book = shop.desk.book
        part, other = book.allocations_of(lease.id)
        first, rest = part.accelerators[:1], part.accelerators[1:]
        book.allocations.put(replace(part, accelerators=first))
        book.allocations.put(replace(part, id=AllocationId("al_2"), accelerators=rest))
        shrunk = self.shrink(shop, lease, node_ids=(part.node_id,))
        assert shrunk.accelerators == len(other.accelerators)
        assert [a.id for a in book.allocations_of(lease.id)] == [other.id]

    def test_where_an_attempt_runs_nothing_is_given_back(self, shop: Book, acme: Tenant) -> None:
        lease = shop.lease(acme, ON_DEMAND, 4, shape=Shape.NODE)
        job = shop.job(lease)
        shop.turn()
        with pytest.raises(Conflict) as no:
            self.shrink(shop, lease, accelerators=2)
        assert no.value.code == "attempt_running"
        assert no.value.facts["job"] == job.id

    def test_a_promise_is_shrunk_and_who_need_not_give_way_any_more_stays(
        self, shop: Book, acme: Tenant
    ) -> None:
        running = [shop.lease(acme, SPOT, 4, shape=Shape.NODE, notice_s=60) for _ in range(2)]
        shop.turn()
        block = shop.lease(acme, RESERVED, 8, **TOMORROW)
        assert {shop.now(lease).reclaimed_for for lease in running} == {block.id}
        self.shrink(shop, block, accelerators=4)
        assert {shop.now(lease).reclaimed_for for lease in running} == {block.id, None}

    def test_what_waits_or_is_over_has_nothing_to_give_back(self, shop: Book, acme: Tenant) -> None:
        shop.lease(acme, ON_DEMAND, 8)
        waiting = shop.lease(acme, ON_DEMAND, 8)
        with pytest.raises(Conflict, match="lease_not_promised"):
            self.shrink(shop, waiting, accelerators=1)
        with pytest.raises(Invalid, match="shrink_to_what"):
            self.shrink(shop, waiting)
