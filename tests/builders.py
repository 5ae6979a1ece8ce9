"""Builders: a book that reads like a sketch. Real desk, real SQLite, a clock that is told."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from comptoir.billing.drafts import InvoiceDraft
from comptoir.desk.desk import Desk
from comptoir.desk.engine_port import AttemptSight, Observation
from comptoir.desk.operations import OPERATIONS
from comptoir.desk.requests import (
    CreateTenant,
    CreateUser,
    DeclareSupply,
    IssueKey,
    NewNode,
    Observed,
    Opening,
    ProposeRate,
    RateRef,
    RequestLease,
    SubmitJob,
    Turn,
)
from comptoir.leases.jobs import Attempt, Job
from comptoir.leases.lease import Lease, LeaseClass, Shape
from comptoir.metering.usage import Measure
from comptoir.notices.mailing import MailSettings
from comptoir.notices.posting import Outside
from comptoir.notices.secrets import SigningKey
from comptoir.notices.sender import NoticeSender
from comptoir.store.opening import create_tables, sqlite_engine
from comptoir.store.sql_store import SqlStore
from comptoir.store.views import Views
from comptoir.store.views.tenant_book import preview
from comptoir.tenants.parties import SYSTEM, Actor, Role, Tenant, TenantKind, TenantState
from comptoir.tenants.permissions import Permission
from comptoir.units.ids import RateCardId, TenantId

START_MS = 1_790_000_000_000
HOUR_MS = 3_600_000


def a_tenant(name: str, kind: TenantKind = TenantKind.ENTERPRISE, **more: object) -> Tenant:
    """A tenant that no desk knows."""
    state, card = TenantState.ACTIVE, RateCardId("rc")
    return Tenant(TenantId(name), name, name, kind, state, card, 0, **more)  # type: ignore[arg-type]


@dataclass
class ToldClock:
    """A clock that stands until it is told."""

    instant_ms: int = START_MS

    def now_ms(self) -> int:
        return self.instant_ms


@dataclass
class SeededEntropy:
    """Secrets that repeat from run to run."""

    stream: random.Random = field(default_factory=lambda: random.Random(7))

    def token_bytes(self, count: int) -> bytes:
        return self.stream.randbytes(count)


def a_sender(mail: MailSettings | None = None) -> NoticeSender:
    """A sender that also reaches receivers of a test's own, on loopback."""
    return NoticeSender(SigningKey(b"k" * 32), Outside(loopback=True), mail)


class Book:
    """A desk with people to act, prices, and what tests say most often."""

    def __init__(self, directory: Path) -> None:
        engine = sqlite_engine(directory / "book.db", synchronous="OFF")
        create_tables(engine, "test")
        self.store = SqlStore(engine)
        self.clock = ToldClock()
        self.desk = Desk(self.store, self.clock, SeededEntropy())
        issued = self.desk.call("open_book", Opening())
        self.operator = self.desk.authenticate(issued.secret)
        self.finance = self.user(Role.FINANCE, Role.APPROVER)
        self.card = next(iter(self.desk.book.money.rate_cards)).id

    def user(self, *roles: Role, tenant: Tenant | None = None) -> Actor:
        """A new user, acting with a key of its own."""
        tenant_id = tenant.id if tenant else None
        user = self.desk.call("create_user", CreateUser("someone", roles, tenant_id), self.operator)
        issued = self.desk.call("issue_key", IssueKey(user.id), self.operator)
        return self.desk.authenticate(issued.secret)

    def price(
        self,
        lease_class: LeaseClass,
        price_nanos: int,
        kind: str = "cpu-core",
        measure: Measure = Measure.DELIVERED,
        effective_from_ms: int | None = None,
    ) -> None:
        """An approved rate."""
        rate = self.desk.call(
            "propose_rate",
            ProposeRate(self.card, kind, lease_class, price_nanos, measure, effective_from_ms),
            self.operator,
        )
        self.desk.call("approve_rate", RateRef(rate.id), self.finance)

    def price_all(self, kind: str = "cpu-core", price_nanos: int = 36_000_000_000) -> None:
        """The same price for every class."""
        for lease_class in LeaseClass:
            self.price(lease_class, price_nanos, kind)

    def supply(
        self, *accelerators: int, kind: str = "cpu-core", engine: str = "local", **more: object
    ) -> None:
        """An inbound lease with one node for each number of accelerators."""
        known = len(self.desk.book.nodes)
        nodes = tuple(
            NewNode(f"node-{known + n}", count, 1 << 30, engine)
            for n, count in enumerate(accelerators)
        )
        self.desk.call("declare_supply", DeclareSupply("owned", kind, nodes, **more), self.operator)

    def tenant(self, slug: str, kind: TenantKind = TenantKind.ENTERPRISE) -> Tenant:
        """A tenant."""
        return self.desk.call("create_tenant", CreateTenant(slug, slug, kind), self.operator)

    def preview(self, tenant: Tenant) -> tuple[InvoiceDraft, ...]:
        """What the tenant's current invoice would ask now."""
        return preview(Views(self.store.engine), tenant.id, self.clock.now_ms())

    def lease(
        self,
        tenant: Tenant,
        lease_class: LeaseClass,
        accelerators: int,
        kind: str = "cpu-core",
        shape: Shape = Shape.SITE,
        **more: object,
    ) -> Lease:
        """A request; the lease as it then stands."""
        request = RequestLease(
            kind,
            accelerators,
            lease_class,
            shape,
            tenant_id=tenant.id,
            **more,  # type: ignore[arg-type]
        )
        return self.desk.call("request_lease", request, self.operator)

    def job(self, lease: Lease, release_lease: bool = False) -> Job:
        """A job on a lease."""
        request = SubmitJob(lease.id, ("true",), release_lease=release_lease)
        return self.desk.call("submit_job", request, self.operator)

    def who(self, operation: str) -> Actor:
        """Who calls an operation in a test: the desk itself what only an approval does."""
        of_the_desk = OPERATIONS[operation].permission is Permission.SYSTEM
        return SYSTEM if of_the_desk else self.finance

    def pass_s(self, seconds: float) -> None:
        """Let time pass, and turn the book to it."""
        self.clock.instant_ms += round(seconds * 1_000)
        self.turn()

    def turn(self) -> None:
        """Turn the book until nothing is left over."""
        while self.desk.call("turn", Turn()):
            pass

    def attempt(self, lease: Lease) -> Attempt:
        """The live attempt on a lease."""
        found = self.desk.book.live_attempts.first(lease.id)
        assert found is not None
        return found

    def see(
        self, attempt: Attempt, sight: AttemptSight, exit_code: int | None = None, busy_ms: int = 0
    ) -> None:
        """An engine reports an attempt, now, and the book turns."""
        now = self.clock.instant_ms
        started = attempt.started_at_ms or now
        ended = None if sight is AttemptSight.RUNNING else now
        seen = Observation(attempt.id, sight, started, ended, exit_code, busy_ms)
        self.desk.call("observe", Observed("local", (seen,)))
        self.turn()

    def now(self, lease: Lease) -> Lease:
        """A lease as it stands now, live or ended."""
        found = self.desk.book.leases.get(lease.id) or self.store.find("lease", (lease.id,))
        assert isinstance(found, Lease)
        return found
