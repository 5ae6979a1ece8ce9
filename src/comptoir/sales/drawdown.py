"""Drawdown: which usage uses up which credit.

Usage draws in the order of its own time, whenever it was reported, so that late or repeated
reports give the same totals; among the blocks whose window holds it, by priority, then earliest
expiry, then oldest. Invariants: no block is drawn below zero; a block is drawn only by usage
that lies wholly in its window (it is cut at the window's edges when it is priced), so credit
that is granted later never pays for what was used before. Dues and draws are without tax; a
block that was paid on account is drawn only so far that it can pay the tax on them, too. What a
commitment's step has left at its end rolls over before later usage draws, whatever is closed when.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from comptoir.leases.lease import LeaseClass
from comptoir.sales.credit_blocks import (
    CreditBlock,
    expire,
    order_of_drawing,
    rolled_over,
    use,
)
from comptoir.units.errors import invariant
from comptoir.units.ids import CreditBlockId, InvoiceId, TenantId


@dataclass(frozen=True, slots=True)
class Due:
    """Money owed for usage over [`starts_at_ms`, `ends_at_ms`): a charge, or a sum of charges.

    `subject` is what the drawdown is recorded against: the id of an accrual, or a charge's
    number. Only usage of which all lies in a block's window can draw it: whoever sums up
    charges keeps apart what lies on two sides of an edge.
    """

    subject: str
    tenant_id: TenantId
    currency: str
    kind: str
    lease_class: LeaseClass
    site: str
    starts_at_ms: int
    ends_at_ms: int
    micros: int


@dataclass(frozen=True, slots=True)
class Draw:
    """So many micros of a block used up by one due."""

    block_id: CreditBlockId
    due: Due
    micros: int


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A draw as it is kept, for good; `micros` is negative where credit was given back."""

    seq: int
    block_id: CreditBlockId
    tenant_id: TenantId
    subject: str
    currency: str
    micros: int
    from_ms: int
    until_ms: int
    booked_at_ms: int
    invoice_id: InvoiceId | None


Roll = Callable[[CreditBlock], CreditBlock | None]
"""Makes the block in which part of a step that has ended lives on; None: nothing does."""


def draw(
    blocks: Iterable[CreditBlock],
    dues: Iterable[Due],
    tax_ppm: int = 0,
    so_far: Mapping[CreditBlockId, int] | None = None,
    roll: Roll | None = None,
) -> tuple[list[CreditBlock], list[Draw]]:
    """Let usage draw on credit.

    Args:
        blocks: Open blocks of one tenant, in any order.
        dues: What that tenant owes for usage, in any order; what is not above zero draws nothing.
        tax_ppm: The tax that its usage bears.
        so_far: Micros that usage of the same invoice drew of each block before; the tax on that
            is still to be paid from what is left.
        roll: Asked of each step that rolls over, before usage draws that begins at its end or
            later.

    Returns:
        The blocks that changed or came, as they are afterwards, and the draws in the order in
        which they were made. What no draw covers is owed in money.

    Raises:
        InvariantBroken: a due of another tenant than the blocks'.
    """
    after = {block.id: block for block in blocks}
    before = dict(after)
    order = [block.id for block in sorted(after.values(), key=order_of_drawing)]
    ending = [block for block in before.values() if roll and block.rolls_until_ms is not None]
    ending.sort(key=lambda block: block.until_ms or 0)
    drawn = so_far or {}
    room = {
        id_: use(block, -drawn.get(id_, 0)).pays_net_micros(tax_ppm) - drawn.get(id_, 0)
        for id_, block in after.items()
    }
    draws: list[Draw] = []
    for due in sorted(dues, key=_by_time):
        while roll is not None and ending and (ending[0].until_ms or 0) <= due.starts_at_ms:
            _end_step(ending.pop(0).id, roll, after, room)
            order = [block.id for block in sorted(after.values(), key=order_of_drawing)]
        owed = due.micros
        for block_id in order:
            if owed <= 0:
                break
            block = after[block_id]
            micros = min(owed, room[block_id])
            if micros <= 0 or not _pays(block, due):
                continue
            after[block_id] = use(block, micros)
            room[block_id] -= micros
            draws.append(Draw(block_id, due, micros))
            owed -= micros
    return [block for id_, block in after.items() if block != before.get(id_)], draws


def as_its_step(step: CreditBlock) -> CreditBlock | None:
    """What of a step lives on, under the step's own id: for who asks what would be drawn."""
    return rolled_over(step.id, step, step.created_at_ms)


def _end_step(
    step_id: CreditBlockId,
    roll: Roll,
    after: dict[CreditBlockId, CreditBlock],
    room: dict[CreditBlockId, int],
) -> None:
    """Let a step that is over roll over; what of it does not is left to who closes the period."""
    step = after[step_id]
    made = roll(step)
    if made is None:
        return
    after[step_id] = expire(step, step.left_micros - made.granted_micros)
    room[step_id] = 0
    after[made.id] = made
    room[made.id] = made.granted_micros


def give_back(
    blocks: Iterable[CreditBlock], recorded: Sequence[Drawdown], micros: int
) -> tuple[list[CreditBlock], list[tuple[Drawdown, int]]]:
    """Return credit that was drawn for something that is now reversed.

    It follows what was recorded, newest first, and computes nothing anew: a correction undoes
    what was done, not what would be done today. What has expired meanwhile is owed in money.

    Args:
        blocks: The blocks that may be given back to, as they are.
        recorded: The drawdowns of what is reversed, oldest first, earlier returns among them.
        micros: How much of it is reversed.

    Returns:
        The blocks that changed, and by how much each recorded drawdown is given back.
    """
    after = {block.id: block for block in blocks}
    returned: dict[CreditBlockId, int] = {}
    for drawdown in recorded:
        if drawdown.micros < 0:
            returned[drawdown.block_id] = returned.get(drawdown.block_id, 0) - drawdown.micros
    back: list[tuple[Drawdown, int]] = []
    for drawdown in reversed(recorded):
        block = after.get(drawdown.block_id)
        if drawdown.micros <= 0 or block is None:
            continue
        gone = min(drawdown.micros, returned.get(drawdown.block_id, 0))
        returned[drawdown.block_id] = returned.get(drawdown.block_id, 0) - gone
        share = min(micros, drawdown.micros - gone)
        if share > 0:
            after[block.id] = use(block, -share)
            back.append((drawdown, share))
            micros -= share
    changed = {drawdown.block_id for drawdown, _ in back}
    return [after[block_id] for block_id in sorted(changed)], back


def record(draws: Sequence[Draw], first_seq: int, booked_at_ms: int) -> list[Drawdown]:
    """The rows that keep some draws, numbered from `first_seq` on."""
    return [
        Drawdown(
            first_seq + at,
            one.block_id,
            one.due.tenant_id,
            one.due.subject,
            one.due.currency,
            one.micros,
            one.due.starts_at_ms,
            one.due.ends_at_ms,
            booked_at_ms,
            None,
        )
        for at, one in enumerate(draws)
    ]


def edges(blocks: Iterable[CreditBlock], from_ms: int, until_ms: int) -> list[int]:
    """The instants inside (`from_ms`, `until_ms`) at which a block's window opens or closes.

    Usage is cut there when it is priced, so that every piece lies wholly in a window or out
    of it.
    """
    found = {at for block in blocks for at in block.edges}
    return sorted(at for at in found if from_ms < at < until_ms)


def _pays(block: CreditBlock, due: Due) -> bool:
    invariant(
        block.tenant_id == due.tenant_id,
        f"{due.subject} of {due.tenant_id} meets a credit block of {block.tenant_id}",
    )
    return (
        block.currency == due.currency
        and block.contains(due.starts_at_ms, due.ends_at_ms)
        and block.covers.holds(due.kind, due.lease_class, due.site)
    )


def _by_time(due: Due) -> tuple[int, int, str]:
    return due.starts_at_ms, due.ends_at_ms, due.subject
