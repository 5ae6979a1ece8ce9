"""The cost of bought capacity: what it has cost, what is left of a commitment, when it is used up.

Capacity that a partner supplies costs its rate whether or not anybody uses it: accelerators
held, times time, times the inbound lease's price, exact to the numerator (see `units.money`).
Neighbours: `drawdown` draws it on the commitment's steps, the desk posts it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from comptoir.leases.inbound import InboundLease
from comptoir.leases.lease import LeaseClass
from comptoir.sales.credit_blocks import PPM
from comptoir.sales.drawdown import Due
from comptoir.units.ids import TenantId
from comptoir.units.money import NANOS_PER_UNIT, NUMERATOR_PER_MICRO, floor_micros
from comptoir.units.time import LATEST_MS, MS_PER_HOUR

NANOS_PER_MICRO = NANOS_PER_UNIT // 1_000_000


@dataclass(frozen=True, slots=True)
class Supplied:
    """An inbound lease and how many accelerators it brings."""

    inbound: InboundLease
    accelerators: int

    @property
    def hourly_nanos(self) -> int:
        """What it costs an hour."""
        return self.accelerators * self.inbound.cost_nanos

    def held_ms(self, from_ms: int, until_ms: int) -> tuple[int, int]:
        """The part of [`from_ms`, `until_ms`) in which it is held; empty if the two are equal."""
        ends = self.inbound.ends_at_ms
        start = max(from_ms, self.inbound.starts_at_ms)
        end = until_ms if ends is None else min(until_ms, ends)
        return (start, end) if start < end else (start, start)


def cost_dues(
    supplied: Supplied, from_ms: int, until_ms: int, cuts: Iterable[int], before: int
) -> tuple[list[Due], int]:
    """What an inbound lease costs over a window, cut where a commitment's step begins or ends.

    Args:
        supplied: The inbound lease.
        from_ms: Up to when its cost was counted before.
        until_ms: Up to when to count it.
        cuts: Instants at which it is cut.
        before: The numerator counted before; each due is a difference of floors of the running
            sum, so that no micro is lost however often it is counted.

    Returns:
        The dues in order of time, and the numerator afterwards.
    """
    start, end = supplied.held_ms(from_ms, until_ms)
    edges = [start, *sorted({cut for cut in cuts if start < cut < end}), end]
    dues: list[Due] = []
    total = before
    for low, high in pairwise(edges):
        after = total + supplied.hourly_nanos * (high - low)
        micros = floor_micros(after) - floor_micros(total)
        total = after
        inbound = supplied.inbound
        if micros:
            dues.append(
                Due(
                    inbound.id, TenantId(""), inbound.currency, inbound.kind, LeaseClass.INTERNAL,
                    "", low, high, micros,
                )
            )  # fmt: skip
    return dues, total


@dataclass(frozen=True, slots=True)
class BurnDown:
    """How a commitment is used up at a rate.

    `left_micros` is of its steps that are not over; `used_up_at_ms` when that is drawn at
    today's rate (None: never), and `short_micros` what will not have been drawn when the last
    step ends: the true-up, or the prepayment that expires.
    """

    granted_micros: int
    drawn_micros: int
    expired_micros: int
    left_micros: int
    hourly_nanos: int
    used_up_at_ms: int | None
    ends_at_ms: int
    short_micros: int


def burn_down(
    steps: Sequence[tuple[int, int, int, int, int]],
    hourly_nanos: int,
    now_ms: int,
    rolling: Sequence[tuple[int, int]] = (),
) -> BurnDown:
    """How a commitment's steps are used up from now on at today's rate.

    Args:
        steps: (from, until, granted, drawn, expired) of each, in order of time.
        hourly_nanos: What is drawn an hour now, in nanos; nothing changes it from here on.
        now_ms: Now.
        rolling: Of each step, which share (ppm) of what it leaves lives on, and until when.
    """
    rolls = rolling or [(0, 0)] * len(steps)
    open_ones = [
        _Open(from_ms, until_ms, granted - drawn - expired, *roll)
        for (from_ms, until_ms, granted, drawn, expired), roll in zip(steps, rolls, strict=True)
        if until_ms > now_ms and granted > drawn + expired
    ]
    left = sum(one.rest for one in open_ones)
    used_up, short = _use_up(open_ones, hourly_nanos, now_ms)
    return BurnDown(
        sum(step[2] for step in steps),
        sum(step[3] for step in steps),
        sum(step[4] for step in steps),
        left,
        hourly_nanos,
        used_up if left and not short else None,
        max((step[1] for step in steps), default=0),
        short,
    )


@dataclass(slots=True)
class _Open:
    """What is left of a step, as it is used up."""

    from_ms: int
    until_ms: int
    rest: int
    ppm: int = 0
    rolls_until_ms: int = 0


def _use_up(open_ones: list[_Open], hourly_nanos: int, now_ms: int) -> tuple[int, int]:
    """When the last of some steps is used up, and what of them never is: from edge to edge."""
    edges = {now_ms}
    for one in open_ones:
        edges |= {max(one.from_ms, now_ms), one.until_ms}
        edges |= {one.rolls_until_ms} if one.ppm else set()
    used_up = short = 0
    for low, high in pairwise(sorted(edges)):
        at = low
        for one in sorted(open_ones, key=lambda step: step.until_ms):
            if not one.rest or not one.from_ms <= low < one.until_ms:
                continue
            needed_ms = _hours_ms(one.rest, hourly_nanos)
            if needed_ms is None or at + needed_ms > high:
                one.rest -= hourly_nanos * (high - at) // NUMERATOR_PER_MICRO
                break
            at += needed_ms
            used_up, one.rest = max(used_up, at), 0
        for one in [step for step in open_ones if step.until_ms == high and step.rest]:
            kept = one.rest * one.ppm // PPM
            short += one.rest - kept
            one.rest = 0
            if kept:
                open_ones.append(_Open(high, one.rolls_until_ms, kept))
    return used_up, short


def _hours_ms(micros: int, hourly_nanos: int) -> int | None:
    """How long an amount lasts, rounded up to a millisecond; None if it lasts for ever."""
    if not hourly_nanos:
        return None
    lasts = -(-micros * NANOS_PER_MICRO * MS_PER_HOUR // hourly_nanos)
    return lasts if lasts <= LATEST_MS else None
