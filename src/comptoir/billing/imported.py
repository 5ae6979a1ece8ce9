"""Tables that finance imports as CSV: read line by line, refused with line, field and value.

A file is taken whole or not at all. Neighbours: `tax` and `fx` are the tables.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeVar

from comptoir.units.errors import Invalid
from comptoir.units.time import MS_PER_S

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


def parse_day(text: str) -> int:
    """The first instant (UTC) of a date such as "2026-01-31", in milliseconds.

    Raises:
        Invalid: `bad_date`.
    """
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        day = None
    if day is None or day.year < 1970:
        raise Invalid("bad_date", f"{text[:40]!r} is not a date", "write it as 2026-01-31")
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * MS_PER_S


def format_day(day_ms: int) -> str:
    """The date that begins at an instant of `parse_day`."""
    return f"{datetime.fromtimestamp(day_ms // MS_PER_S, UTC):%Y-%m-%d}"
