"""The live rows of openings in memory: what legal entities bring from other systems.

A part of the book (`book.openings`), with the same journal. There are few openings, and they stay
for good; their files are in the store alone. The names of the tables are those of the store.
"""

from dataclasses import dataclass
from typing import Any

from comptoir.billing.opening import Opening, OpeningState
from comptoir.desk.tables import Index, Journal, Table
from comptoir.units.ids import ContractId, LegalEntityId, OpeningId


@dataclass(frozen=True, slots=True)
class BroughtContract:
    """A contract that was brought: this book counts what happens under it from the cut-over."""

    contract_id: ContractId
    opening_id: OpeningId
    cut_over_ms: int


class OpeningBook:
    """The tables of openings and their indexes."""

    def __init__(self, journal: Journal) -> None:
        self.openings = Table[OpeningId, Opening]("opening", lambda r: r.id, journal)
        self.contracts = Table[ContractId, BroughtContract](
            "brought_contract", lambda r: r.contract_id, journal
        )
        self.tables: tuple[Table[Any, Any], ...] = (self.openings, self.contracts)
        self.of_entity = Index[LegalEntityId, Opening](
            self.openings, lambda o: o.entity_id if o.stands else None
        )
        self.bringing = Index[bool, Opening](
            self.openings, lambda o: True if o.state is OpeningState.BRINGING else None
        )
        self.committed_bringing: tuple[Opening, ...] = ()
        """The openings that are being brought, as last committed: what the loop goes on with."""

    def cut_over_ms(self, entity_id: LegalEntityId) -> int | None:
        """When an entity has moved in; None: it began here."""
        found = [
            one.cut_over_ms
            for one in self.of_entity.each(entity_id)
            if one.state is not OpeningState.PROPOSED
        ]
        return found[0] if found else None

    def publish(self) -> None:
        """Let the loop see what is committed."""
        self.committed_bringing = tuple(self.bringing.get(True))

    def evict_ended(self, rows: dict[str, list[object]]) -> None:
        """After a commit."""
        if "opening" in rows:
            self.publish()
