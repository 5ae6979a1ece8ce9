"""What finance does in the simulator: closes months, makes drafts final, credits invoices."""

import random
from collections.abc import Callable
from typing import Any

from comptoir.billing.drafts import DraftState
from comptoir.billing.invoice_status import InvoiceState
from comptoir.billing.periods import Month, month_at, next_to_close
from comptoir.desk.approval_requests import Act, AskApproval
from comptoir.desk.close_requests import ClosePeriod, CreditInvoice, DraftRef
from comptoir.desk.entity_requests import ImportTable
from comptoir.desk.memory import Memory
from comptoir.simulation.clock import VirtualClock
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.units.money import format_minor
from comptoir.units.recurrence import DAY_MS
from comptoir.units.time import format_day


class Closing:
    """Draws the writes of finance from the seed."""

    def __init__(self, rng: random.Random, clock: VirtualClock, ask: Callable[..., Any]) -> None:
        self._rng = rng
        self._clock = clock
        self._ask = ask

    def makers(self) -> tuple[tuple[Callable[[Memory], Any], int], ...]:
        """Each kind of write with its weight."""
        return ((self._close, 6), (self._finalise, 5), (self._credit, 5), (self.rates, 3))

    def month(self) -> list[Callable[[Memory], Any]]:
        """The writes around the end of a month, in their order."""
        billed: list[Callable[[Memory], Any]] = [self._finalise] * 5 + [self._credit] * 5
        self._rng.shuffle(billed)
        told: list[Callable[[Memory], Any]] = [self.rates] * self._rng.choice((0, 1, 1, 1))
        return [*told, self._close, self._close, self.rates, self._finalise, *billed, self._close]

    def due_ends_ms(self, book: Memory) -> int:
        """When the month ends that is closed next."""
        return self._due(book).ends_at_ms

    def _due(self, book: Memory) -> Month:
        entity = book.credit.entities[HOUSE_ENTITY]
        known = book.closing.periods_of.get(entity.id)
        return next_to_close(known, entity.created_at_ms, entity.zone)

    def rates(self, book: Memory) -> Any | None:
        """What a euro is worth today, once a day."""
        day_ms = self._clock.now_ms() // DAY_MS * DAY_MS
        if ("EUR", "USD", day_ms) in book.credit.fx_rates:
            return None
        worth = self._rng.choice(("1.25", "0.8", "1.083217", "1.3"))
        text = f"date,base,quote,rate\n{format_day(day_ms)},EUR,USD,{worth}\n"
        return self._ask("import_fx_rates", ImportTable(text, "a bank"), "seller")

    def _close(self, book: Memory) -> Any:
        """Mostly the month that is next; sometimes one that runs, or was closed before."""
        entity = book.credit.entities[HOUSE_ENTITY]
        due = self._due(book).name
        names = due, due, month_at(self._clock.now_ms(), entity.zone).name
        request = ClosePeriod(entity.id, self._rng.choice(names))
        return self._ask("close_period", request, "seller")

    def _finalise(self, book: Memory) -> Any | None:
        drafts = [draft for draft in book.closing.drafts if draft.state is not DraftState.FINALISED]
        if not drafts:
            return None
        return self._ask("finalise_invoice", DraftRef(self._rng.choice(drafts).id), "seller")

    def _credit(self, book: Memory) -> Any | None:
        """A line, a part of one, or all of an invoice; sometimes more than there is."""
        found = [one for one in book.closing.statuses if one.state is InvoiceState.FINALISED]
        if not found:
            return None
        status = self._rng.choice(found)
        part = status.total_micros // self._rng.choice((1, 2, 7, 1_000)) // 10_000 * 10_000
        amount = format_minor(part, status.currency)
        lines = self._rng.choice(((), ((1, None),), ((1, amount),), ((2, amount),)))
        request = CreditInvoice(status.invoice_id, "agreed", lines)
        return self._ask("ask_approval", AskApproval(Act(credit_note=request)), "seller")
