"""Books that start cheaply: one template a process, copied for each schedule.

The template is a real book, opened through the desk: a card in dollars and one in euros with
odd prices, two teams, three customers, a small fleet of three kinds, a contract with a customer and
one with a partner. One SQLAlchemy engine a
process serves all schedules in turn, so that statements are compiled once.
"""

import atexit
import os
import shutil
import sqlite3
import tempfile
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from comptoir.desk.contract_requests import ContractVersionRef, ProposeContract
from comptoir.desk.desk import Desk
from comptoir.desk.failure_requests import ReportChecks
from comptoir.desk.notice_requests import CreateSubscription
from comptoir.desk.requests import (
    CreateRateCard,
    CreateTenant,
    CreateUser,
    DeclareSupply,
    NewNode,
    Opening,
    ProposeRate,
    RateRef,
)
from comptoir.fleet.checks import CheckOutcome, CheckResult
from comptoir.fleet.conditions import OPEN, Conditions
from comptoir.leases.lease import LeaseClass
from comptoir.leases.term import LeaseTerm
from comptoir.metering.usage import Measure
from comptoir.pricing.tiers import Tier
from comptoir.sales.commitments import (
    AccessStep,
    Commitment,
    CommitmentType,
    CommitmentUnit,
    Instalment,
)
from comptoir.sales.contracts import AgreedPrice, ContractBody, ContractFile, Direction
from comptoir.sales.sla_terms import CreditStep, SlaTerms, SlaUnit
from comptoir.sales.tranches import RecallClause, Tranche
from comptoir.simulation.clock import START_MS, SeededEntropy, VirtualClock
from comptoir.store.opening import create_tables, sqlite_engine
from comptoir.store.sql_store import SqlStore
from comptoir.tenants.parties import SYSTEM, Role, TenantKind
from comptoir.tenants.subscriptions import SubscriptionKind
from comptoir.units.ids import UserId
from comptoir.units.recurrence import parse_recurrence
from comptoir.units.time import MS_PER_HOUR

PRICES = {
    "cpu-core": (9_999_999_937, Measure.DELIVERED),
    "h100-sxm": (2_410_000_007, Measure.DELIVERED),
    "mi300x": (1_930_000_011, Measure.BUSY),
}
"""Kind -> nanos per accelerator-hour, and what is billed: one kind bills telemetry."""

LISTED: dict[LeaseClass, dict[str, Any]] = {
    LeaseClass.ON_DEMAND: {"granularity_s": 60, "minimum_s": 90},
    LeaseClass.SPOT: {"tiers": (Tier(MS_PER_HOUR, 7_777_777_777),)},
}
CLOSER: tuple[dict[str, Any], ...] = (
    {"lease_class": LeaseClass.RESERVED, "term": LeaseTerm.DAY, "minimum_s": 3_600},
    {"lease_class": LeaseClass.RESERVED, "site": "site-1", "granularity_s": 7},
    {"lease_class": LeaseClass.INTERNAL, "site": "site-1", "tiers": (Tier(MS_PER_HOUR, 3),)},
)
"""What the card in dollars has beside plain rates: steps, tiers, a term, a site."""

SELLING_WINDOWS = tuple(
    parse_recurrence(f"daily {hour:02d}:00 to {hour:02d}:25 UTC") for hour in range(24)
)
"""Short and many, so that schedules meet their ends: the first 25 minutes of every hour."""

GUARANTEE = SlaTerms(
    SlaUnit.ACCELERATOR, 1_000_000, 0, 0, True, (),
    (CreditStep(1_000_000, 100_000), CreditStep(900_000, 500_000)), 400_000,
)  # fmt: skip
"""Whatever is not delivered to acme is credited."""

IN_WINDOWS = Conditions(selling_windows=SELLING_WINDOWS, residency="FR")

TENANTS = (
    ("ranking", TenantKind.TEAM, "list"),
    ("feeds", TenantKind.TEAM, "list"),
    ("acme", TenantKind.ENTERPRISE, "list"),
    ("borealis", TenantKind.ENTERPRISE, "euro"),
    ("uni", TenantKind.RESEARCHER, "list"),
)


class BookPlace:
    """A directory of this process with the template and the book of the present schedule."""

    def __init__(self) -> None:
        memory = Path("/dev/shm")
        base = memory if os.access(memory, os.W_OK) else None
        self._directory = Path(tempfile.mkdtemp(prefix=f"comptoir-sim-{os.getpid()}-", dir=base))
        self.template = self._directory / "template.db"
        self.book = self._directory / "book.db"
        engine = sqlite_engine(self.template, synchronous="OFF")
        create_tables(engine, "simulation")
        store = SqlStore(engine)
        _open_book(Desk(store, VirtualClock(START_MS - 86_400_000), SeededEntropy(0)))
        store.close()
        self.engine: Engine = sqlite_engine(self.book, synchronous="OFF")

    def fresh(self) -> Path:
        """A copy of the template, where `engine` will find it."""
        self.engine.dispose()
        self.discard()
        shutil.copyfile(self.template, self.book)
        return self.book

    def discard(self) -> None:
        """Drop the book of the last schedule."""
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.book}{suffix}").unlink(missing_ok=True)

    def rows(self) -> sqlite3.Connection:
        """A connection of the auditor's own to the book as it is on disk."""
        connection = sqlite3.connect(self.book)
        connection.row_factory = sqlite3.Row
        return connection

    def close(self) -> None:
        """Remove everything."""
        self.engine.dispose()
        shutil.rmtree(self._directory, ignore_errors=True)


@cache
def book_place() -> BookPlace:
    """This process's place."""
    place = BookPlace()
    atexit.register(place.close)
    return place


def _open_book(desk: Desk) -> None:
    desk.call("open_book", Opening())
    desk.call("create_rate_card", CreateRateCard("euro", "EUR"))
    desk.call("create_user", CreateUser("seller", (Role.SALES, Role.FINANCE)))
    desk.call("create_user", CreateUser("approver", (Role.APPROVER, Role.FINANCE)))
    cards = {card.name: card for card in desk.book.money.rate_cards}
    people = {user.name: user for user in desk.book.users}
    approver = people["approver"].id
    for card in cards.values():
        for kind, (price, measure) in PRICES.items():
            for lease_class in LeaseClass:
                more = LISTED.get(lease_class, {}) if card.currency == "USD" else {}
                _rate(
                    desk, ProposeRate(card.id, kind, lease_class, price, measure, **more), approver
                )
            for closer in CLOSER if card.currency == "USD" else ():
                rate = ProposeRate(card.id, kind, price_nanos=price // 2, measure=measure, **closer)
                _rate(desk, rate, approver)
    for slug, tenant_kind, card_name in TENANTS:
        tenant = desk.call(
            "create_tenant", CreateTenant(slug, slug.title(), tenant_kind, cards[card_name].id)
        )
        desk.call("create_user", CreateUser(slug, (Role.TENANT_ADMIN,), tenant.id))
    for name, kind, nodes, conditions in (
        ("cores", "cpu-core", _nodes("c", (4,), "sim"), OPEN),
        ("hours", "cpu-core", _nodes("h", (3,), "sim"), IN_WINDOWS),
        ("pods", "h100-sxm", _nodes("g", (4, 4), ""), Conditions(residency="FR")),
        ("amd", "mi300x", _nodes("m", (4, 4), "sim", gated=True), OPEN),
    ):
        partner, cost = ("partner", 1_111_111_111) if name == "amd" else ("owned", 0)
        supply = DeclareSupply(name, kind, nodes, partner, cost_nanos=cost, conditions=conditions)
        desk.call("declare_supply", supply)
    answers = (CheckResult("answers", CheckOutcome.PASSED, "it does"),)
    for node in [node for node in desk.book.nodes if node.gated]:
        desk.call("report_checks", ReportChecks(node.id, answers))
    for file in (_sold(), _bought()):
        made = desk.call("propose_contract", ProposeContract(file))
        ref = ContractVersionRef(made.contract.id, 1)
        desk.call("approve_contract", ref, replace(SYSTEM, user_id=people["approver"].id))
    acme = desk.book.tenant_by_slug.first("acme")
    for target, owner in (("https://house.example.org/", None), ("ada@acme.example.org", acme)):
        kind_of = SubscriptionKind.MAIL if "@" in target else SubscriptionKind.WEBHOOK
        owner_id = None if owner is None else owner.id
        request = CreateSubscription(kind_of, target, ("*",), "", owner_id, "simulated")
        desk.call("create_subscription", request)


def _sold() -> ContractFile:
    """What acme has agreed: a ramp of two phases, credit, and a tranche that is not delivered."""
    starts, ends = START_MS + 3_000, START_MS + 10**9
    prices = tuple(
        AgreedPrice(None, None, None, None, since, until, price, factor)
        for since, until, price, factor in (
            (starts, starts + 20_000, 1_234_567_891, None), (starts + 20_000, ends, None, 750_001),
        )
    )  # fmt: skip
    body = ContractBody(
        prices, (_commitment("a", starts, CommitmentType.PREPAID),),
        (Tranche("t", "cpu-core", 8, "", starts, 30, 60, 0),),
        recall=RecallClause(0, 1_500_000, 1), sla=GUARANTEE,
    )  # fmt: skip
    return ContractFile("acme-1", Direction.SOLD, "acme", "house", "USD", starts, ends, body, "")


def _bought() -> ContractFile:
    """What a partner supplies: little paid ahead, more owed after."""
    commitments = tuple(_commitment(type_, START_MS, type_) for type_ in CommitmentType)
    body = ContractBody((), commitments, inbound=("amd",))
    return ContractFile(
        "partner-1", Direction.BOUGHT, "partner", "house", "USD", START_MS, START_MS + 10**9, body,
        "",
    )  # fmt: skip


def _commitment(name: str, starts: int, type_: CommitmentType) -> Commitment:
    cuts = (starts, starts + 15_000, starts + 3_600_000)
    access = tuple(AccessStep(*window, 50_000) for window in pairwise(cuts))
    return Commitment(
        name, type_, CommitmentUnit.SPEND, access, (Instalment(starts + 5_000, 100_000),)
    )


def _nodes(
    prefix: str, sizes: tuple[int, ...], engine: str, *, gated: bool = False
) -> tuple[NewNode, ...]:
    return tuple(
        NewNode(f"{prefix}{n}", size, 8 << 30, engine, rack=f"{prefix}-rack-{n}", gated=gated)
        for n, size in enumerate(sizes)
    )


def _rate(desk: Desk, proposed: ProposeRate, approver: UserId) -> None:
    rate = desk.call("propose_rate", proposed)
    desk.call("approve_rate", RateRef(rate.id), replace(SYSTEM, user_id=approver))
