"""Credit blocks: money a tenant may use up instead of paying an invoice, within a window.

A prepaid commitment, a grant, a top-up, rolled-over credit and an SLA credit are all blocks.
Invariants: 0 <= drawn, 0 <= expired, drawn + expired <= granted; a block that is over has
nothing left. What is drawn is decided in `drawdown.py`; who posts it is the period's close.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from comptoir.leases.lease import LeaseClass
from comptoir.units.errors import invariant
from comptoir.units.ids import (
    CommitmentId,
    ContractId,
    CreditBlockId,
    TenantId,
    id_number,
)
from comptoir.units.time import MS_PER_S
from comptoir.units.values import replace

PPM = 1_000_000
DEFAULT_PRIORITY = 100


class CreditSource(StrEnum):
    """Where credit came from."""

    COMMITMENT = "commitment"
    GRANT = "grant"
    TOP_UP = "top_up"
    ROLLOVER = "rollover"
    SLA_CREDIT = "sla_credit"


class BlockState(StrEnum):
    """Open until nothing is left of it; the close says how that came about."""

    OPEN = "open"
    SPENT = "spent"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    """A newer version of its contract took it back before anything was drawn of it."""


@dataclass(frozen=True, slots=True)
class Covers:
    """Which usage something is for; an empty list of kinds, classes or sites is all of them."""

    kinds: tuple[str, ...] = ()
    lease_classes: tuple[LeaseClass, ...] = ()
    sites: tuple[str, ...] = ()

    def holds(self, kind: str, lease_class: LeaseClass, site: str) -> bool:
        """Whether usage of a kind, in a class, at a site is covered."""
        return (
            (not self.kinds or kind in self.kinds)
            and (not self.lease_classes or lease_class in self.lease_classes)
            and (not self.sites or site in self.sites)
        )


EVERYTHING = Covers()


@dataclass(frozen=True, slots=True)
class CreditBlock:
    """Credit of one tenant in one currency, for usage that lies in [`from_ms`, `until_ms`).

    A lower `priority` is drawn first. `conditions` are words that a person agreed to, for
    example of a researcher's grant; what the desk can hold itself is in `covers`. `lapsed_micros`
    is what of the expired was prepaid and became income: late usage of its window draws it still.
    `rollover_ppm` of what is left of a commitment's step at its end lives on for `rollover_s`.
    """

    id: CreditBlockId
    tenant_id: TenantId
    contract_id: ContractId | None
    commitment_id: CommitmentId | None
    source: CreditSource
    currency: str
    granted_micros: int
    drawn_micros: int
    expired_micros: int
    from_ms: int
    until_ms: int | None
    priority: int
    covers: Covers
    conditions: tuple[str, ...]
    state: BlockState
    created_at_ms: int
    lapsed_micros: int = 0
    rollover_ppm: int = 0
    rollover_s: int = 0

    @property
    def rolls_until_ms(self) -> int | None:
        """Until when a part of what is left at its end lives on; None: nothing does."""
        rolls = self.rollover_ppm and self.source is CreditSource.COMMITMENT
        if not rolls or self.until_ms is None:
            return None
        return self.until_ms + self.rollover_s * MS_PER_S

    @property
    def edges(self) -> tuple[int, ...]:
        """The instants at which it begins or ends, or what of it rolls over does."""
        ends = (self.until_ms, self.rolls_until_ms)
        return (self.from_ms, *(at for at in ends if at is not None))

    @property
    def left_micros(self) -> int:
        """What may still be drawn of it."""
        return self.granted_micros - self.drawn_micros - self.expired_micros

    @property
    def taxed_when_used(self) -> bool:
        """Whether it was paid on account, without a tax invoice: it pays usage with its tax.

        What was prepaid by an invoice was taxed then, and what is given away is no payment.
        """
        return self.source is CreditSource.TOP_UP

    def pays_net_micros(self, tax_ppm: int) -> int:
        """How much usage without tax what is left of it can pay, where usage bears a tax."""
        if not self.taxed_when_used:
            return self.left_micros
        return self.left_micros * PPM // (PPM + tax_ppm)

    def contains(self, starts_at_ms: int, ends_at_ms: int) -> bool:
        """Whether usage over [`starts_at_ms`, `ends_at_ms`) lies wholly in its window."""
        return self.from_ms <= starts_at_ms and (
            self.until_ms is None or ends_at_ms <= self.until_ms
        )


def check_block(block: CreditBlock) -> CreditBlock:
    """The block itself if its sums are sound.

    Raises:
        InvariantBroken: it grants nothing, is drawn below zero, or is over with something left.
    """
    name = f"credit block {block.id}"
    invariant(block.granted_micros > 0, f"{name} grants {block.granted_micros} micros")
    invariant(
        block.drawn_micros >= 0
        and 0 <= block.lapsed_micros <= block.expired_micros
        and block.left_micros >= 0,
        f"{name}: {block.drawn_micros} drawn and {block.expired_micros} expired of "
        f"{block.granted_micros} micros, {block.lapsed_micros} lapsed",
    )
    invariant(
        block.until_ms is None or block.until_ms > block.from_ms,
        f"{name} ends at {block.until_ms}, not after its start {block.from_ms}",
    )
    invariant(
        (block.state is BlockState.OPEN) == (block.left_micros > 0),
        f"{name} is {block.state} with {block.left_micros} micros left",
    )
    return block


def order_of_drawing(block: CreditBlock) -> tuple[int, bool, int, int, int]:
    """Which of several blocks is drawn first: priority, then earliest expiry, then oldest."""
    return (
        block.priority,
        block.until_ms is None,
        block.until_ms or 0,
        block.created_at_ms,
        id_number(block.id),
    )


def use(block: CreditBlock, micros: int) -> CreditBlock:
    """The block after `micros` more are drawn of it (fewer, where it is negative)."""
    drawn = block.drawn_micros + micros
    left = block.granted_micros - drawn - block.expired_micros
    state = BlockState.OPEN if left > 0 else BlockState.SPENT
    if block.expired_micros and left == 0:
        state = BlockState.EXPIRED
    return check_block(replace(block, drawn_micros=drawn, state=state))


def expire(block: CreditBlock, lapsed_micros: int = 0) -> CreditBlock:
    """The block with what is left of it gone; so much of that became income."""
    if not block.left_micros:
        return block
    return check_block(
        replace(
            block,
            expired_micros=block.expired_micros + block.left_micros,
            lapsed_micros=block.lapsed_micros + lapsed_micros,
            state=BlockState.EXPIRED,
        )
    )


def rolled_over(block_id: CreditBlockId, block: CreditBlock, now_ms: int) -> CreditBlock | None:
    """The new block in which part of a step that has ended lives on, or None.

    What it grants stays in `deferred_revenue`; only the rest of the old block is `breakage`.
    Credit that was rolled over once does not roll over again.

    Args:
        block_id: For the new block.
        block: The step, not yet `expire`d.
        now_ms: When it is written.
    """
    micros, until_ms = block.left_micros * block.rollover_ppm // PPM, block.rolls_until_ms
    if not micros or until_ms is None or block.until_ms is None:
        return None
    return replace(
        block,
        id=block_id,
        source=CreditSource.ROLLOVER,
        granted_micros=micros,
        drawn_micros=0,
        expired_micros=0,
        lapsed_micros=0,
        from_ms=block.until_ms,
        until_ms=until_ms,
        created_at_ms=now_ms,
        rollover_ppm=0,
        rollover_s=0,
    )


def reopen(block: CreditBlock) -> CreditBlock:
    """A block that has lapsed as usage of its window finds it that is reported late."""
    return check_block(
        replace(
            block,
            expired_micros=block.expired_micros - block.lapsed_micros,
            lapsed_micros=0,
            state=BlockState.OPEN,
        )
    )


def take(block: CreditBlock, micros: int) -> CreditBlock:
    """The block with so much of what is left of it taken back: it was not paid for after all."""
    gone = block.expired_micros + micros
    left = block.granted_micros - block.drawn_micros - gone
    state = BlockState.OPEN if left > 0 else BlockState.EXPIRED
    return check_block(replace(block, expired_micros=gone, state=state))


def withdraw(block: CreditBlock) -> CreditBlock:
    """The block taken back.

    Raises:
        InvariantBroken: something was drawn of it.
    """
    invariant(not block.drawn_micros, f"credit block {block.id} is drawn and would be withdrawn")
    return replace(block, expired_micros=block.granted_micros, state=BlockState.WITHDRAWN)


def expired_at(blocks: Iterable[CreditBlock], instant_ms: int) -> list[tuple[CreditBlock, int]]:
    """The blocks whose window is over at an instant, each with what is left of it.

    A period's close calls it with the period's end, after it has drawn what the period's usage
    draws: a block is drawn by the time of usage, so usage of its last minute still counts.

    Args:
        blocks: Any.
        instant_ms: The end of the period that is closing.

    Returns:
        (block, micros left), earliest expiry first. The close posts the micros to `breakage`
        and puts `expire(block)`; `rolled_over` says what lives on.
    """
    over = [
        block
        for block in blocks
        if block.state is BlockState.OPEN
        and block.until_ms is not None
        and block.until_ms <= instant_ms
    ]
    over.sort(key=lambda block: (block.until_ms or 0, id_number(block.id)))
    return [(block, block.left_micros) for block in over]


def left_at(blocks: Iterable[CreditBlock], currency: str, instant_ms: int) -> int:
    """Micros of a currency that usage at an instant could draw, whatever it is of.

    Use it for a balance that is shown; what a request may count on is `left_for`.
    """
    return sum(
        block.left_micros
        for block in blocks
        if block.currency == currency and block.contains(instant_ms, instant_ms + 1)
    )


def left_for(
    blocks: Iterable[CreditBlock],
    currency: str,
    instant_ms: int,
    kind: str,
    lease_class: LeaseClass,
    site: str = "",
) -> int:
    """Micros of a currency that usage of a kind, class and site at an instant could draw."""
    covering = [block for block in blocks if block.covers.holds(kind, lease_class, site)]
    return left_at(covering, currency, instant_ms)
