"""What credit would pay is kept in sums: as row by row, in time that rows do not change."""

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.billing.accruals import Accrual
from comptoir.billing.credit import covered
from comptoir.desk.dues import dues_of
from comptoir.desk.pending_dues import PendingDues
from comptoir.desk.requests import LeaseRef
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import LeaseClass
from comptoir.metering.usage import Measure
from comptoir.sales.credit_blocks import EVERYTHING, BlockState, CreditBlock, CreditSource
from comptoir.tenants.parties import SYSTEM
from comptoir.units.ids import AccrualId, CreditBlockId, LeaseId, RateId
from tests.builders import HOUR_MS, START_MS, Book
from tests.desk.test_credit import USD, Limited

ACTS = ["lease", "bounded", "pass", "end", "credit", "reload", "refused"]


def block(acme: Limited, number: int, dollars: int, hours: tuple[int, int]) -> CreditBlock:
    from_ms, until_ms = (START_MS + hour * HOUR_MS for hour in hours)
    return CreditBlock(
        CreditBlockId(f"cb_{number}"), acme.acme.id, None, None, CreditSource.GRANT, "USD",
        dollars * USD, 0, 0, from_ms, until_ms, 100, EVERYTHING, (), BlockState.OPEN, START_MS,
    )  # fmt: skip


def sums(pending: PendingDues, acme: Limited) -> list[tuple[object, ...]]:
    found = pending.of(acme.acme.id, "USD", acme.book.clock.instant_ms)
    return sorted((d.kind, d.lease_class, d.site, d.starts_at_ms, d.ends_at_ms, d.micros)
                  for d in found)  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(1, 12)), min_size=1, max_size=12))
def test_sums_that_move_with_every_row_are_those_added_up_anew(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, int]]
) -> None:
    book = Book(tmp_path_factory.mktemp("book"))
    acme = Limited(book, "300.00")
    leases: list[LeaseId] = []
    for number, (act, size) in enumerate(acts):
        acme.owed()  # asked before, so that the sums are kept from here on
        if act == "credit":
            now = (book.clock.instant_ms - START_MS) // HOUR_MS
            book.desk.book.contracts.credit_blocks.put(
                block(acme, number, size, (max(now - 2, 0), now + size))
            )
        elif act == "reload":
            book.desk.reload()
        elif act == "pass":
            book.pass_s(size * 600)
        elif act == "end" and leases:
            book.desk.call("end_lease", LeaseRef(leases.pop()), book.operator)
        elif act == "refused":
            acme.refused(16, hours=100)
        elif act in ("lease", "bounded") and size < 3 and len(leases) < 3:
            leases.append(acme.lease(1, hours=size if act == "bounded" else None).id)
        book.turn()
    acme.owed()
    live = book.desk.book
    anew = PendingDues(live.money, live.credit, live.contracts)
    assert sums(live.pending, acme) == sums(anew, acme)
    # What a block pays of sums is what it pays of the rows themselves: one kind, one class.
    blocks = live.contracts.credit_of.get(acme.acme.id)
    now_ms = book.clock.instant_ms
    rows = dues_of(live, live.money.open_accruals_by_tenant.get(acme.acme.id))
    used = [d for d in live.pending.of(acme.acme.id, "USD", now_ms) if d.starts_at_ms < now_ms]
    held = live.credit.held.of((acme.acme.id, "USD"))
    if not held:
        assert covered(blocks, rows, 0) == covered(blocks, used, 0)


def test_what_credit_would_pay_is_found_in_time_that_rows_do_not_change(book: Book) -> None:
    """26 ms a request were what five thousand open accruals had cost."""
    acme = Limited(book, "100000.00")
    for number in range(60):
        acme.book.desk.book.contracts.credit_blocks.put(
            block(acme, number, 100, (number, number + 500))
        )
    book.turn()
    tx = Transaction(
        acme.desk.book, acme.desk.store, acme.desk.entropy, SYSTEM, book.clock.instant_ms
    )
    one = Accrual(
        AccrualId("ac_0"), acme.acme.id, LeaseId("ls_0"), RateId("ra_0"), LeaseClass.ON_DEMAND,
        "cpu-core", Measure.DELIVERED, 1, "USD", START_MS, START_MS, START_MS + 1, False,
        posted_micros=USD,
    )  # fmt: skip

    def asked(accruals: int) -> float:
        for number in range(accruals):
            tx.book.money.accruals.load(replace_id(one, number))
        acme.owed()
        times = []
        for _ in range(20):
            since = time.perf_counter()
            acme.owed()
            times.append(time.perf_counter() - since)
        return min(times)

    few, many = asked(50), asked(5_000)
    assert many < 3 * few + 0.001


def replace_id(accrual: Accrual, number: int) -> Accrual:
    start_ms = START_MS + number % 60 * HOUR_MS
    return replace(
        accrual, id=AccrualId(f"ac_{number}"), first_at_ms=start_ms, last_at_ms=start_ms + 60_000
    )
