"""What the API says of openings; money as decimal strings."""

from typing import TypedDict


class OpeningTotal(TypedDict):
    """What of a kind is brought in a currency."""

    of: str
    currency: str
    count: int
    amount: str


class Opening(TypedDict):
    """What a legal entity brings from another system."""

    id: str
    entity_id: str
    name: str
    source: str
    cut_over: str
    state: str
    sha256: str
    files: list[str]
    totals: list[OpeningTotal]
    total_items: int
    done_items: int
    proposed_by: str
    proposed_at: str
    approved_by: str | None
    approved_at: str | None
    brought_at: str | None


class OpeningProposed(Opening):
    """`repeated`: the same files were proposed before."""

    dry_run: bool
    repeated: bool


class BroughtItem(TypedDict):
    """What became of an item; what it posted, a debit above zero."""

    opening_id: str
    number: int
    brings: str
    subject: str
    currency: str
    amount: str
    file: str
    line: int
    due_at: str | None
