"""Drawing credit: what of a draft's usage is paid by what the tenant has in credit blocks.

Usage draws by its own time, each line of the draft as one due, cut where a block begins or ends:
so credit that was granted later never pays for earlier use. A line of the draft shows each block;
together they are rounded so that a draft is never asked below zero, and asks nothing when all
of it is covered.
"""

from dataclasses import dataclass

from comptoir.billing.drafts import InvoiceDraft, a_line
from comptoir.billing.invoices import InvoiceLine, LineType
from comptoir.desk.transaction import Transaction
from comptoir.ledger import entries as ledger
from comptoir.sales.credit_blocks import CreditBlock, CreditSource, expire, expired_at
from comptoir.sales.drawdown import Draw, Due, draw, record
from comptoir.tenants.parties import Tenant
from comptoir.units.ids import CreditBlockId
from comptoir.units.money import NUMERATOR_PER_MICRO, floor_micros, round_to_minor_micros
from comptoir.units.values import replace


@dataclass(frozen=True, slots=True)
class CreditLine:
    """A line that shows what was drawn of a block, and the exact micros of it."""

    line: InvoiceLine
    drawn_micros: int


def draw_credit(tx: Transaction, draft: InvoiceDraft, effective_at_ms: int) -> list[CreditLine]:
    """Let a draft's usage draw; the blocks, the drawdowns and the entry are written."""
    blocks = {
        block.id: block
        for block in tx.book.contracts.credit_of.get(draft.tenant_id)
        if block.currency == draft.currency
    }
    if not blocks:
        return []
    after, draws = draw(blocks.values(), _dues(tx, draft, list(blocks.values())))
    for block in after:
        tx.book.contracts.credit_blocks.put(block)
    first = tx.book.last_seq.get("drawdown", 0) + 1
    for kept in record(draws, first, tx.now_ms):
        tx.book.next_seq("drawdown")
        tx.append("drawdown", replace(kept, invoice_id=draft.id))
    drawn: dict[CreditBlockId, int] = {}
    for one in draws:
        drawn[one.block_id] = drawn.get(one.block_id, 0) + one.micros
    postings: tuple[ledger.Posting, ...] = ()
    for block_id, micros in drawn.items():
        postings += ledger.transfer(
            source_of(blocks[block_id]), ledger.unbilled(draft.tenant_id),
            ledger.currency(draft.currency), micros,
        )  # fmt: skip
    tx.post(
        f"drawdown:{draft.id}", "drawdown", f"credit drawn by {draft.id}", effective_at_ms, postings
    )
    return _lines(draft, blocks, drawn, draws)


def source_of(block: CreditBlock) -> ledger.Account:
    """Where drawn credit comes from: what was prepaid, what is given away, what is owed."""
    if block.source is CreditSource.GRANT:
        return ledger.GRANTS
    if block.source is CreditSource.SLA_CREDIT:
        return ledger.SLA_CREDIT
    return ledger.deferred_revenue(block.tenant_id)


def _dues(tx: Transaction, draft: InvoiceDraft, blocks: list[CreditBlock]) -> list[Due]:
    dues = []
    for line in draft.lines:
        if line.lease_class is None or line.numerator <= 0:
            continue
        rate = tx.book.money.rates.get(line.rate_id)
        site = getattr(rate, "site", "")
        dues.append(
            Due(
                f"{draft.id}:{line.number}", draft.tenant_id, draft.currency, line.kind,
                line.lease_class, site, line.starts_at_ms, line.ends_at_ms,
                floor_micros(line.numerator),
            )
        )  # fmt: skip
    return dues


def _lines(
    draft: InvoiceDraft,
    blocks: dict[CreditBlockId, CreditBlock],
    drawn: dict[CreditBlockId, int],
    draws: list[Draw],
) -> list[CreditLine]:
    """A line a block, rounded along the running sum: at most what usage asks."""
    usage = max(draft.net_micros, 0)
    owed = sum(floor_micros(max(line.numerator, 0)) for line in draft.lines)
    summed = shown = 0
    found = []
    for block_id, micros in drawn.items():
        summed += micros
        exact = round_to_minor_micros(summed * NUMERATOR_PER_MICRO, draft.currency)
        target = usage if summed == owed else min(exact, usage)
        dues = [one.due for one in draws if one.block_id == block_id]
        window = min(due.starts_at_ms for due in dues), max(due.ends_at_ms for due in dues)
        line = a_line(LineType.DRAWDOWN, _words(blocks[block_id]), shown - target, window, block_id)
        found.append(CreditLine(line, micros))
        shown = target
    return found


def _words(block: CreditBlock) -> str:
    return {
        CreditSource.COMMITMENT: "drawn from prepaid commitment",
        CreditSource.GRANT: "drawn from grant",
        CreditSource.TOP_UP: "drawn from top-up",
        CreditSource.ROLLOVER: "drawn from rolled-over credit",
        CreditSource.SLA_CREDIT: "drawn from SLA credit",
    }[block.source]


def expire_credit(tx: Transaction, tenant: Tenant, at_ms: int, effective_at_ms: int) -> None:
    """What is left of blocks whose window is over is gone: paid and never used, it is income."""
    for block, left in expired_at(tx.book.contracts.credit_of.get(tenant.id), at_ms):
        tx.book.contracts.credit_blocks.put(expire(block))
        postings: tuple[ledger.Posting, ...] = ()
        source = source_of(block)
        if source == ledger.deferred_revenue(tenant.id):
            unit = ledger.currency(block.currency)
            postings = ledger.transfer(source, ledger.BREAKAGE, unit, left)
        tx.post(
            f"breakage:{block.id}:{at_ms}", "breakage",
            f"{block.id} of {tenant.slug} expired", effective_at_ms, postings,
        )  # fmt: skip
        tx.emit(
            "credit.expired", block.id, tenant.id, amount_micros=str(left), currency=block.currency,
            source=block.source,
        )  # fmt: skip
