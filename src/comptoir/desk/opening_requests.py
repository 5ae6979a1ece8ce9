"""Requests of moving in: openings proposed, approved, withdrawn, and brought slice by slice."""

from dataclasses import dataclass

from comptoir.billing.opening import Item, Opening, OpeningFile
from comptoir.units.ids import OpeningId

MOST_ITEMS_A_SLICE = 200
"""Items that one slice brings, at most."""


@dataclass(frozen=True, slots=True)
class ProposeOpening:
    """An opening as its files say it; `dry_run`: only judged."""

    file: OpeningFile
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ApproveOpening:
    """Bring a proposed opening. The door has read its files again: `file` is what they say."""

    opening_id: OpeningId
    file: OpeningFile


@dataclass(frozen=True, slots=True)
class OpeningRef:
    """This opening: withdraw it."""

    opening_id: OpeningId


@dataclass(frozen=True, slots=True)
class ProposedOpening:
    """An opening; `dry_run`: nothing is kept; `repeated`: it was proposed before."""

    opening: Opening
    dry_run: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class BringSlice:
    """Bring some items of an opening, `first` being the number of the first of them.

    Who asks has read them from the files that were approved; nothing is done if that many are
    brought already.
    """

    opening_id: OpeningId
    sha256: str
    first: int
    items: tuple[Item, ...]
