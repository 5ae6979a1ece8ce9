"""Drawing credit: what of a draft's usage is paid by what the tenant has in credit blocks.

Usage draws by its own time, each accrual of the draft as one due; they are cut where a block
begins or ends, so credit that was granted later never pays for earlier use. A line of the draft
shows each block; together they are rounded so that a draft is never asked below zero, and asks
nothing when all of it is covered.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from functools import partial

from comptoir.billing.drafts import Drawing, DrawnHere, InvoiceDraft, a_line, add_line
from comptoir.billing.invoices import InvoiceLine, LineType, tax_on
from comptoir.desk.dues import cut_open, dues_in, next_dues
from comptoir.desk.transaction import Transaction
from comptoir.ledger import entries as ledger
from comptoir.sales.credit_blocks import (
    CreditBlock,
    CreditSource,
    expire,
    expired_at,
    reopen,
    rolled_over,
    use,
)
from comptoir.sales.drawdown import Draw, Drawdown, draw, edges, record
from comptoir.tenants.parties import Tenant
from comptoir.units.ids import CreditBlockId
from comptoir.units.money import MINOR_DIGITS, NUMERATOR_PER_MICRO, round_to_minor_micros
from comptoir.units.time import LATEST_MS
from comptoir.units.values import replace

OF_TAX = "tax"
"""The subject of a drawdown that pays the tax on what others paid."""
USED = (LineType.USAGE, LineType.TOP_UP)
"""Lines that credit pays for: a true-up or a fee is no use."""


def draw_credit(
    tx: Transaction,
    draft: InvoiceDraft,
    effective_at_ms: int,
    tax_ppm: int,
    most: int | None = None,
) -> InvoiceDraft:
    """Let a draft's usage draw; the blocks, the drawdowns and the entry are written.

    Args:
        tx: The commit.
        draft: With all of its usage.
        effective_at_ms: When it counts.
        tax_ppm: What its usage is taxed with.
        most: So many dues at most; all of its accruals are committed. None: all of them.

    Returns:
        The draft as it is put: it says how far its usage has drawn.
    """
    lapsed = _lapsed(tx, draft)
    blocks = lapsed | {
        block.id: block
        for block in tx.book.contracts.credit_of.get(draft.tenant_id)
        if block.currency == draft.currency
    }
    at = draft.drawing or Drawing(
        draft.unbilled_micros, tuple(edges(blocks.values(), 0, LATEST_MS))
    )
    if not blocks or at.done:
        return tx.book.closing.drafts.put(replace(draft, drawing=replace(at, done=True)))
    if most is None:
        dues, place = dues_in(tx, draft.id, at.edges), None
    else:
        dues, place = next_dues(tx, draft.id, at.edges, at.after, most)
    so_far = {one.block_id: one.micros for one in at.drawn}
    roll = partial(_roll, tx, lapsed)
    after, draws = draw(blocks.values(), dues, tax_ppm, so_far, roll)
    for block in after:
        over = expire(block, block.left_micros) if block.id in lapsed else block
        tx.book.contracts.credit_blocks.put(over)
    _record(tx, draft, draws, effective_at_ms, {one.id: one for one in after} | blocks, lapsed)
    for block in after:
        before = blocks.get(block.id)
        if before and block.expired_micros > before.expired_micros:  # it rolled over on the way
            gone = block.lapsed_micros - before.lapsed_micros
            _book_expiry(tx, block, gone, block.until_ms or 0, effective_at_ms)
    drawn = _tally(at.drawn, draws)
    drawing = Drawing(at.owed_micros, at.edges, place, drawn, place is None)
    return tx.book.closing.drafts.put(replace(draft, drawing=drawing))


def _record(
    tx: Transaction,
    draft: InvoiceDraft,
    draws: Sequence[Draw],
    effective_at_ms: int,
    blocks: Mapping[CreditBlockId, CreditBlock],
    lapsed: Container[CreditBlockId],
) -> None:
    """Keep draws as rows, and post what they come to of each block."""
    first = tx.book.last_seq.get("drawdown", 0) + 1
    for kept in record(draws, first, tx.now_ms):
        tx.book.next_seq("drawdown")
        tx.append("drawdown", replace(kept, invoice_id=draft.id))
    postings: tuple[ledger.Posting, ...] = ()
    for one in _tally((), draws):
        source = source_of(blocks[one.block_id])
        postings += ledger.transfer(
            ledger.BREAKAGE if one.block_id in lapsed else source,
            ledger.unbilled(draft.tenant_id),
            ledger.currency(draft.currency),
            one.micros,
        )
    tx.post(
        f"drawdown:{draft.id}:{first}", "drawdown", f"credit drawn by {draft.id}",
        effective_at_ms, postings,
    )  # fmt: skip


def _tally(before: Iterable[DrawnHere], draws: Iterable[Draw]) -> tuple[DrawnHere, ...]:
    """What was drawn of each block, in the order in which they were first drawn."""
    found = {one.block_id: one for one in before}
    for one in draws:
        start, end = one.due.starts_at_ms, one.due.ends_at_ms
        known = found.get(one.block_id) or DrawnHere(one.block_id, 0, start, end)
        found[one.block_id] = DrawnHere(
            one.block_id,
            known.micros + one.micros,
            min(known.starts_at_ms, start),
            max(known.ends_at_ms, end),
        )
    return tuple(found.values())


def _lapsed(tx: Transaction, draft: InvoiceDraft) -> dict[CreditBlockId, CreditBlock]:
    """Credit that was prepaid and has lapsed: usage of its window that comes late draws it still.

    What lapsed is income since then, so it is taken from `breakage`: nobody pays twice for usage
    because it was reported late.
    """
    if not any(line.correction for line in draft.lines):
        return {}
    return {
        block.id: reopen(block)
        for block in tx.book.contracts.lapsed_of.get(draft.tenant_id)
        if block.currency == draft.currency
    }


def draw_tax(
    tx: Transaction, draft: InvoiceDraft, effective_at_ms: int, tax_ppm: int
) -> InvoiceDraft:
    """Let the tax on usage that was paid on account be paid from there, too.

    `draw_credit` has left room for it. Less than a minor unit that would be left goes with it.
    """
    if not tax_ppm or not any(line.type is LineType.ON_ACCOUNT for line in draft.lines):
        return draft
    step = int(10 ** (6 - MINOR_DIGITS[draft.currency]))
    lines, net, taxed, drawn = list(draft.lines), 0, 0, 0
    for at, line in enumerate(lines):
        if line.type is not LineType.ON_ACCOUNT:
            continue
        block = _block(tx, CreditBlockId(line.reference))
        net -= line.amount_micros
        wanted, left = tax_on(net, tax_ppm, draft.currency) - taxed, block.left_micros
        shown = wanted if wanted - left < step else left - left % step
        micros = left if left - wanted < step else wanted
        lines[at] = replace(line, amount_micros=line.amount_micros - shown)
        taxed, drawn = taxed + shown, drawn + micros
        tx.book.contracts.credit_blocks.put(use(block, micros))
        tx.append("drawdown", _of_tax(tx, draft, line, block, micros))
    unit, deferred = ledger.currency(draft.currency), ledger.deferred_revenue(draft.tenant_id)
    tx.post(
        f"drawdown_tax:{draft.id}", "drawdown", f"tax paid on account by {draft.id}",
        effective_at_ms, ledger.transfer(deferred, ledger.unbilled(draft.tenant_id), unit, drawn),
    )  # fmt: skip
    return replace(draft, lines=tuple(lines), unbilled_micros=draft.unbilled_micros - drawn)


def _of_tax(
    tx: Transaction, draft: InvoiceDraft, line: InvoiceLine, block: CreditBlock, micros: int
) -> Drawdown:
    return Drawdown(
        tx.book.next_seq("drawdown"), block.id, draft.tenant_id, OF_TAX, draft.currency, micros,
        line.starts_at_ms, line.ends_at_ms, tx.now_ms, draft.id,
    )  # fmt: skip


def source_of(block: CreditBlock) -> ledger.Account:
    """Where drawn credit comes from: what was prepaid, what is given away, what is owed."""
    if block.source is CreditSource.GRANT:
        return ledger.GRANTS
    if block.source is CreditSource.SLA_CREDIT:
        return ledger.SLA_CREDIT
    return ledger.deferred_revenue(block.tenant_id)


def show_credit(tx: Transaction, draft: InvoiceDraft) -> InvoiceDraft:
    """The draft with a line a block, rounded along the running sum: at most what usage asks."""
    usage = max(sum(line.amount_micros for line in draft.lines if line.type in USED), 0)
    drawing, summed, shown = draft.drawing, 0, 0
    for one in drawing.drawn if drawing else ():
        assert drawing is not None
        summed += one.micros
        exact = round_to_minor_micros(summed * NUMERATOR_PER_MICRO, draft.currency)
        target = usage if summed == drawing.owed_micros else min(exact, usage)
        block = _block(tx, one.block_id)
        type_ = LineType.ON_ACCOUNT if block.taxed_when_used else LineType.DRAWDOWN
        window = one.starts_at_ms, one.ends_at_ms
        line = a_line(type_, _words(block), shown - target, window, one.block_id)
        draft = add_line(draft, line)
        shown = target
    return replace(draft, unbilled_micros=draft.unbilled_micros - summed)


def _block(tx: Transaction, block_id: CreditBlockId) -> CreditBlock:
    """A block of which a draft drew: one that is spent since an earlier slice is in the store."""
    found = tx.find(tx.book.contracts.credit_blocks, block_id)
    assert found is not None
    return found


def _words(block: CreditBlock) -> str:
    return {
        CreditSource.COMMITMENT: "drawn from prepaid commitment",
        CreditSource.GRANT: "drawn from grant",
        CreditSource.TOP_UP: "paid from top-up",
        CreditSource.ROLLOVER: "drawn from rolled-over credit",
        CreditSource.SLA_CREDIT: "drawn from SLA credit",
    }[block.source]


def expire_credit(tx: Transaction, tenant: Tenant, at_ms: int, effective_at_ms: int) -> None:
    """What is left of blocks whose window is over is gone: paid and never used, it is income.

    What rolls over may be over by then, too.
    """
    while over := expired_at(tx.book.contracts.credit_of.get(tenant.id), at_ms):
        for block, left in over:
            made = _roll(tx, (), block)
            if made is not None:
                tx.book.contracts.credit_blocks.put(made)
                cut_open(tx, tenant.id)
            gone = left - (made.granted_micros if made else 0)
            paid = source_of(block) == ledger.deferred_revenue(tenant.id)
            tx.book.contracts.credit_blocks.put(expire(block, gone if paid else 0))
            _book_expiry(tx, block, gone, at_ms, effective_at_ms)


def _book_expiry(
    tx: Transaction, block: CreditBlock, gone: int, at_ms: int, effective_at_ms: int
) -> None:
    """So much of a block that is over is gone; where it was paid for, it is income."""
    if not gone:
        return
    source = source_of(block)
    if source == ledger.deferred_revenue(block.tenant_id):
        tx.post(
            f"breakage:{block.id}:{at_ms}", "breakage",
            f"{block.id} of {tx.book.tenants[block.tenant_id].slug} expired", effective_at_ms,
            ledger.transfer(source, ledger.BREAKAGE, ledger.currency(block.currency), gone),
        )  # fmt: skip
    tx.emit(
        "credit.expired", block.id, block.tenant_id, amount_micros=str(gone),
        currency=block.currency, source=block.source,
    )  # fmt: skip


def _roll(
    tx: Transaction, lapsed: Container[CreditBlockId], block: CreditBlock
) -> CreditBlock | None:
    """What of a step that is over lives on in a new block; what has lapsed has rolled over."""
    if block.rolls_until_ms is None or block.id in lapsed:
        return None
    return rolled_over(CreditBlockId(tx.new_id("cb")), block, tx.now_ms)
