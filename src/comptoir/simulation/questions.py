"""What the desk asks its store, for stores that stand before the real one.

A simulated store has its own way to commit; every question goes to the real one, once what was
committed is in it. A new question of the port is added here, for all of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from comptoir.billing.accruals import Accrual
from comptoir.billing.invoice_status import InvoiceStatus
from comptoir.billing.receipts import Payment
from comptoir.desk.ports import Event, StoredAnswer
from comptoir.leases.allocation import Allocation
from comptoir.leases.breaches import Breach
from comptoir.metering.usage import UsageEvent
from comptoir.sales.credit_blocks import CreditBlock
from comptoir.sales.drawdown import Drawdown
from comptoir.store.sql_store import SqlStore
from comptoir.units.ids import (
    AccrualId,
    ContractVersionId,
    InvoiceId,
    LeaseId,
    LegalEntityId,
    NodeId,
    TenantId,
)


class Questions(ABC):
    """The reading half of the port; see `desk/ports.py` for what each answers."""

    @abstractmethod
    def written(self) -> SqlStore:
        """The real store, with all of the book in it."""

    def find(self, table: str, key: tuple[Any, ...]) -> Any | None:
        """As the real one."""
        return self.written().find(table, key)

    def find_answers(
        self, scoped_keys: Iterable[tuple[str, str]]
    ) -> Mapping[tuple[str, str], StoredAnswer]:
        """As the real one."""
        return self.written().find_answers(scoped_keys)

    def find_usage(self, source: str, event_ids: Sequence[str]) -> Mapping[str, UsageEvent]:
        """As the real one."""
        return self.written().find_usage(source, event_ids)

    def find_allocation_of(self, lease_id: LeaseId) -> Allocation | None:
        """As the real one."""
        return self.written().find_allocation_of(lease_id)

    def find_accruals(self, lease_id: LeaseId) -> Sequence[Accrual]:
        """As the real one."""
        return self.written().find_accruals(lease_id)

    def find_billed(self, invoice_id: InvoiceId) -> Sequence[Accrual]:
        """As the real one."""
        return self.written().find_billed(invoice_id)

    def find_used(
        self, accrual_id: AccrualId, instant_ms: int
    ) -> tuple[int, Sequence[tuple[int, int, int]]]:
        """As the real one."""
        return self.written().find_used(accrual_id, instant_ms)

    def find_billed_next(
        self,
        invoice_id: InvoiceId,
        stretch: tuple[int, int],
        after: tuple[int, int, str] | None,
        most: int,
    ) -> Sequence[Accrual]:
        """As the real one."""
        return self.written().find_billed_next(invoice_id, stretch, after, most)

    def find_breaches(self, tenant_id: TenantId, from_ms: int, until_ms: int) -> Sequence[Breach]:
        """As the real one."""
        return self.written().find_breaches(tenant_id, from_ms, until_ms)

    def find_delivered(self, tenant_id: TenantId, from_ms: int, until_ms: int) -> int:
        """As the real one."""
        return self.written().find_delivered(tenant_id, from_ms, until_ms)

    def find_charged(
        self,
        tenant_id: TenantId,
        versions: Sequence[ContractVersionId],
        from_ms: int,
        until_ms: int,
    ) -> int:
        """As the real one."""
        return self.written().find_charged(tenant_id, versions, from_ms, until_ms)

    def find_voided(self, lease_id: LeaseId) -> Sequence[tuple[int, int]]:
        """As the real one."""
        return self.written().find_voided(lease_id)

    def find_given_back(self, tenant_id: TenantId) -> Sequence[CreditBlock]:
        """As the real one."""
        return self.written().find_given_back(tenant_id)

    def find_degraded(self, until_ms: int) -> Sequence[tuple[NodeId, int, int | None]]:
        """As the real one."""
        return self.written().find_degraded(until_ms)

    def find_held_on(
        self, tenant_id: TenantId, nodes: Sequence[NodeId], from_ms: int, until_ms: int
    ) -> Sequence[Allocation]:
        """As the real one."""
        return self.written().find_held_on(tenant_id, nodes, from_ms, until_ms)

    def find_allocations(self, lease_id: LeaseId) -> Sequence[Allocation]:
        """As the real one."""
        return self.written().find_allocations(lease_id)

    def find_statuses(self, numbers: Sequence[str]) -> Sequence[InvoiceStatus]:
        """As the real one."""
        return self.written().find_statuses(numbers)

    def find_payments(
        self, entity_id: LegalEntityId, entry_ids: Sequence[str]
    ) -> Sequence[Payment]:
        """As the real one."""
        return self.written().find_payments(entity_id, entry_ids)

    def find_payments_alike(
        self, entity_id: LegalEntityId, facts: Sequence[tuple[int, int]]
    ) -> Sequence[Payment]:
        """As the real one."""
        return self.written().find_payments_alike(entity_id, facts)

    def find_payments_to_bounce(
        self,
        entity_id: LegalEntityId,
        micros: int,
        end_to_end: str,
        tenant_ids: Sequence[TenantId],
    ) -> Sequence[Payment]:
        """As the real one."""
        return self.written().find_payments_to_bounce(entity_id, micros, end_to_end, tenant_ids)

    def find_drawdowns(self, invoice_id: InvoiceId) -> Sequence[Drawdown]:
        """As the real one."""
        return self.written().find_drawdowns(invoice_id)

    def find_told(
        self, types: Sequence[str], tenant_id: str | None, after: int, most: int
    ) -> Sequence[Event]:
        """As the real one."""
        return self.written().find_told(types, tenant_id, after, most)
