"""The store port over SQLAlchemy Core: load, commit fenced by the version, find.

One connection writes, and only the desk's thread uses it. A commit is one transaction:
the version moves from the expected one to the next, or nothing is written.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    and_,
)
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from comptoir.billing.accruals import Accrual
from comptoir.billing.invoice_status import InvoiceStatus
from comptoir.billing.receipts import Payment
from comptoir.desk.ports import Changes, CommitUnknown, Event, Loaded, StaleBook, StoredAnswer
from comptoir.leases.allocation import Allocation
from comptoir.leases.breaches import Breach
from comptoir.metering.usage import UsageEvent
from comptoir.sales.credit_blocks import CreditBlock
from comptoir.sales.drawdown import Drawdown
from comptoir.store import tables
from comptoir.store.mapping import from_row
from comptoir.store.room import Room
from comptoir.store.statements import (
    ACCRUALS,
    ANSWERS,
    BILLED,
    BILLED_NEXT,
    BOOK,
    BREACHES,
    CHARGED,
    DEGRADED,
    DELIVERED,
    DRAWDOWNS,
    GIVEN_BACK,
    HELD_ON,
    LAST_AT,
    LAST_SEQ,
    MOVE,
    PAYMENTS,
    PAYMENTS_ALIKE,
    PAYMENTS_TO_BOUNCE,
    STATUSES,
    STOOD,
    TOLD,
    TOLD_TO_TENANT,
    USAGE,
    USED_ACROSS,
    USED_BY,
    VOIDED,
    live_statements,
    prepared,
    select_rows,
)
from comptoir.store.tables import MAPPED
from comptoir.units.errors import Unavailable
from comptoir.units.ids import (
    AccrualId,
    ContractVersionId,
    InvoiceId,
    LeaseId,
    LegalEntityId,
    NodeId,
    TenantId,
)

_LOOKUP_CHUNK = 400
_ROWS_AT_ONCE = 1_000


class _DiskFull(Unavailable):
    """Nothing was written for want of room."""


class SqlStore:
    """A book in a SQL database. Use `open_store` to get one."""

    def __init__(self, engine: Engine, room: Room | None = None) -> None:
        self.engine = engine
        self._room = room
        self._writes = prepared(engine.dialect)
        self._kept: Connection | None = None

    def close(self) -> None:
        """Give the connections back."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        self.engine.dispose()

    def short_of_room(self) -> bool:
        """Whether the disk is so full that only what frees or finishes may be written."""
        return self._room is not None and self._room.short()

    # Reading

    def load(self) -> Loaded:
        """Live and future things; what has ended stays where it is."""
        with self._reading() as connection:
            version, counter = connection.execute(BOOK).one()
            rows = {
                name: [
                    from_row(MAPPED[name], row)
                    for part in connection.execute(statement).partitions(_ROWS_AT_ONCE)
                    for row in part
                ]
                for name, statement in live_statements().items()
            }
            last_seq = {
                name: connection.execute(statement).scalar() or 0
                for name, statement in LAST_SEQ.items()
            }
            last_at_ms = max(connection.execute(one).scalar() or 0 for one in LAST_AT)
        return Loaded(version, counter, rows, last_seq, last_at_ms)

    def find(self, table: str, key: tuple[Any, ...]) -> Any | None:
        """One row by its primary key; what no id could be is not looked for."""
        if not all(part.isprintable() for part in key if isinstance(part, str)):
            return None
        mapped = MAPPED[table]
        columns = mapped.table.primary_key.columns
        condition = and_(*(c == value for c, value in zip(columns, key, strict=True)))
        return self._one(table, condition)

    def find_allocation_of(self, lease_id: LeaseId) -> Allocation | None:
        """Any delivered allocation of a lease."""
        c = tables.allocation.c
        found = self._one(
            "allocation", and_(c.lease_id == lease_id, c.delivered_from_ms.is_not(None))
        )
        assert found is None or isinstance(found, Allocation)
        return found

    def find_answers(
        self, scoped_keys: Iterable[tuple[str, str]]
    ) -> Mapping[tuple[str, str], StoredAnswer]:
        """The stored answers among these (scope, key) pairs."""
        found: dict[tuple[str, str], StoredAnswer] = {}
        for chunk in _chunks(sorted(set(scoped_keys))):
            for answer in self._many("answer", ANSWERS, {"keys": chunk}):
                found[answer.scope, answer.key] = answer
        return found

    def find_usage(self, source: str, event_ids: Sequence[str]) -> Mapping[str, UsageEvent]:
        """The stored usage events of a source among these ids."""
        found: dict[str, UsageEvent] = {}
        for chunk in _chunks(sorted(set(event_ids))):
            for event in self._many("usage", USAGE, {"source": source, "ids": chunk}):
                found[event.event_id] = event
        return found

    def find_accruals(self, lease_id: LeaseId) -> Sequence[Accrual]:
        """All that a lease has been billed, invoiced or not."""
        return self._many("accrual", ACCRUALS, {"lease_id": lease_id})

    def find_billed(self, invoice_id: InvoiceId) -> Sequence[Accrual]:
        """The accruals that were put into an invoice or its draft."""
        return self._many("accrual", BILLED, {"invoice_id": invoice_id})

    def find_used(
        self, accrual_id: AccrualId, instant_ms: int
    ) -> tuple[int, Sequence[tuple[int, int, int]]]:
        """What an accrual's charges used by an instant; those that it lies within, each."""
        given = {"accrual_id": accrual_id, "instant_ms": instant_ms}
        with self._reading() as connection:
            whole = connection.execute(USED_BY, given).scalar_one()
            across = connection.execute(USED_ACROSS, given).all()
        return int(whole), [(start, end, amount) for start, end, amount in across]

    def find_billed_next(
        self,
        invoice_id: InvoiceId,
        stretch: tuple[int, int],
        after: tuple[int, int, str] | None,
        most: int,
    ) -> Sequence[Accrual]:
        """Of those that reach into a stretch of time, the next after a place in its order."""
        start, end, id_ = after or (-1, -1, "")
        given = {
            "invoice_id": invoice_id, "low": stretch[0], "high": stretch[1], "start": start,
            "end": end, "id": id_, "most": most,
        }  # fmt: skip
        return self._many("accrual", BILLED_NEXT, given)

    def find_breaches(self, tenant_id: TenantId, from_ms: int, until_ms: int) -> Sequence[Breach]:
        """A tenant's closed breaches that reach into a time."""
        given = {"tenant_id": tenant_id, "from_ms": from_ms, "until_ms": until_ms}
        return self._many("breach", BREACHES, given)

    def find_delivered(self, tenant_id: TenantId, from_ms: int, until_ms: int) -> int:
        """Accelerator-milliseconds of a tenant's guaranteed leases, of allocations that are
        settled: the others are in memory."""
        return self._sum(DELIVERED, tenant_id=tenant_id, from_ms=from_ms, until_ms=until_ms)

    def find_charged(
        self,
        tenant_id: TenantId,
        versions: Sequence[ContractVersionId],
        from_ms: int,
        until_ms: int,
    ) -> int:
        """Micros of a tenant's guaranteed leases under versions of a contract, invoiced or in a
        draft: the others are in memory."""
        window = {"from_ms": from_ms, "until_ms": until_ms}
        return self._sum(CHARGED, tenant_id=tenant_id, versions=versions, **window)

    def find_voided(self, lease_id: LeaseId) -> Sequence[tuple[int, int]]:
        """When delivered time of a lease was billed by invoices that are void: (from, until)."""
        with self._reading() as connection:
            rows = connection.execute(VOIDED, {"lease_id": lease_id}).all()
        return [(since, until) for since, until in rows]

    def find_given_back(self, tenant_id: TenantId) -> Sequence[CreditBlock]:
        """What a tenant was ever given for broken time."""
        return self._many("credit_block", GIVEN_BACK, {"tenant_id": tenant_id})

    def find_degraded(self, until_ms: int) -> Sequence[tuple[NodeId, int, int | None]]:
        """When nodes were degraded, from before an instant on: (node, from, until)."""
        with self._reading() as connection:
            rows = connection.execute(DEGRADED, {"until_ms": until_ms}).all()
        return [(NodeId(node), since, until) for node, since, until in rows]

    def find_held_on(
        self, tenant_id: TenantId, nodes: Sequence[NodeId], from_ms: int, until_ms: int
    ) -> Sequence[Allocation]:
        """What a tenant was delivered on nodes in a window, as far as it is fenced."""
        given = {"tenant_id": tenant_id, "nodes": nodes, "from_ms": from_ms, "until_ms": until_ms}
        return self._many("allocation", HELD_ON, given)

    def find_allocations(self, lease_id: LeaseId) -> Sequence[Allocation]:
        """All that was ever handed over of a lease."""
        return self._many("allocation", STOOD, {"lease_id": lease_id})

    def find_statuses(self, numbers: Sequence[str]) -> Sequence[InvoiceStatus]:
        """What became of the invoices with one of these numbers."""
        wanted = [number for number in numbers if number.isprintable()][:_LOOKUP_CHUNK]
        return self._many("invoice_status", STATUSES, {"numbers": wanted}) if wanted else []

    def find_payments(
        self, entity_id: LegalEntityId, entry_ids: Sequence[str]
    ) -> Sequence[Payment]:
        """The payments of these entries of bank statements that an entity has booked."""
        found: list[Payment] = []
        for chunk in _chunks(sorted(set(entry_ids))):
            found += self._many("payment", PAYMENTS, {"entity_id": entity_id, "entries": chunk})
        return found

    def find_payments_alike(
        self, entity_id: LegalEntityId, facts: Sequence[tuple[int, int]]
    ) -> Sequence[Payment]:
        """An entity's payments of one of these (micros, value date) pairs."""
        found: list[Payment] = []
        for chunk in _chunks(sorted(set(facts))):
            given = {"entity_id": entity_id, "facts": chunk}
            found += self._many("payment", PAYMENTS_ALIKE, given)
        return found

    def find_payments_to_bounce(
        self,
        entity_id: LegalEntityId,
        micros: int,
        end_to_end: str,
        tenant_ids: Sequence[TenantId],
    ) -> Sequence[Payment]:
        """What came in of this amount, under this reference or of these tenants, newest first."""
        given = {
            "entity_id": entity_id,
            "micros": micros,
            "end_to_end": end_to_end or None,
            "tenants": list(tenant_ids),
            "most": _LOOKUP_CHUNK,
        }
        return self._many("payment", PAYMENTS_TO_BOUNCE, given)

    def find_drawdowns(self, invoice_id: InvoiceId) -> Sequence[Drawdown]:
        """What an invoice drew of credit, and what of it was given back, oldest first."""
        return self._many("drawdown", DRAWDOWNS, {"invoice_id": invoice_id})

    def find_told(
        self, types: Sequence[str], tenant_id: str | None, after: int, most: int
    ) -> Sequence[Event]:
        """Events of these types after a number, oldest first."""
        given = {"types": types, "tenant_id": tenant_id, "after": after, "most": most}
        if tenant_id is None:
            del given["tenant_id"]
        return self._many("event", TOLD if tenant_id is None else TOLD_TO_TENANT, given)

    def _one(self, table: str, condition: Any) -> Any | None:
        mapped = MAPPED[table]
        with self._reading() as connection:
            row = connection.execute(select_rows(table).where(condition).limit(1)).first()
        return None if row is None else from_row(mapped, row)

    def _sum(self, statement: Any, **given: Any) -> int:
        with self._reading() as connection:
            return int(connection.execute(statement, given).scalar() or 0)

    def _many(self, table: str, statement: Any, given: Mapping[str, Any]) -> list[Any]:
        mapped = MAPPED[table]
        with self._reading() as connection:
            rows = connection.execute(statement, given).all()
        return [from_row(mapped, row) for row in rows]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """A connection to read on; one that breaks is an answer, not a bug."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except (OperationalError, InterfaceError) as error:
            raise Unavailable(
                "store_unavailable", f"the book cannot be read: {error.orig}", "try again", None, 2
            ) from error

    # Writing

    def commit(self, changes: Changes) -> None:
        """Write everything or nothing; see the port. A full disk gets the reserve, once."""
        try:
            self._commit_once(changes)
        except _DiskFull:
            if self._room is None or not self._room.ran_out():
                raise
            self._commit_once(changes)
        if self._room is not None:
            self._room.after_commit()

    def _commit_once(self, changes: Changes) -> None:
        committing = False
        try:
            connection = self._connection()
            with connection.begin() as transaction:
                moved = connection.execute(
                    MOVE,
                    {
                        "expected": changes.expected_version,
                        "version": changes.expected_version + 1,
                        "counter": changes.counter,
                    },
                )
                if moved.rowcount != 1:
                    raise StaleBook(f"the book is not at version {changes.expected_version}")
                self._write(connection, changes)
                committing = True
                transaction.commit()
        except DBAPIError as error:
            self._drop_connection()
            self._translate(error, committing)

    def _write(self, connection: Connection, changes: Changes) -> None:
        for name, values in (*changes.rows.items(), *changes.appended.items()):
            self._writes[name].write(connection, values)
        entries = changes.appended.get("entry", ())
        if entries:
            legs = [(e.seq, leg, p) for e in entries for leg, p in enumerate(e.postings)]
            self._writes["posting"].write(connection, legs)
        if changes.answers:
            self._writes["answer"].write(connection, changes.answers)

    def forget_answers(self, before_ms: int) -> int:
        """Drop answers past their keeping time."""
        return self._forget(tables.answer.delete().where(tables.answer.c.created_at_ms < before_ms))

    def forget_deliveries(self, before_ms: int) -> int:
        """Drop deliveries past their keeping time."""
        return self._forget(tables.delivery.delete().where(tables.delivery.c.at_ms < before_ms))

    def _forget(self, statement: Any) -> int:
        try:
            connection = self._connection()
            with connection.begin():
                return int(connection.execute(statement).rowcount)
        except DBAPIError as error:
            self._drop_connection()
            self._translate(error, committing=False)
            raise

    def _translate(self, error: DBAPIError, committing: bool) -> None:
        text = str(error.orig)
        sqlstate = getattr(error.orig, "sqlstate", None)
        if "disk is full" in text or sqlstate == "53100" or "No space left" in text:
            raise _DiskFull(
                "disk_full",
                "the disk of the book is full: nothing was written",
                "free some space; work that ends or frees is still taken",
                retry_after_s=30,
            ) from error
        if committing:
            raise CommitUnknown(text) from error
        if error.connection_invalidated or isinstance(error, OperationalError | InterfaceError):
            raise Unavailable(
                "store_unavailable", f"the book cannot be written: {text}", "try again", None, 2
            ) from error
        raise error

    def _connection(self) -> Connection:
        """The one connection that writes, made when it is needed."""
        if self._kept is None:
            self._kept = self.engine.connect()
        return self._kept

    def _drop_connection(self) -> None:
        """Forget a connection that failed; the next write makes another, if it can."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.invalidate()
            kept.close()
        self.engine.dispose()


def _chunks(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    for start in range(0, len(items), _LOOKUP_CHUNK):
        yield items[start : start + _LOOKUP_CHUNK]
