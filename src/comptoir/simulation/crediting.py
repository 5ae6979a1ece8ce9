"""Crediting in the simulator: customers are admitted with limits, budgets are set, grants given.

Neighbours: `audit_credit.py` holds what follows from it; `workload.py` draws these with the rest.
"""

import random
from collections.abc import Callable
from typing import Any

from comptoir.desk.approval_requests import Act, ApprovalRef, AskApproval
from comptoir.desk.entity_requests import (
    AcceptTerms,
    AdmitCustomer,
    BudgetRef,
    GiveGrant,
    InviteCustomer,
    ScreenCustomer,
    SetBudget,
)
from comptoir.desk.memory import Memory
from comptoir.simulation.clock import VirtualClock
from comptoir.tenants.admissions import AdmissionState
from comptoir.tenants.budgets import BudgetPeriod, WhenSpent
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.tenants.parties import Tenant
from comptoir.units.wire import money

Ask = Callable[..., Any]
Maker = Callable[[Memory], Any]
PROJECTS = ("", "llm", "vision")
LIMITS = ("0.00", "0.05", "1.00", "20.00", "400.00", None)


class Crediting:
    """Draws them from the seed."""

    def __init__(self, rng: random.Random, clock: VirtualClock, ask: Ask) -> None:
        self._rng = rng
        self._clock = clock
        self._ask = ask

    def makers(self) -> tuple[tuple[Maker, int], ...]:
        """What may happen, and how often beside the rest."""
        return (
            (self._admit, 8),
            (self._budget, 3),
            (self._end_budget, 1),
            (self._grant, 1),
            (self._approve, 6),
        )

    def _admit(self, book: Memory) -> Any:
        """The next step of a customer's admission; once in a while one that is not due."""
        customers = [tenant for tenant in book.tenants if not tenant.is_internal]
        if not customers:
            return None
        tenant = self._rng.choice(customers)
        known = book.credit.admissions.get(tenant.id)
        limit = None if known is None else self._proposed(known.proposed_limit_micros)
        if self._rng.random() < 0.1:
            return self._ask("admit_customer", AdmitCustomer(tenant.id, limit), "approver")
        if known is None or known.state is AdmissionState.REFUSED:
            invited = InviteCustomer(tenant.id, HOUSE_ENTITY, tenant.name, "FR", "1")
            return self._ask("invite_customer", invited, "seller")
        if known.state is AdmissionState.INVITED:
            return self._ask("accept_terms", AcceptTerms(tenant.id, "1"), tenant.slug)
        if known.screened_at_ms is None or self._rng.random() < 0.5:
            return self._screen(tenant)
        return self._ask("admit_customer", AdmitCustomer(tenant.id, limit), "approver")

    def _screen(self, tenant: Tenant) -> Any:
        request = ScreenCustomer(
            tenant.id, self._clock.now_ms() - 60_000, "screened", self._rng.choice(LIMITS)
        )
        return self._ask("screen_customer", request, "seller")

    def _proposed(self, micros: int | None) -> str | None:
        return None if micros is None else money(micros)

    def _budget(self, book: Memory) -> Any:
        if not len(book.tenants):
            return None
        rng, project = self._rng, self._rng.choice(PROJECTS)
        tenant = rng.choice(list(book.tenants))
        request = SetBudget(
            rng.choice(("0.02", "1.00", "30.00")),
            tenant.id,
            project,
            BudgetPeriod.MONTH if project == "vision" else BudgetPeriod.ONCE,
            rng.choice(((), (50, 80), (10,))),
            rng.choice(list(WhenSpent)),
        )
        return self._ask("set_budget", request, rng.choice((tenant.slug, "seller")))

    def _end_budget(self, book: Memory) -> Any:
        live = [budget for budget in book.credit.budgets if budget.live]
        if not live:
            return None
        return self._ask("end_budget", BudgetRef(self._rng.choice(live).id), "seller")

    def _grant(self, book: Memory) -> Any:
        if not len(book.tenants):
            return None
        tenant = self._rng.choice(list(book.tenants))
        until_ms = self._clock.now_ms() + self._rng.choice((-1, 60_000, 10**10))
        request = GiveGrant(tenant.id, self._rng.choice(("0.10", "50.00")), until_ms)
        return self._ask("ask_approval", AskApproval(Act(grant=request)), "seller")

    def _approve(self, book: Memory) -> Any:
        """An act that waits; once in a while by who asked for it, or withdrawn."""
        waiting = list(book.receipts.approvals)
        if not waiting:
            return None
        ref = ApprovalRef(self._rng.choice(waiting).id)
        if self._rng.random() < 0.1:
            return self._ask("withdraw_act", ref, "seller")
        return self._ask("approve_act", ref, "approver")
