"""A month of many tenants closed, while others ask for leases: how long, and who waits for it.

The book is filled as metering fills it: charges under accruals, in the ledger. Then the month
ends, the desk's own loop closes it slice by slice through the queue, and a client asks for a lease
every few milliseconds. The desk's longest pause is its longest batch meanwhile: a slice, its
commit, and whatever else came with it.
"""

import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from comptoir.assembly import SystemClock, loading_a_book
from comptoir.billing.accruals import Accrual
from comptoir.cli.bench.desk import fastest_desk
from comptoir.cli.bench.figures import Findings, figure, percentile
from comptoir.desk.close_loop import CloseLoop
from comptoir.desk.close_requests import ClosePeriod, CloseSlice, DraftRef
from comptoir.desk.desk import Call, Desk
from comptoir.desk.money_memory import Balance
from comptoir.desk.ports import Changes
from comptoir.desk.queue import DeskQueue
from comptoir.desk.requests import (
    CreateTenant,
    DeclareSupply,
    LeaseRef,
    NewNode,
    Opening,
    ProposeRate,
    RateRef,
    RequestLease,
)
from comptoir.leases.lease import Lease, LeaseClass, Shape
from comptoir.ledger import entries as ledger
from comptoir.ledger.entries import Entry
from comptoir.metering.usage import Measure
from comptoir.pricing.charges import Charge
from comptoir.pricing.rates import Rate
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.tenants.parties import Actor, Role, TenantKind
from comptoir.units.ids import AccrualId, LeaseId, TenantId, UserId, encode_id
from comptoir.units.money import floor_micros
from comptoir.units.time import MS_PER_HOUR, month_start_ms, next_month_ms

TENANTS, CHARGES = 1_000, 1_000_000
LEASES_A_TENANT = 50
TENANTS_A_COMMIT = 20
MOST_CLOSE_S, MOST_PAUSE_MS = 60, 50
ASK_EVERY_S = 0.005
NODES = 512
_FIRST = 1 << 24  # ids that the desk has not given yet


class _LaterClock(SystemClock):
    """The machine's clock, some time ahead."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


def measure(tenants: int = TENANTS, charges: int = CHARGES) -> Findings:
    """Seconds to close, the desk's longest pause meanwhile, and drafts made final a second."""
    with tempfile.TemporaryDirectory() as directory:
        data, clock = Path(directory) / "post", _LaterClock()
        data.mkdir()
        with loading_a_book():
            desk = fastest_desk(data, clock)
            _open(desk, tenants)
            _fill(desk, charges // tenants)
            desk.reload()
        found = _Close(desk, clock)
        found.run()
        desk.store.close()
    waits = sorted(found.waits_ms)
    p50, p99 = percentile(waits, 500), percentile(waits, 990)
    period, slices = found.period, sorted(found.slices_ms)
    asked = f"p50 {percentile(slices, 500):.1f} ms, p99 {percentile(slices, 990):.1f} ms each"
    close = figure(
        f"a month of {tenants:,} tenants with {charges:,} charges closed", "s", [found.close_s],
        MOST_CLOSE_S, True,
        f"{period.slices:,} slices, {asked}; {period.accruals:,} accruals, "
        f"{period.drafts:,} drafts",
    )  # fmt: skip
    pause = figure(
        "the desk's longest pause meanwhile", "ms", [found.pause_ms], MOST_PAUSE_MS, True,
        f"{len(waits):,} lease requests: p50 {p50:.1f} ms, p99 {p99:.1f} ms, "
        f"most {waits[-1]:.1f} ms; without a close at most {found.quiet_ms:.1f} ms",
    )  # fmt: skip
    final = figure("drafts made final, one a commit", "/s", [period.drafts / found.final_s])
    return Findings(
        [close, pause, final],
        {
            "close_s": found.close_s,
            "longest_pause_ms": found.pause_ms,
            "request_p99_ms": p99,
            "slice_p99_ms": percentile(slices, 990),
            "longest_slice_ms": slices[-1],
            "quiet_pause_ms": found.quiet_ms,
        },
    )


class _Close:
    """One close under load."""

    def __init__(self, desk: Desk, clock: _LaterClock) -> None:
        self._desk, self._clock = desk, clock
        self._queue = DeskQueue(desk)
        self._over = threading.Event()
        self.waits_ms: list[float] = []
        self.slices_ms: list[float] = []
        self.close_s = self.pause_ms = self.quiet_ms = self.final_s = 0.0

    def run(self) -> None:
        """A quiet second, the close, and the drafts made final."""
        now = self._clock.now_ms()
        name = time.strftime("%Y-%m", time.gmtime(now / 1_000))
        self._clock.ahead_ms = next_month_ms(now) - now + MS_PER_HOUR
        self._queue.start()
        asking = threading.Thread(target=self._ask)
        asking.start()
        time.sleep(1.5)
        self._queue.longest_batch_s = 0.0
        time.sleep(1.5)
        self.quiet_ms, self.waits_ms = 1_000 * self._queue.longest_batch_s, []
        self._queue.longest_batch_s = 0.0
        began = time.perf_counter()
        self._do("close_period", ClosePeriod(HOUSE_ENTITY, name))
        loop = CloseLoop(lambda: self._desk.book, self._slice)
        while loop.step():
            pass
        self.close_s = time.perf_counter() - began
        self.pause_ms = 1_000 * self._queue.longest_batch_s
        self._over.set()
        asking.join()
        (self.period,) = list(self._desk.book.closing.periods)
        began = time.perf_counter()
        for draft in list(self._desk.book.closing.drafts):
            self._do("finalise_invoice", DraftRef(draft.id))
        self.final_s = time.perf_counter() - began
        self._queue.stop()

    def _slice(self, piece: CloseSlice) -> None:
        began = time.perf_counter()
        self._do("close_slice", piece)
        self.slices_ms.append(1_000 * (time.perf_counter() - began))

    def _do(self, operation: str, request: object) -> Any:
        return self._queue.call(Call(operation, request), timeout_s=120).unwrap()

    def _ask(self) -> None:
        """A lease is asked for, given back, and asked for again."""
        tenant = next(iter(self._desk.book.tenants)).id
        wanted = RequestLease("h100-sxm", 4, LeaseClass.ON_DEMAND, Shape.NODE, tenant_id=tenant)
        while not self._over.is_set():
            began = time.perf_counter()
            lease: Lease = self._do("request_lease", wanted)
            self.waits_ms.append(1_000 * (time.perf_counter() - began))
            time.sleep(ASK_EVERY_S)
            self._do("end_lease", LeaseRef(lease.id))


def _open(desk: Desk, tenants: int) -> None:
    desk.call("open_book", Opening())
    card = next(iter(desk.book.money.rate_cards)).id
    rate = desk.call("propose_rate", ProposeRate(card, "h100-sxm", LeaseClass.ON_DEMAND, 10**9))
    approver = Actor(UserId("us_bench"), None, None, (Role.APPROVER,))
    desk.call("approve_rate", RateRef(rate.id), approver)
    nodes = tuple(NewNode(f"n{i}", 8) for i in range(NODES))
    desk.call("declare_supply", DeclareSupply("bench", "h100-sxm", nodes))
    calls = [
        Call("create_tenant", CreateTenant(f"t{n}", f"T{n}", TenantKind.ENTERPRISE))
        for n in range(tenants)
    ]
    for outcome in desk.execute(calls):
        outcome.unwrap()


def _fill(desk: Desk, charges_a_tenant: int) -> None:
    """Charges, the accruals that they add up to, and the entries that post them."""
    book = desk.book
    (rate,), version = list(book.money.rates), book.version
    now_ms = desk.now_ms()
    month_ms = month_start_ms(now_ms)
    seqs = {"charge": book.last_seq.get("charge", 0), "entry": book.last_seq.get("entry", 0)}
    each = max(charges_a_tenant // LEASES_A_TENANT, 1)
    ids = [tenant.id for tenant in book.tenants]
    for first in range(0, len(ids), TENANTS_A_COMMIT):
        changes = Changes(version, _FIRST + len(ids) * LEASES_A_TENANT * 2)
        for n in range(first, min(first + TENANTS_A_COMMIT, len(ids))):
            _fill_tenant(changes, seqs, ids[n], n, rate, (month_ms, now_ms), each)
        desk.store.commit(changes)
        version += 1


def _fill_tenant(
    changes: Changes,
    seqs: dict[str, int],
    tenant_id: TenantId,
    number: int,
    rate: Rate,
    window: tuple[int, int],
    each: int,
) -> None:
    month_ms, now_ms = window
    posted = 0
    for n in range(LEASES_A_TENANT):
        at = _FIRST + 2 * (number * LEASES_A_TENANT + n)
        lease_id = LeaseId(encode_id("ls", at))
        accrual_id = AccrualId(encode_id("ac", at + 1))
        use_ms = 8 * 60_000 + n
        for piece in range(each):
            seqs["charge"] += 1
            start = month_ms + piece * 60_000
            changes.appended.setdefault("charge", []).append(
                Charge(
                    seqs["charge"], seqs["charge"], accrual_id, rate.id, tenant_id, lease_id,
                    rate.lease_class, rate.kind, Measure.DELIVERED, start, start + 60_000, use_ms,
                    rate.price_nanos, use_ms * rate.price_nanos, "USD", False,
                )
            )  # fmt: skip
        numerator = each * use_ms * rate.price_nanos
        posted += floor_micros(numerator)
        changes.rows.setdefault("accrual", []).append(
            Accrual(
                accrual_id, tenant_id, lease_id, rate.id, rate.lease_class, rate.kind,
                Measure.DELIVERED, rate.price_nanos, "USD", month_ms, month_ms,
                month_ms + each * 60_000, False, each * use_ms, numerator, floor_micros(numerator),
            )
        )  # fmt: skip
    seqs["entry"] += 1
    unbilled, unit = ledger.unbilled(tenant_id), ledger.currency("USD")
    legs = ledger.transfer(unbilled, ledger.revenue(f"bench-{number}"), unit, posted)
    changes.appended.setdefault("entry", []).append(
        Entry(seqs["entry"], f"bench:{number}", "usage", "bench", now_ms, now_ms, legs)
    )
    changes.rows.setdefault("balance", []).extend(
        Balance(leg.account, leg.unit, leg.amount) for leg in legs
    )
