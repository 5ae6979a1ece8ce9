"""A real inventory, read from CSV: rows in, a `FleetFile` out, or every problem with its place.

One row is one node. Columns are found by the fields' own names, or mapped; what has no
column gets a value for all. Nodes that are alike and stand in one rack become one block, so
that the fleet file of an inventory stays short.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from comptoir.fleet import fields
from comptoir.fleet.files import (
    MOST_ACCELERATORS_A_NODE,
    MOST_CPUS,
    Block,
    FileLease,
    FleetFile,
    Span,
)
from comptoir.units import fields as common
from comptoir.units.errors import Invalid
from comptoir.units.reading import MOST_PROBLEMS, Reading

MOST_ROWS = 100_000
_MOST_DIGITS = 18
FIELDS = (
    *("node", "kind", "accelerators", "site", "cluster", "pod", "rack"),
    *("cpus", "cpu_milli", "memory", "memory_gib", "memory_mib", "engine", "lease"),
)
NEEDED = ("node", "kind", "accelerators")
DEFAULTS = {"site": "site-1", "cluster": "a", "pod": "pod-1", "rack": "rack-1"}


@dataclass(frozen=True, slots=True)
class Words:
    """How an inventory's words are read.

    Args:
        columns: Field -> the column that holds it; others are found by their own name.
        values: Field -> its value in every row.
        kinds: The inventory's word for a kind -> ours.
    """

    columns: Mapping[str, str]
    values: Mapping[str, str]
    kinds: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a CSV file holds. `without` counts nodes left out: they have no accelerators."""

    file: FleetFile
    without: int


def read_inventory(name: str, text: str, lease: FileLease, words: Words) -> Inventory:
    """Read the nodes of an inventory into inbound leases: one, or one a kind.

    Args:
        name: The file's, for its problems.
        text: Its CSV, with a header.
        lease: What all of it is supplied under; its kind and nodes are the inventory's.
        words: How its words are read.

    Raises:
        Invalid: the code of the first problem; `facts` has `file`, `line`, `field` (the
            column) and all `problems`.
    """
    reading = Reading(name, "docs/operate/fleet.md: Bring an inventory")
    rows = _Rows(reading, text, words)
    found: dict[tuple[str, str], dict[Block, list[str]]] = {}
    seen: dict[str, int] = {}
    without = 0
    for line, row in rows.each():
        node = _node(rows, row)
        if node is None:
            continue
        node_name, supplier, kind, block = node
        if block is None:
            without += 1
            continue
        first = seen.setdefault(node_name, line)
        if first != line:
            said = f"node {node_name!r} is named twice, first in line {first}"
            row.wrong("node", Invalid("fleet_duplicate_name", said, "give each its own name"))
            continue
        blocks = found.setdefault((supplier or lease.name, kind), {})
        blocks.setdefault(block, []).append(node_name)
    if not found and not reading.problems:
        reading.add((), Invalid("file_missing_field", "it has no node with accelerators", ""))
    reading.raise_problems()
    return Inventory(FleetFile(name, tuple(_leases(lease, found))), without)


class _Row:
    """One line of an inventory: its cells by field."""

    def __init__(self, reading: Reading, line: int, cells: Mapping[str, tuple[str, str]]) -> None:
        self.reading, self.line, self.cells = reading, line, cells
        self.sound = True

    def take(self, field: str, judge: Any, default: Any) -> Any:
        """A field, judged; the default where its cell is empty or missing."""
        _, cell = self.cells.get(field, ("", ""))
        if not cell:
            return default
        try:
            return judge(field, cell)
        except Invalid as error:
            self.wrong(field, error)
            return default

    def wrong(self, field: str, error: Invalid) -> None:
        """Something that is wrong with a cell."""
        self.sound = False
        column = self.cells.get(field, (field, ""))[0]
        self.reading.lines[(column,)] = self.line
        self.reading.add((column,), error)


class _Rows:
    """The lines of an inventory, its columns matched to fields."""

    def __init__(self, reading: Reading, text: str, words: Words) -> None:
        self._reading, self._words = reading, words
        self._strange: set[str] = set()
        self._lines = csv.reader(text.splitlines(keepends=True), strict=True)

    def each(self) -> Iterator[tuple[int, _Row]]:
        """Every row with its line; stops when enough is wrong."""
        try:
            header = [cell.strip() for cell in next(self._lines, [])]
            columns = self._columns(header)
            for row in self._lines if columns is not None else ():
                line = self._lines.line_num
                if not any(cell.strip() for cell in row):
                    continue
                if line > MOST_ROWS + 1 or len(self._reading.problems) >= MOST_PROBLEMS:
                    break
                yield line, self._row(line, header, columns or {}, row)
            if self._lines.line_num > MOST_ROWS + 1:
                self._say(MOST_ROWS, f"it has more than {MOST_ROWS:,} rows")
        except csv.Error as error:
            self._say(self._lines.line_num, str(error))

    def kind(self, word: str) -> str:
        """The kind of a word; one that is strange is told of once, and then passed over.

        Raises:
            Invalid: `unknown_kind`.
        """
        ours = self._words.kinds.get(word, word)
        if ours in self._strange:
            return ""
        try:
            return str(fields.kind("kind", ours))
        except Invalid:
            self._strange.add(ours)
            raise

    def _columns(self, header: list[str]) -> dict[str, int] | None:
        """Field -> the place of its column."""
        lower = [name.lower() for name in header]
        known = {name: at for at, name in enumerate(lower)}
        read = {*FIELDS, *(column.lower() for column in self._words.columns.values())}
        for name in sorted(read & {name for name in lower if lower.count(name) > 1}):
            said = f"column {name!r} is there twice"
            self._reading.add((), Invalid("file_bad_value", said, "leave one of them out"))
            return None
        if len(header) == 1 and ";" in header[0]:
            said = "the cells lie between semicolons, and commas are read"
            self._reading.add((), Invalid("file_bad_value", said, "save it with commas"))
            return None
        found = {field: known[field] for field in FIELDS if field in known}
        for field, column in self._words.columns.items():
            if column.lower() not in known:
                there = ", ".join(header) or "none"
                self._missing(f"there is no column {column!r} for {field}; there are {there}")
                return None
            found[field] = known[column.lower()]
        lacking = [f for f in NEEDED if f not in found and f not in self._words.values]
        for field in lacking:
            self._missing(f"no column holds {field}")
        return None if lacking else found

    def _row(
        self, line: int, header: list[str], columns: Mapping[str, int], row: list[str]
    ) -> _Row:
        cells = {field: ("", value) for field, value in {**DEFAULTS, **self._words.values}.items()}
        for field, at in columns.items():
            if field in self._words.values:
                continue
            cell = row[at].strip() if at < len(row) else ""
            cells[field] = (header[at], cell or DEFAULTS.get(field, ""))
        made = _Row(self._reading, line, cells)
        if len(row) != len(header):
            has = "1 cell" if len(row) == 1 else f"{len(row):,} cells"
            said = f"the line has {has}, the header {len(header):,}"
            made.wrong("", Invalid("file_bad_value", said, "mend the line"))
        return made

    def _missing(self, what: str) -> None:
        step = "name it: --column FIELD=COLUMN, or --set FIELD=VALUE for all"
        self._reading.add((), Invalid("file_missing_field", what, step))

    def _say(self, line: int, what: str) -> None:
        self._reading.lines[()] = line
        self._reading.add((), Invalid("file_bad_value", what, "mend the line"))


def _node(rows: "_Rows", row: _Row) -> tuple[str, str, str, Block | None] | None:
    """A node's name, its inbound lease, its kind, and a block of which it is one."""
    name = row.take("node", common.text(64), "")
    if not name and row.sound:
        row.wrong("node", Invalid("file_missing_field", "the cell is empty", "name the node"))
    count = row.take("accelerators", _whole(0, MOST_ACCELERATORS_A_NODE), 0)
    if row.sound and not count:
        return name, "", "", None
    kind = row.take("kind", lambda _, cell: rows.kind(cell), "")
    if not kind:
        if row.sound and not row.cells.get("kind", ("", ""))[1]:
            row.wrong("kind", Invalid("file_missing_field", "the cell is empty", "name the kind"))
        return None
    cpus = row.take("cpus", _whole(0, MOST_CPUS), 0) or row.take("cpu_milli", _milli, 0)
    memory = (
        row.take("memory", fields.size, 0)
        or row.take("memory_gib", lambda f, cell: fields.size(f, f"{cell} GiB"), 0)
        or row.take("memory_mib", lambda f, cell: fields.size(f, f"{cell} MiB"), 0)
    )
    place = common.text(64)
    block = Block(
        row.take("site", place, ""),
        row.take("cluster", place, ""),
        count,
        Span(1, 0, (row.take("pod", place, ""),)),
        Span(1, 0, (row.take("rack", place, ""),)),
        memory_bytes=memory,
        cpus=cpus,
        engine=row.take("engine", common.text(32), ""),
    )
    supplier = row.take("lease", common.text(100), "")
    return (name, supplier, kind, block) if row.sound else None


def _whole(smallest: int, largest: int) -> Any:
    judge = common.whole(smallest, largest)
    return lambda field, cell: judge(
        field, int(cell) if cell.isdecimal() and len(cell) <= _MOST_DIGITS else cell
    )


def _milli(field: str, cell: str) -> int:
    """CPUs of thousandths of a CPU."""
    return int(_whole(0, MOST_CPUS * 1_000)(field, cell)) // 1_000


def _leases(
    lease: FileLease, found: Mapping[tuple[str, str], Mapping[Block, list[str]]]
) -> Iterator[FileLease]:
    """One inbound lease each; a kind is part of its name where one supplier brings several."""
    suppliers = [supplier for supplier, _ in found]
    for (supplier, kind), blocks in found.items():
        name = supplier if suppliers.count(supplier) == 1 else f"{supplier}-{kind}"
        named = (replace(block, nodes=Span(1, 0, tuple(nodes))) for block, nodes in blocks.items())
        yield replace(lease, name=name, kind=kind, blocks=tuple(named))
