"""Tables and records for people, JSON for machines. Rich is imported here and nowhere earlier.

A table that does not fit the terminal becomes one paragraph a record. Colour adds and
never carries meaning; NO_COLOR turns it off.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from comptoir.cli.formats import Times, accelerator_time, money, plain

WIDEST = 100
_LEAST_FLEXIBLE = 14
_GAP = 2
_HANGING = 4
_PIECES = re.compile(r"\s*(?:comptoir [a-z](?:[^;,]*[^;,\s])?[;,]?|\S+)")
"""A word, or a whole command, with the space before it."""
_STATE_STYLES = {
    "active": "green", "running": "green", "succeeded": "green", "approved": "green",
    "in_service": "green", "waiting": "yellow", "queued": "yellow", "scheduled": "cyan",
    "reclaiming": "magenta", "proposed": "yellow", "draining": "yellow", "suspended": "red",
    "failed": "red", "broken": "red", "refused": "red", "unknown": "red",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its header, and how a record gives its cell. A flexible one may wrap."""

    header: str
    cell: Callable[[Mapping[str, Any]], str]
    right: bool = False
    flexible: bool = False


def text(header: str, name: str | None = None, *, flexible: bool = False) -> Column:
    """A field as it is; nothing is a hyphen."""
    key = name or header

    def cell(row: Mapping[str, Any]) -> str:
        value = row.get(key)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, list):
            return ", ".join(str(item) for item in value) or "-"
        return "-" if value in (None, "") else str(value)

    return Column(header, cell, flexible=flexible)


def count(header: str, name: str | None = None) -> Column:
    """A whole number, grouped by thousands."""
    key = name or header
    return Column(header, lambda row: f"{int(row.get(key) or 0):,}", right=True)


def instant(times: Times, header: str, name: str, otherwise: str = "-") -> Column:
    """An instant."""
    return Column(header, lambda row: times.when(row.get(name), otherwise))


def day(header: str, name: str) -> Column:
    """The day of an instant, in UTC."""
    return Column(header, lambda row: str(row[name] or "-")[:10])


def use(header: str = "use", name: str = "accelerator_ms") -> Column:
    """Accelerator time."""
    return Column(header, lambda row: accelerator_time(row.get(name) or 0), right=True)


def amount(header: str, name: str, currency: str = "currency") -> Column:
    """Money beside its currency."""
    return Column(header, lambda row: money(str(row[name]), str(row[currency])), right=True)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_ids(rows: Iterable[Mapping[str, Any]]) -> None:
    """One id a line; what has no id of its own has none."""
    sys.stdout.writelines(f"{row['id']}\n" for row in rows if "id" in row)


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    """A table, or one paragraph a record where it does not fit."""
    cells = [[plain(column.cell(row)) for column in columns] for row in rows]
    widths = [
        max(cell_len(column.header), *(cell_len(row[at]) for row in cells))
        for at, column in enumerate(columns)
    ]
    least = sum(
        min(width, _LEAST_FLEXIBLE) if column.flexible else width
        for width, column in zip(widths, columns, strict=True)
    )
    width = terminal_width()
    if least + _GAP * (len(columns) - 1) > width:
        _print_paragraphs(cells, columns)
        return
    table = Table(box=None, show_edge=False, pad_edge=False, padding=(0, _GAP, 0, 0))
    table.header_style = "bold"
    for column in columns:
        table.add_column(
            column.header,
            justify="right" if column.right else "left",
            no_wrap=not column.flexible,
            overflow="fold",
        )
    for row in cells:
        table.add_row(*(_styled(cell) for cell in row))
    out = console(width)
    with out.capture() as captured:
        out.print(table)
    # Padding after the last cell helps nobody who copies or compares.
    sys.stdout.write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))


def print_record(headline: str, fields: Iterable[tuple[str, str]]) -> None:
    """A headline, then its fields, each on a line or, where it is long, on a few."""
    shown = [(name, plain(value)) for name, value in fields]
    width = terminal_width()
    out = console(width)
    for line in wrapped(plain(headline), width, _HANGING):
        out.print(Text(line, "bold"), soft_wrap=True)
    widest = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        first, *rest = wrapped(value, width - widest - 2 * _GAP)
        out.print(Text(f"  {name:{widest}}  ", "dim") + _styled(first), soft_wrap=True)
        for line in rest:
            out.print(f"{'':{widest + 2 * _GAP}}{line}", soft_wrap=True)


def print_line(words: str) -> None:
    """A sentence, on a line or, where it is long, on a few."""
    for line in wrapped(plain(words), terminal_width(), _HANGING):
        sys.stdout.write(f"{line}\n")


def wrapped(words: str, width: int, hanging: int = 0) -> list[str]:
    """A text in lines, broken between words; never within one, nor within a command.

    Args:
        words: One line of text.
        width: In columns; a word that is wider stands alone.
        hanging: By how many columns all lines but the first are indented.
    """
    lines, line = [], ""
    for piece in _PIECES.findall(words):
        if line.strip() and cell_len(line + piece) > width:
            lines.append(line)
            line = " " * hanging + piece.lstrip()
        else:
            line += piece
    return [*lines, line]


def terminal_width() -> int:
    """Columns to write in: the terminal's, at most `WIDEST`; `WIDEST` into a pipe."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return max(min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST), 20)
    return WIDEST


def console(width: int) -> Console:
    """Stdout, without guesses about markup, emoji or numbers."""
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def _print_paragraphs(cells: Sequence[Sequence[str]], columns: Sequence[Column]) -> None:
    for number, row in enumerate(cells):
        if number:
            sys.stdout.write("\n")
        named = zip(columns[1:], row[1:], strict=True)
        print_record(row[0], [(column.header, cell) for column, cell in named])


def _styled(cell: str) -> Text:
    return Text(cell, _STATE_STYLES.get(cell, ""))
