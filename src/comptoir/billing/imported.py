"""Tables that finance imports as CSV: read line by line, refused with line, field and value.

A file is taken whole or not at all. Neighbours: `tax` and `fx` are the tables.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from comptoir.units.errors import Invalid

T = TypeVar("T")
MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file: the text of each field."""

    line: int
    cells: dict[str, str]

    def read(self, field: str, parse: Callable[[str], T]) -> T:
        """What a field says.

        Raises:
            Invalid: `bad_table`, with the line, the field and why.
        """
        try:
            return parse(self.cells[field])
        except Invalid as error:
            raise self.bad(field, error.message) from None

    def bad(self, field: str, why: str) -> Invalid:
        """The refusal of a field."""
        return Invalid(
            "bad_table",
            f"line {self.line}, {field}: {why}",
            "correct the file and import it again: nothing of it was taken",
            {"line": self.line, "field": field, "value": self.cells.get(field, "")[:100]},
        )


def read_rows(text: str, fields: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """The lines of a CSV text whose first line names its fields, in any order.

    Raises:
        Invalid: `bad_table`: a field is missing or unknown, a line is longer or shorter than the
            first, or there are more than `MOST_ROWS` lines.
    """
    lines = csv.reader(text.removeprefix("\ufeff").splitlines(), strict=True)
    header: list[str] = []
    try:
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            row = Row(lines.line_num, dict(zip(header, map(str.strip, cells), strict=False)))
            if not header:
                header = _header(cells, fields, optional)
                continue
            if len(cells) != len(header):
                raise row.bad("row", f"{len(cells)} values, the first line names {len(header)}")
            if lines.line_num > MOST_ROWS + 1:
                raise row.bad("row", f"more than {MOST_ROWS:,} lines")
            yield Row(row.line, dict.fromkeys(optional, "") | row.cells)
    except csv.Error as error:
        raise Row(lines.line_num, {}).bad("row", str(error)) from None
    if not header:
        _header([], fields, optional)


def _header(cells: Sequence[str], fields: Sequence[str], optional: Sequence[str]) -> list[str]:
    header = [cell.strip() for cell in cells]
    missing = [field for field in fields if field not in header]
    unknown = [field for field in header if field not in (*fields, *optional)]
    if missing or unknown or len(set(header)) != len(header):
        raise Invalid(
            "bad_table",
            f"line 1 names {', '.join(header)[:200] or 'nothing'}; "
            f"missing: {', '.join(missing) or 'none'}, "
            f"unknown: {', '.join(unknown)[:200] or 'none'}",
            f"begin the file with: {','.join((*fields, *optional))}",
            {"line": 1, "field": (missing or unknown or header)[0][:100]},
        )
    return header
