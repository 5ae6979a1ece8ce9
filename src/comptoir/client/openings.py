"""The client's way to openings: what legal entities bring from other systems."""

from collections.abc import Iterator, Mapping
from typing import cast

from comptoir.client.opening_records import BroughtItem, Opening, OpeningProposed
from comptoir.client.parties import PAGE
from comptoir.client.transport import Transport, path_of


class Openings:
    """Openings: proposed by one, approved by another, brought by the server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def propose(self, files: Mapping[str, str], dry_run: bool = False) -> OpeningProposed:
        """Propose what an entity brings; the same files again change nothing.

        Args:
            files: Each file's text by its name, the TOML first; see docs/import.md.
            dry_run: Only say what it would bring, or all that is wrong with it.
        """
        sent = [{"name": name, "text": text} for name, text in files.items()]
        body = {"files": sent, "dry_run": dry_run}
        return cast(OpeningProposed, self._transport.write("POST", path_of("openings"), body))

    def approve(self, opening: str) -> Opening:
        """Begin to bring it; the server goes on by itself."""
        path = path_of("openings", opening, "approve")
        return cast(Opening, self._transport.write("POST", path))

    def withdraw(self, opening: str) -> Opening:
        """Take a proposed one back."""
        path = path_of("openings", opening, "withdraw")
        return cast(Opening, self._transport.write("POST", path))

    def list(self, entity: str | None = None) -> Iterator[Opening]:
        """Openings, last proposed first."""
        return self._transport.pages(path_of("openings"), PAGE, entity=entity)

    def get(self, opening: str) -> Opening:
        """One, and how far it is."""
        return cast(Opening, self._transport.get(path_of("openings", opening)))

    def items(self, opening: str) -> Iterator[BroughtItem]:
        """What became of its items, in the order in which they were brought."""
        return self._transport.pages(path_of("openings", opening, "items"), PAGE)
