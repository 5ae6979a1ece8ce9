"""What became of an invoice: what was paid, credited and disputed of it, and what is still open.

    finalised -> paid | void

Paid is an invoice of which nothing is open any more, void one that was credited whole; what had
been paid of it is the customer's credit. A refund or a bounced payment opens a paid one again.
Invariant: what is paid and credited is never more than was asked; what is paid beyond is the
customer's credit.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from comptoir.billing.invoices import Invoice, InvoiceKind
from comptoir.units.errors import invariant
from comptoir.units.ids import InvoiceId, LegalEntityId, TenantId


class InvoiceState(StrEnum):
    """How far an invoice is; a draft has no status yet."""

    FINALISED = "finalised"
    PAID = "paid"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class InvoiceStatus:
    """An invoice's account. `credited_by_line` has micros by the number of the line, minus one.

    `rate_nanos` is what one unit of its currency was worth in its entity's when it was issued
    (0: it is the same, or no rate was known); `revalued_micros` is what closes have posted since
    because that changed, in the entity's currency, of what is still open; `realised_micros` what
    payments have posted of what is paid (`exchange`).
    """

    invoice_id: InvoiceId
    number: str
    entity_id: LegalEntityId
    tenant_id: TenantId
    kind: InvoiceKind
    currency: str
    state: InvoiceState
    issued_at_ms: int
    due_at_ms: int
    total_micros: int
    paid_micros: int = 0
    credited_micros: int = 0
    disputed_micros: int = 0
    credited_by_line: tuple[int, ...] = ()
    rate_nanos: int = 0
    revalued_micros: int = 0
    realised_micros: int = 0

    @property
    def open_micros(self) -> int:
        """What is still asked. A team is asked for nothing: it is charged back in the act."""
        if self.kind is InvoiceKind.CHARGEBACK:
            return 0
        return self.total_micros - self.paid_micros - self.credited_micros

    @property
    def settled(self) -> bool:
        """Whether nothing more is expected of it."""
        return self.state is not InvoiceState.FINALISED and not self.revalued_micros


def opened(invoice: Invoice, rate_nanos: int) -> InvoiceStatus:
    """The status of an invoice that was just issued."""
    status = InvoiceStatus(
        invoice.id, invoice.number, invoice.entity_id, invoice.tenant_id, invoice.kind,
        invoice.currency, InvoiceState.FINALISED, invoice.issued_at_ms, invoice.due_at_ms,
        invoice.total_micros, credited_by_line=(0,) * len(invoice.lines), rate_nanos=rate_nanos,
    )  # fmt: skip
    return _stated(status)


def paid(status: InvoiceStatus, micros: int) -> InvoiceStatus:
    """With so much more of it paid; less, where a payment was taken back."""
    return _stated(replace(status, paid_micros=status.paid_micros + micros))


def credited(
    status: InvoiceStatus, micros: int, by_line: tuple[int, ...], given_back: int
) -> InvoiceStatus:
    """With a credit note of `micros`, of which `given_back` had been paid and is credit now."""
    return _stated(
        replace(
            status,
            credited_micros=status.credited_micros + micros,
            paid_micros=status.paid_micros - given_back,
            credited_by_line=by_line,
        )
    )


def voided(status: InvoiceStatus) -> InvoiceStatus:
    """Whose every line is credited: it is void, also where it had asked nothing."""
    invariant(status.open_micros == 0, f"{status.number} is void and asks {status.open_micros}")
    return replace(status, state=InvoiceState.VOID)


def disputed(status: InvoiceStatus, micros: int) -> InvoiceStatus:
    """With so much more of it disputed; less, where a dispute was settled."""
    return _stated(replace(status, disputed_micros=status.disputed_micros + micros))


def _stated(status: InvoiceStatus) -> InvoiceStatus:
    invariant(
        status.paid_micros >= 0 and status.credited_micros >= 0 and status.disputed_micros >= 0,
        f"{status.number}: {status.paid_micros} paid, {status.credited_micros} credited, "
        f"{status.disputed_micros} disputed",
    )
    invariant(
        status.paid_micros + status.credited_micros <= status.total_micros,
        f"{status.number} asked {status.total_micros}; {status.paid_micros} are paid and "
        f"{status.credited_micros} credited",
    )
    whole = status.total_micros and status.credited_micros == status.total_micros
    if whole or status.state is InvoiceState.VOID:
        state = InvoiceState.VOID
    elif status.open_micros == 0:
        state = InvoiceState.PAID
    else:
        state = InvoiceState.FINALISED
    return replace(status, state=state)
