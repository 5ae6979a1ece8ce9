"""What banks and customers do in the simulator: money comes, bounces and is disputed.

The bank tells of an amount more than once, in other statements too; some of it names no invoice,
some is more or less than what is asked, and some is taken back, now and then before its payment
was told of. Neighbours: `audit_receipts.py` holds what follows from it; `workload.py` draws these
with the rest.
"""

import random
from collections.abc import Callable
from typing import Any

from comptoir.billing.bank_files import BankEntry
from comptoir.billing.dunning import DunningStep
from comptoir.billing.invoice_status import InvoiceStatus
from comptoir.billing.receipts import Payment
from comptoir.desk.approval_requests import Act, ApprovalRef, AskApproval
from comptoir.desk.memory import Memory
from comptoir.desk.receipt_requests import (
    AllocatePayment,
    OpenDispute,
    PostOutgoing,
    RecordReceipts,
    RefundPayment,
    ResolveDispute,
    SetDunning,
    TopUp,
)
from comptoir.simulation.clock import VirtualClock
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.units.money import format_minor
from comptoir.units.recurrence import DAY_MS
from comptoir.units.values import replace

Ask = Callable[..., Any]
Maker = Callable[[Memory], Any]
CENT = 10_000


class Paying:
    """Draws them from the seed."""

    def __init__(self, rng: random.Random, clock: VirtualClock, ask: Ask) -> None:
        self._rng = rng
        self._clock = clock
        self._ask = ask
        self._told: list[BankEntry] = []
        self._statements = 0

    def makers(self) -> tuple[tuple[Maker, int], ...]:
        """What may happen, and how often beside the rest."""
        return (
            (self._receive, 6), (self._allocate, 2), (self._refund, 1), (self._top_up, 1),
            (self._post, 1), (self._dispute, 2), (self._resolve, 2), (self._dunning, 1),
        )  # fmt: skip

    def month(self) -> list[Maker]:
        """What follows when the invoices of a month are out."""
        after = [self._receive] * 5 + [self._allocate, self._top_up, self._refund, self._post]
        after += [self._dispute, self._dispute, self._resolve, self._resolve]
        after += [self.approve] * 6
        self._rng.shuffle(after)
        return after

    def approve(self, book: Memory) -> Any | None:
        """Somebody else approves an act that waits."""
        waiting = list(book.receipts.approvals)
        if not waiting:
            return None
        ref = ApprovalRef(self._rng.choice(waiting).id)
        return self._ask("approve_act", ref, "approver")

    def _receive(self, book: Memory) -> Any:
        """A statement of a few entries."""
        self._statements += 1
        entries = [
            entry
            for _ in range(self._rng.choice((1, 1, 2, 4)))
            if (entry := self._entry(book)) is not None
        ]
        if not entries:
            return None
        once = {entry.id: entry for entry in entries}
        self._told += [entry for entry in once.values() if entry not in self._told]
        request = RecordReceipts(
            HOUSE_ENTITY, f"st-{self._statements}", "DE02", tuple(once.values())
        )
        return self._ask("record_receipts", request, "seller")

    def _entry(self, book: Memory) -> BankEntry | None:
        """A payment mostly; one that was told before, one taken back, one that goes out."""
        rng = self._rng
        what = rng.choices(("pay", "again", "bounce", "supplier", "fee"), (8, 2, 2, 1, 1))[0]
        if what == "supplier":
            return self._new(-rng.choice((1, 100)) * CENT, "USD", "partner-1")
        if what == "fee":
            return self._new(-rng.choice((5, 500)) * CENT, "USD", "account fee")
        if what == "pay" or not self._told:
            return self._payment(book)
        told = rng.choice(self._told)
        if what == "again":
            return told
        if told.micros < 2 * CENT:
            return None
        part = rng.choice((told.micros, told.micros // 2 // CENT * CENT))
        back = self._new(-part, told.currency, told.reference)
        return replace(back, reversal=True, end_to_end=told.end_to_end)

    def _payment(self, book: Memory) -> BankEntry:
        rng = self._rng
        asked = [status for status in book.closing.statuses if status.open_micros > 0]
        if not asked or rng.random() < 0.15:
            return self._new(rng.choice((1, 77, 5_000)) * CENT, "USD", "thank you")
        status: InvoiceStatus = rng.choice(asked)
        numbers = [status.number]
        micros = rng.choice((
            status.open_micros, status.open_micros, status.open_micros + 500 * CENT,
            status.open_micros // 3 // CENT * CENT + CENT,
        ))  # fmt: skip
        if rng.random() < 0.2:
            other: InvoiceStatus = rng.choice(asked)
            if other.currency == status.currency and other is not status:
                numbers.append(other.number)
                micros += other.open_micros
        if rng.random() < 0.2:  # through the bank's exchange
            other_unit = "USD" if status.currency == "EUR" else "EUR"
            return self._new(micros * rng.choice((1, 3)) // 2 // CENT * CENT + CENT, other_unit,
                             " ".join(numbers))  # fmt: skip
        return self._new(micros, status.currency, " ".join(numbers))

    def _new(self, micros: int, currency: str, reference: str) -> BankEntry:
        """An entry that nobody told of before."""
        name = f"b{len(self._told)}-{self._rng.randrange(10**9)}"
        day_ms = self._clock.now_ms() // DAY_MS * DAY_MS
        return BankEntry(
            name, day_ms, micros, currency, reference, "A payer",
            end_to_end=f"e-{name}", bank_reference=name,
        )  # fmt: skip

    def _left(self, book: Memory) -> Payment | None:
        """A payment of which something is left."""
        left = [one for one in book.receipts.payments if one.left_micros and one.micros > 0]
        return self._rng.choice(left) if left else None

    def _allocate(self, book: Memory) -> Any | None:
        payment = self._left(book)
        asked = [status for status in book.closing.statuses if status.open_micros > 0]
        if payment is None or not asked:
            return None
        request = AllocatePayment(payment.id, self._rng.choice(asked).number)
        return self._ask("allocate_payment", request, "seller")

    def _refund(self, book: Memory) -> Any | None:
        payment = self._left(book)
        if payment is None:
            return None
        amount = self._rng.choice((None, format_minor(CENT, payment.currency)))
        refund = RefundPayment(payment.id, "sent back", amount)
        return self._ask("ask_approval", AskApproval(Act(refund=refund)), "seller")

    def _post(self, book: Memory) -> Any | None:
        """What went out and waits to be recognised was a fee, or a supplier's."""
        waiting = [one for one in book.receipts.payments if one.micros < 0 and one.left_micros]
        if not waiting:
            return None
        contract = self._rng.choice((None, "partner-1"))
        posted = PostOutgoing(self._rng.choice(waiting).id, "looked up", contract)
        return self._ask("ask_approval", AskApproval(Act(outgoing=posted)), "seller")

    def _top_up(self, book: Memory) -> Any | None:
        payment = self._left(book)
        if payment is None:
            return None
        tenants = [one for one in book.tenants if not one.is_internal]
        owner = payment.tenant_id or self._rng.choice(tenants).id
        kept = TopUp(payment.id, None, owner)
        return self._ask("ask_approval", AskApproval(Act(top_up=kept)), "seller")

    def _dispute(self, book: Memory) -> Any | None:
        """The customer disputes a line, or a cent of it."""
        asked = [status for status in book.closing.statuses if status.open_micros > 0]
        if not asked:
            return None
        status: InvoiceStatus = self._rng.choice(asked)
        amount = self._rng.choice((None, format_minor(CENT, status.currency)))
        line = self._rng.choice((1, 1, 2))
        request = OpenDispute(status.invoice_id, line, "not as agreed", amount)
        return self._ask("open_dispute", request, book.tenants[status.tenant_id].slug)

    def _resolve(self, book: Memory) -> Any | None:
        open_ones = list(book.receipts.disputes)
        if not open_ones:
            return None
        uphold = self._rng.random() < 0.5
        request = ResolveDispute(self._rng.choice(open_ones).id, uphold, "looked at")
        if not uphold:
            return self._ask("reject_dispute", request, "seller")
        return self._ask("ask_approval", AskApproval(Act(uphold=request)), "seller")

    def _dunning(self, book: Memory) -> Any:
        steps = (DunningStep("reminder", 1), DunningStep("final", self._rng.choice((2, 30))))
        return self._ask("set_dunning", SetDunning(steps), "seller")
