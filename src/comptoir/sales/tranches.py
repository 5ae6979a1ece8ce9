"""Tranches and options: what of a contract depends on somebody doing something in time.

A tranche is capacity with a delivery date; it is accepted by a word, or deemed to be when its
time for acceptance has passed. What was done is kept as acts, one row each and never edited;
where something stands follows from them. Invariant: an act that is not possible is refused
with the dates.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from comptoir.leases.lease import LeaseClass
from comptoir.units.errors import Conflict
from comptoir.units.ids import ContractActId, ContractId, UserId
from comptoir.units.time import MS_PER_S, format_instant


@dataclass(frozen=True, slots=True)
class Tranche:
    """Accelerators that one side delivers at a date.

    It may be delivered up to `early_s` before; it is accepted, or rejected, within
    `accept_within_s`, after which it counts as accepted. When it is late by more than
    `cancel_after_s`, the other side may cancel it (None: it may not).
    """

    name: str
    kind: str
    accelerators: int
    site: str
    delivery_at_ms: int
    accept_within_s: int
    early_s: int = 0
    cancel_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Expansion:
    """The right to more accelerators of a kind at a price, if it is used by a date.

    They are due `deliver_within_s` after that.
    """

    name: str
    kind: str
    accelerators: int
    exercise_by_ms: int
    price_nanos: int | None
    lease_class: LeaseClass = LeaseClass.RESERVED
    deliver_within_s: int = 0


@dataclass(frozen=True, slots=True)
class ExitRight:
    """The right to end the contract early: so long a notice, not before, at a fee.

    `rest_ppm` is the share of what its commitments are released of that is owed beside the fee.
    """

    notice_s: int
    earliest_ms: int
    fee_micros: int = 0
    rest_ppm: int = 0


@dataclass(frozen=True, slots=True)
class RecallClause:
    """The house may take reserved leases back for its own use: with a notice and at a fee.

    `fee_ppm` is of the price of the accelerator time that is not delivered; at most
    `times_a_year` in a calendar year (UTC).
    """

    notice_s: int
    fee_ppm: int
    times_a_year: int


@dataclass(frozen=True, slots=True)
class MoveClause:
    """The house may move running leases to other nodes of the same terms, with a notice.

    At most `times_a_year` in a calendar year (UTC). Nothing is undelivered meanwhile.
    """

    notice_s: int
    times_a_year: int


class ActType(StrEnum):
    """What can be done under a contract, each by one side or by both."""

    DELIVER = "deliver"
    ACCEPT = "accept"
    REJECT = "reject"
    CANCEL = "cancel"
    EXERCISE = "exercise"
    EXIT = "exit"
    RECALL = "recall"
    MOVE = "move"


BY_BUYER = frozenset({ActType.ACCEPT, ActType.REJECT, ActType.CANCEL, ActType.EXERCISE})
BY_SELLER = frozenset({ActType.DELIVER})


@dataclass(frozen=True, slots=True)
class ContractAct:
    """Something done under a contract: of which tranche or option, and from when it counts."""

    id: ContractActId
    contract_id: ContractId
    type: ActType
    subject: str
    effective_at_ms: int
    noted_at_ms: int
    noted_by: UserId
    note: str


class TrancheState(StrEnum):
    """Where a tranche stands."""

    PLANNED = "planned"
    LATE = "late"
    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class TrancheStanding:
    """A tranche at an instant. `deemed`: accepted because nobody said otherwise in time."""

    tranche: Tranche
    state: TrancheState
    delivered_at_ms: int | None = None
    accept_by_ms: int | None = None
    accepted_at_ms: int | None = None
    deemed: bool = False


def standing(tranche: Tranche, acts: Iterable[ContractAct], instant_ms: int) -> TrancheStanding:
    """Where a tranche stands at an instant, by the acts of its contract.

    A tranche that was rejected is delivered again, which starts its acceptance anew.
    """
    planned = TrancheState.LATE if instant_ms > tranche.delivery_at_ms else TrancheState.PLANNED
    found = TrancheStanding(tranche, planned)
    for act in sorted(acts, key=lambda one: (one.effective_at_ms, one.noted_at_ms)):
        if act.subject != tranche.name or act.effective_at_ms > instant_ms:
            continue
        at = act.effective_at_ms
        if act.type is ActType.DELIVER:
            by = at + tranche.accept_within_s * MS_PER_S
            found = TrancheStanding(tranche, TrancheState.DELIVERED, at, by)
        elif act.type is ActType.ACCEPT:
            found = TrancheStanding(
                tranche, TrancheState.ACCEPTED, found.delivered_at_ms, found.accept_by_ms, at
            )
        elif act.type is ActType.REJECT:
            found = TrancheStanding(tranche, TrancheState.REJECTED, found.delivered_at_ms)
        elif act.type is ActType.CANCEL:
            found = TrancheStanding(tranche, TrancheState.CANCELLED)
    by_now = found.accept_by_ms
    if found.state is TrancheState.DELIVERED and by_now is not None and by_now <= instant_ms:
        return TrancheStanding(
            tranche, TrancheState.ACCEPTED, found.delivered_at_ms, by_now, by_now, True
        )
    return found


def check_act(tranche: Tranche, type: ActType, before: TrancheStanding, now_ms: int) -> None:
    """Let an act on a tranche pass, or say why not.

    Args:
        tranche: Of the version in force.
        type: Deliver, accept, reject or cancel.
        before: Where it stands.
        now_ms: When it is done.

    Raises:
        Conflict: `tranche_not_in_state`; `tranche_too_early`; `tranche_not_late`.
    """
    allowed = {
        ActType.DELIVER: (TrancheState.PLANNED, TrancheState.LATE, TrancheState.REJECTED),
        ActType.ACCEPT: (TrancheState.DELIVERED,),
        ActType.REJECT: (TrancheState.DELIVERED,),
        ActType.CANCEL: (TrancheState.PLANNED, TrancheState.LATE, TrancheState.REJECTED),
    }[type]
    if before.state not in allowed:
        deemed = ", since nobody said otherwise in time" if before.deemed else ""
        raise Conflict(
            "tranche_not_in_state",
            f"tranche {tranche.name} is {before.state}{deemed}; to {type} it, it must be "
            f"{' or '.join(allowed)}",
            "see `comptoir contract show`",
            {"state": before.state},
        )
    if type is ActType.DELIVER:
        _check_early(tranche, now_ms)
    if type is ActType.CANCEL:
        _check_late(tranche, now_ms)


def _check_early(tranche: Tranche, now_ms: int) -> None:
    earliest = tranche.delivery_at_ms - tranche.early_s * MS_PER_S
    if now_ms < earliest:
        raise Conflict(
            "tranche_too_early",
            f"tranche {tranche.name} is due {format_instant(tranche.delivery_at_ms)} and may be "
            f"delivered from {format_instant(earliest)} on",
            "deliver it then, or agree on a new version",
            {"earliest": format_instant(earliest)},
        )


def _check_late(tranche: Tranche, now_ms: int) -> None:
    last = tranche.delivery_at_ms + (tranche.cancel_after_s or 0) * MS_PER_S
    if tranche.cancel_after_s is None or now_ms <= last:
        when = "never" if tranche.cancel_after_s is None else f"after {format_instant(last)}"
        raise Conflict(
            "tranche_not_late",
            f"tranche {tranche.name} is due {format_instant(tranche.delivery_at_ms)} and may be "
            f"cancelled {when}",
            "wait, or agree on a new version",
            {"due": format_instant(tranche.delivery_at_ms)},
        )


def exit_at(acts: Iterable[ContractAct]) -> int | None:
    """When an exit ends a contract, if notice of one was given."""
    return min((act.effective_at_ms for act in acts if act.type is ActType.EXIT), default=None)
