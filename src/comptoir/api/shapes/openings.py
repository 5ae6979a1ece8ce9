"""Openings: what legal entities bring from other systems."""

from typing import Annotated

from pydantic import Field, StringConstraints

from comptoir.api.shapes.common import Answer, Body, Decimal, Flag, Instant, Line
from comptoir.billing.opening import Brings, OpeningState
from comptoir.billing.opening_file import MOST_LETTERS

MOST_FILES = 2_000


class OpeningFileIn(Body):
    """A file by its name."""

    name: Line = Field(examples=["opening.toml"])
    text: Annotated[str, StringConstraints(max_length=MOST_LETTERS)]


class OpeningBody(Body):
    """An opening's files, its TOML first: see docs/import.md. `dry_run`: it is judged, and nothing
    is kept."""

    files: Annotated[list[OpeningFileIn], Field(min_length=1, max_length=MOST_FILES)]
    dry_run: Flag = False


class OpeningTotal(Answer):
    """What of a kind is brought in a currency; the opening account as the ledger has it."""

    of: Brings
    currency: str
    count: int
    amount: Decimal


class Opening(Answer):
    """What an entity brings: of `total_items` the first `done_items` are brought."""

    id: str
    entity_id: str
    name: str
    source: str
    cut_over: Instant
    state: OpeningState
    sha256: str
    files: list[str]
    totals: list[OpeningTotal]
    total_items: int
    done_items: int
    proposed_by: str
    proposed_at: Instant
    approved_by: str | None
    approved_at: Instant | None
    brought_at: Instant | None


class OpeningProposed(Opening):
    """`repeated`: the same files were proposed before, and this is that opening."""

    dry_run: bool
    repeated: bool


class BroughtItem(Answer):
    """What became of an item, where it stands in which file, and what it posted: a debit is
    positive."""

    opening_id: str
    number: int
    brings: Brings
    subject: str
    currency: str
    amount: Decimal
    file: str
    line: int
    due_at: Instant | None
