"""Ports: what the desk needs from outside, and who may stand in for it.

The engine's port is long and has a file of its own, `engine_port.py`; so has the port that
carries notices away, `notice_port.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from comptoir.billing.accruals import Accrual
from comptoir.billing.invoice_status import InvoiceStatus
from comptoir.billing.receipts import Payment
from comptoir.desk.engine_port import Engine as Engine
from comptoir.fleet.checks import CheckResult
from comptoir.fleet.nodes import Node
from comptoir.leases.allocation import Allocation
from comptoir.leases.breaches import Breach
from comptoir.metering.usage import UsageEvent
from comptoir.sales.credit_blocks import CreditBlock
from comptoir.sales.drawdown import Drawdown
from comptoir.units.ids import (
    AccrualId,
    ContractVersionId,
    InvoiceId,
    LeaseId,
    LegalEntityId,
    NodeId,
    TenantId,
)
from comptoir.units.values import quick


class Clock(Protocol):
    """The one clock."""

    def now_ms(self) -> int:
        """Milliseconds UTC."""
        ...


class Checker(Protocol):
    """Who can tell whether nodes of an engine are fit to be sold."""

    @property
    def name(self) -> str:
        """The engine whose nodes it checks."""
        ...

    def check(self, node: Node) -> Sequence[CheckResult]:
        """Check a node in quarantine, thoroughly; it may take minutes.

        Returns:
            Every check with its evidence, at least one; a check that could not run has failed.

        Raises:
            Unavailable: it cannot be said now; ask again.
        """
        ...


class Entropy(Protocol):
    """The one source of secrets."""

    def token_bytes(self, count: int) -> bytes:
        """Unpredictable bytes (in simulation: seeded)."""
        ...


@quick
@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What was answered to an idempotency key, to be said again word for word."""

    scope: str
    key: str
    request_sha256: str
    status: int
    body: bytes
    created_at_ms: int


@quick
@dataclass(frozen=True, slots=True)
class Event:
    """One line of the numbered event table: the feed, the webhooks and the audit."""

    seq: int
    at_ms: int
    type: str
    actor: str
    key_id: str | None
    tenant_id: str | None
    subject: str
    data: Mapping[str, Any]


@dataclass(slots=True)
class Changes:
    """One commit: rows to put, rows to append, and the version it rests on.

    `rows` and `appended` map a table's name to domain values; the store knows how each
    is written. `counter` is the book's id counter after this commit.
    """

    expected_version: int
    counter: int
    rows: dict[str, list[Any]] = field(default_factory=dict)
    appended: dict[str, list[Any]] = field(default_factory=dict)
    answers: list[StoredAnswer] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The live part of the book, as the store holds it at `version`.

    `last_seq` is the highest number of each append-only table, `last_at_ms` the instant
    of the last event, usage or entry: the desk's time never lies before it.
    """

    version: int
    counter: int
    rows: Mapping[str, Sequence[Any]]
    last_seq: Mapping[str, int]
    last_at_ms: int = 0


class StaleBook(Exception):
    """Somebody else has committed: this desk must stop writing and reload."""


class CommitUnknown(Exception):
    """The commit may or may not have happened: reload and compare versions."""


class Store(Protocol):
    """Where the book is kept. One desk at a time writes, fenced by the version."""

    def close(self) -> None:
        """Give back what it holds open."""
        ...

    def load(self) -> Loaded:
        """Live and future things only."""
        ...

    def commit(self, changes: Changes) -> None:
        """All or nothing.

        Raises:
            StaleBook: the version is not the expected one; nothing was written.
            Unavailable: `disk_full` or `store_unavailable`; nothing was written.
            CommitUnknown: the connection broke while committing.
        """
        ...

    def find(self, table: str, key: tuple[Any, ...]) -> Any | None:
        """One committed row by its primary key, live or long ended."""
        ...

    def find_answers(
        self, scoped_keys: Iterable[tuple[str, str]]
    ) -> Mapping[tuple[str, str], StoredAnswer]:
        """The stored answers among these (scope, key) pairs."""
        ...

    def find_usage(self, source: str, event_ids: Sequence[str]) -> Mapping[str, UsageEvent]:
        """The stored usage events of a source among these ids."""
        ...

    def find_allocation_of(self, lease_id: LeaseId) -> Allocation | None:
        """Any committed allocation of a lease that was delivered."""
        ...

    def find_accruals(self, lease_id: LeaseId) -> Sequence[Accrual]:
        """All that a lease has been billed, invoiced or not."""
        ...

    def find_billed(self, invoice_id: InvoiceId) -> Sequence[Accrual]:
        """The accruals that were put into an invoice or its draft."""
        ...

    def find_used(
        self, accrual_id: AccrualId, instant_ms: int
    ) -> tuple[int, Sequence[tuple[int, int, int]]]:
        """What an accrual's charges used by an instant.

        Returns:
            Accelerator-milliseconds of those that end by it; (start, end, accelerator-ms) of
            each that it lies within.
        """
        ...

    def find_billed_next(
        self,
        invoice_id: InvoiceId,
        stretch: tuple[int, int],
        after: tuple[int, int, str] | None,
        most: int,
    ) -> Sequence[Accrual]:
        """Of those that reach into a stretch of time, the next `most` after (start, end, id).

        Start and end are of the part of an accrual that lies in the stretch.
        """
        ...

    def find_breaches(self, tenant_id: TenantId, from_ms: int, until_ms: int) -> Sequence[Breach]:
        """A tenant's closed breaches that reach into [`from_ms`, `until_ms`)."""
        ...

    def find_delivered(self, tenant_id: TenantId, from_ms: int, until_ms: int) -> int:
        """Accelerator-milliseconds of a tenant's guaranteed leases in a window, of allocations
        that are committed and settled."""
        ...

    def find_charged(
        self,
        tenant_id: TenantId,
        versions: Sequence[ContractVersionId],
        from_ms: int,
        until_ms: int,
    ) -> int:
        """Micros of what a tenant's guaranteed leases were charged under versions of a contract
        for use in a window, of accruals that are committed and billed, and not void since."""
        ...

    def find_voided(self, lease_id: LeaseId) -> Sequence[tuple[int, int]]:
        """When delivered time of a lease was billed by invoices that are void: (from, until)."""
        ...

    def find_given_back(self, tenant_id: TenantId) -> Sequence[CreditBlock]:
        """What a tenant was ever given for broken time, as it is committed."""
        ...

    def find_degraded(self, until_ms: int) -> Sequence[tuple[NodeId, int, int | None]]:
        """When nodes were degraded by their committed checks, from before an instant on: (node,
        from, until the same check came out otherwise)."""
        ...

    def find_held_on(
        self, tenant_id: TenantId, nodes: Sequence[NodeId], from_ms: int, until_ms: int
    ) -> Sequence[Allocation]:
        """What a tenant was delivered on nodes in a window, of what is committed and fenced."""
        ...

    def find_allocations(self, lease_id: LeaseId) -> Sequence[Allocation]:
        """All committed allocations of a lease that were handed over."""
        ...

    def find_statuses(self, numbers: Sequence[str]) -> Sequence[InvoiceStatus]:
        """What became of the committed invoices with one of these numbers."""
        ...

    def find_payments(
        self, entity_id: LegalEntityId, entry_ids: Sequence[str]
    ) -> Sequence[Payment]:
        """The committed payments of these entries of bank statements of an entity."""
        ...

    def find_payments_alike(
        self, entity_id: LegalEntityId, facts: Sequence[tuple[int, int]]
    ) -> Sequence[Payment]:
        """An entity's committed payments of one of these (micros, value date) pairs."""
        ...

    def find_payments_to_bounce(
        self,
        entity_id: LegalEntityId,
        micros: int,
        end_to_end: str,
        tenant_ids: Sequence[TenantId],
    ) -> Sequence[Payment]:
        """Committed receipts of this amount, under this reference or of these tenants, newest
        first, a bounded number."""
        ...

    def find_drawdowns(self, invoice_id: InvoiceId) -> Sequence[Drawdown]:
        """What an invoice drew of credit, and what of it was given back, oldest first."""
        ...

    def find_told(
        self, types: Sequence[str], tenant_id: str | None, after: int, most: int
    ) -> Sequence[Event]:
        """Committed events of these types with a number over `after`, oldest first.

        `tenant_id` None means everybody's. Safe to call from any thread.
        """
        ...

    def short_of_room(self) -> bool:
        """Whether only what ends or frees something may be written now."""
        ...

    def forget_answers(self, before_ms: int) -> int:
        """Drop answers older than their keeping time; returns how many."""
        ...

    def forget_deliveries(self, before_ms: int) -> int:
        """Drop tries to send older than their keeping time; returns how many."""
        ...
