"""What an operation works with: the book, the instant, the actor, and a way to write."""

from typing import Any, TypeVar

from comptoir.desk.entities import closed_until_ms
from comptoir.desk.memory import Memory
from comptoir.desk.money_memory import Balance
from comptoir.desk.ports import Entropy, Event, Store
from comptoir.desk.tables import Table
from comptoir.leases.jobs import Job
from comptoir.leases.lease import Lease
from comptoir.ledger.entries import Entry, Posting, check_entry
from comptoir.tenants.parties import Actor, Tenant
from comptoir.tenants.permissions import not_found, require_tenant
from comptoir.units.errors import Invalid, invariant
from comptoir.units.ids import JobId, LeaseId, TenantId, encode_id
from comptoir.units.money import LEDGER_LIMIT

K = TypeVar("K")
V = TypeVar("V")


class Transaction:
    """One operation's view of the book at one instant, for one actor."""

    def __init__(
        self,
        memory: Memory,
        store: Store,
        entropy: Entropy,
        actor: Actor,
        now_ms: int,
        checkers: frozenset[str] = frozenset(),
    ) -> None:
        self.book = memory
        self.store = store
        self.entropy = entropy
        self.actor = actor
        self.now_ms = now_ms
        self.checkers = checkers
        """The engines whose nodes can be checked here."""

    def new_id(self, prefix: str) -> str:
        """An id that this book has never given."""
        self.book.counter += 1
        return encode_id(prefix, self.book.counter)

    def emit(self, type: str, subject: str, tenant_id: TenantId | None, **data: Any) -> None:
        """Append to the event table: who did what to what, and the numbers."""
        self._emit(type, subject, tenant_id, data)

    def _emit(
        self, type: str, subject: str, tenant_id: TenantId | None, data: dict[str, Any]
    ) -> None:
        self.book.journal.append(
            "event",
            Event(
                self.book.next_seq("event"),
                self.now_ms,
                type,
                self.actor.user_id,
                self.actor.key_id,
                tenant_id,
                subject,
                data,
            ),
        )

    def emit_lease(self, type: str, lease: Lease, **data: Any) -> None:
        """Append an event of a lease, with the words by which its holder knows it."""
        words = {
            "kind": lease.kind,
            "accelerators": lease.accelerators,
            "lease_class": lease.lease_class,
            "name": lease.name,
            **data,
        }
        self._emit(type, lease.id, lease.tenant_id, words)

    def append(self, table: str, value: Any) -> None:
        """Append a row to an append-only table."""
        self.book.journal.append(table, value)

    def post(
        self,
        key: str,
        kind: str,
        description: str,
        effective_at_ms: int,
        postings: tuple[Posting, ...],
    ) -> None:
        """Write a balanced entry and move the balances; nothing to write, no entry.

        What belongs to a time that is closed counts from the first instant that is open.
        """
        if not postings:
            return
        if effective_at_ms < self.book.closing.latest_end_ms:
            effective_at_ms = max(effective_at_ms, closed_until_ms(self.book, postings))
        entry = check_entry(
            Entry(
                self.book.next_seq("entry"),
                key,
                kind,
                description,
                effective_at_ms,
                self.now_ms,
                postings,
            )
        )
        self.append("entry", entry)
        for posting in postings:
            held = self.book.money.balances.get((posting.account, posting.unit))
            amount = (held.amount if held else 0) + posting.amount
            invariant(abs(amount) <= LEDGER_LIMIT, f"{posting.account} leaves the ledger's range")
            self.book.money.balances.put(Balance(posting.account, posting.unit, amount))

    def find(self, table: Table[K, V], key: K) -> V | None:
        """A row of one key: as it is in memory, or, long ended, as the store keeps it."""
        live = table.get(key)
        if live is not None:
            return live
        kept: V | None = self.store.find(table.name, (key,))
        return kept

    def tenant(self, named: str) -> Tenant:
        """A tenant that the actor may know of, by its id or slug.

        Raises:
            NotFound: there is none, or it is another.
        """
        tenant = self.book.tenants.get(TenantId(named)) or self.book.tenant_by_slug.first(named)
        what = f"tenant {named}"
        if tenant is None:
            raise not_found(what)
        require_tenant(self.actor, tenant.id, what)
        return tenant

    def acting_tenant(self, tenant_id: TenantId | None) -> Tenant:
        """For whom the actor acts: its own tenant, or the one a house actor names."""
        chosen = tenant_id or self.actor.tenant_id
        if chosen is None:
            raise Invalid(
                "tenant_missing",
                "a house user acts for a tenant and must name it",
                "give the tenant's id or slug",
            )
        return self.tenant(chosen)

    def lease(self, lease_id: LeaseId) -> Lease:
        """A lease that the actor may know of, live or ended.

        Raises:
            NotFound: there is none, or it is another tenant's.
        """
        what = f"lease {lease_id}"
        lease = self.book.leases.get(lease_id) or self.store.find("lease", (lease_id,))
        if lease is None:
            raise not_found(what)
        require_tenant(self.actor, lease.tenant_id, what)
        assert isinstance(lease, Lease)
        return lease

    def job(self, job_id: JobId) -> Job:
        """A job that the actor may know of, live or finished.

        Raises:
            NotFound: there is none, or it is another tenant's.
        """
        what = f"job {job_id}"
        job = self.book.jobs.get(job_id) or self.store.find("job", (job_id,))
        if job is None:
            raise not_found(what)
        require_tenant(self.actor, job.tenant_id, what)
        assert isinstance(job, Job)
        return job
