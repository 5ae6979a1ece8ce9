"""Contracting: what sales and partners agree, and what is done under it.

Few numbers and near dates, so that versions meet, tranches come due and steps end while a
schedule runs. Neighbours: `audit_contracts.py` holds what follows from it; `workload.py` draws
these with the rest.
"""

import random
from collections.abc import Callable
from typing import Any

from comptoir.desk.contract_requests import (
    ContractDeed,
    ContractVersionRef,
    ProposeContract,
    SettleSupply,
)
from comptoir.desk.contracts import newest_approved
from comptoir.desk.memory import Memory
from comptoir.leases.lease import LeaseClass
from comptoir.sales.commitments import (
    AccessStep,
    Commitment,
    CommitmentType,
    CommitmentUnit,
    Instalment,
)
from comptoir.sales.contracts import (
    AgreedPrice,
    Contract,
    ContractBody,
    ContractFile,
    ContractVersion,
    Direction,
    VersionState,
)
from comptoir.sales.credit_blocks import Covers
from comptoir.sales.tranches import ActType, ExitRight, Expansion, RecallClause, Tranche
from comptoir.simulation.clock import VirtualClock
from comptoir.simulation.template import GUARANTEE
from comptoir.simulation.wanted import KINDS
from comptoir.units.values import replace

Ask = Callable[..., Any]
Maker = Callable[[Memory], Any]
LASTS_MS = (60_000, 3_600_000, 10**9)


class Contracting:
    """Draws them from the seed."""

    def __init__(self, rng: random.Random, clock: VirtualClock, ask: Ask) -> None:
        self._rng = rng
        self._clock = clock
        self._ask = ask

    def makers(self) -> tuple[tuple[Maker, int], ...]:
        """What may happen, and how often beside the rest."""
        return (
            (self._sell, 3), (self._buy, 2), (self._answer, 5), (self._act, 3), (self._settle, 1),
        )  # fmt: skip

    def _sell(self, book: Memory) -> Any:
        if not len(book.tenants):
            return None
        tenant = self._rng.choice(list(book.tenants))
        number = f"{tenant.slug}-{self._rng.choice((1, 1, 1, 2))}"
        return self._propose(book, number, Direction.SOLD, tenant.slug, ())

    def _buy(self, book: Memory) -> Any:
        rented = [inbound.name for inbound in book.inbound if inbound.partner == "partner"]
        named = self._rng.sample(rented, min(len(rented), self._rng.choice((1, 2))))
        number = f"partner-{self._rng.choice((1, 2))}"
        return self._propose(book, number, Direction.BOUGHT, "partner", tuple(named))

    def _propose(
        self, book: Memory, number: str, direction: Direction, party: str, inbound: tuple[str, ...]
    ) -> Any:
        rng, now = self._rng, self._clock.now_ms()
        starts = now + rng.choice((-60_000, 0, 1, 5_000, 5_000, 120_000))
        known = book.contracts.by_number.first(number)
        before = None if known is None else newest_approved(book, known)
        if before is not None and rng.random() < 0.8:  # the same with other prices
            ends = before.until_ms
            prices = tuple(self._price(starts, ends) for _ in range(rng.choice((0, 1, 3))))
            body = replace(before.body, prices=prices, inbound=inbound or before.body.inbound)
            again = ContractFile(number, direction, party, "house", "USD", starts, ends, body, "")
            return self._ask("propose_contract", ProposeContract(again), "seller")
        ends, sold = starts + rng.choice(LASTS_MS), direction is Direction.SOLD
        body = ContractBody(
            tuple(self._price(starts, ends) for _ in range(rng.choice((0, 1, 1, 3)))),
            tuple(self._commitment(name, starts) for name in rng.choice(((), ("a",), ("a", "b")))),
            (Tranche("t", rng.choice(KINDS), 8, "", starts + 60_000, rng.choice((0, 30)), 120,
                     rng.choice((None, 0, 60))),),
            (Expansion("e", rng.choice(KINDS), 8, starts + 10_000, None),),
            rng.choice((None, ExitRight(rng.choice((0, 20)), 0))),
            RecallClause(0, 1_500_000, 2) if sold and rng.random() < 0.5 else None,
            GUARANTEE if sold and rng.random() < 0.5 else None,
            inbound,
        )  # fmt: skip
        file = ContractFile(number, direction, party, "house", "USD", starts, ends, body, "")
        return self._ask("propose_contract", ProposeContract(file, rng.random() < 0.1), "seller")

    def _price(self, starts: int, ends: int) -> AgreedPrice:
        rng = self._rng
        price = rng.choice((None, None, 0, 1, 2_222_222_222))
        return AgreedPrice(
            rng.choice((None, *KINDS)), rng.choice((None, *LeaseClass)), None, None,
            starts + rng.choice((0, 0, 7_001)), max(ends, starts + 8_000), price,
            rng.choice((1, 333_333, 2_000_000)) if price is None else None,
        )  # fmt: skip

    def _commitment(self, name: str, starts: int) -> Commitment:
        rng = self._rng
        cuts = [starts, starts + 20_000, starts + rng.choice((60_000, 90_000_000))]
        access = tuple(
            AccessStep(cuts[at], cuts[at + 1], rng.choice((10**4, 10**6, 10**12)))
            for at in range(rng.choice((1, 2)))
        )
        due = sum(step.micros for step in access)
        rolls = rng.choice(((0, 0), (250_000, 3_600), (1_000_000, 15), (1_000_000, 40 * 86_400)))
        return Commitment(
            name, rng.choice(list(CommitmentType)), CommitmentUnit.SPEND, access,
            (Instalment(starts + rng.choice((0, 30_000)), due),),
            Covers(rng.choice(((), KINDS[:1]))), rng.choice((1, 100)), *rolls,
            tranche=rng.choice(("", "", "t")),
        )  # fmt: skip

    def _answer(self, book: Memory) -> Any:
        """Approve what is proposed, mostly; now and then by who proposed it, in vain."""
        waiting = [v for v in book.contracts.versions if v.state is VersionState.PROPOSED]
        if not waiting:
            return None
        version: ContractVersion = self._rng.choice(waiting)
        ref = ContractVersionRef(version.contract_id, version.number)
        if self._rng.random() < 0.15:
            return self._ask("withdraw_contract", ref, "seller")
        by = "seller" if self._rng.random() < 0.1 else "approver"
        return self._ask("approve_contract", ref, by)

    def _act(self, book: Memory) -> Any:
        if not len(book.contracts.contracts):
            return None
        rng = self._rng
        contract: Contract = rng.choice(list(book.contracts.contracts))
        act = rng.choice((ActType.DELIVER, ActType.DELIVER, *ActType))
        about = {ActType.EXERCISE: "e", ActType.EXIT: ""}.get(act, "t")
        if act is ActType.EXIT and rng.random() < 0.7:
            return None
        return self._ask("act_on_contract", ContractDeed(contract.id, act, about), "seller")

    def _settle(self, book: Memory) -> Any:
        back = self._rng.choice((None, None, self._clock.now_ms() - 10_000))
        return self._ask("settle_supply", SettleSupply(back), "seller")
