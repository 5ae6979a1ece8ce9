"""An opening's files, read: one TOML, the contracts and tables that it names, and every fault.

The TOML says who moves in, when, and what it must all come to; what there is much of (invoices,
prepaid credit, unapplied credit, payables) may stand in CSV tables with the same fields. Read
twice, files give the same. `docs/import.md` describes them. What only the book can judge is
judged by the desk.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any, TypeVar

from comptoir.billing import opening_fields as own
from comptoir.billing import opening_parts as parts
from comptoir.billing.opening import Customer, OpeningFile, RunningContract, totals_of
from comptoir.billing.opening_check import check_opening
from comptoir.billing.opening_faults import Faults
from comptoir.sales import contract_fields
from comptoir.sales.contract_file import read_contract_file
from comptoir.tenants.entities import LegalEntity
from comptoir.tenants.parties import TenantKind
from comptoir.units import fields
from comptoir.units.errors import Invalid
from comptoir.units.reading import Reading, Table
from comptoir.units.values import replace

T = TypeVar("T")
MOST_LETTERS = 8 << 20
MOST_ROWS = 100_000
MOST_PARTS = 10_000
TABLES = ("invoices", "prepaid", "credits", "payables")
"""What may stand in a CSV table, as `[files]` names it."""
_ONE = {"invoices": "invoice", "credits": "credit", "payables": "payable"}
"""What one of them is called in TOML, where it is not called as all are."""

EntityOf = Callable[[str], LegalEntity | None]
"""How a legal entity is found by its slug."""


def files_named(name: str, text: str) -> list[str]:
    """The files that an opening's TOML names, in order: contracts, then tables.

    Raises:
        Invalid: it is not TOML.
    """
    reading = Reading(name, "docs/import.md: The files")
    document = reading.read_toml(text, MOST_LETTERS) or {}
    reading.raise_problems()
    contracts = document.get("contract", ())
    named = [one.get("file") for one in contracts if isinstance(one, dict)]
    tables = document.get("files", {})
    named += tables.values() if isinstance(tables, dict) else []
    return list(dict.fromkeys(one for one in named if isinstance(one, str)))


def read_opening(texts: Mapping[str, str], entity_of: EntityOf) -> OpeningFile:
    """Read an opening.

    Args:
        texts: Each file by its name, the TOML first.
        entity_of: The legal entities there are.

    Raises:
        Invalid: the code of the first fault; `facts` has all of them.
    """
    faults = Faults()
    name, text = next(iter(texts.items()))
    document = faults.of(name).read_toml(text, MOST_LETTERS)
    if document is None:
        faults.raise_all()
    root = Table(faults.of(name), (), document)
    entity = _entity(root, entity_of)
    if entity is None:
        faults.raise_all()
    assert entity is not None
    found = _Reader(faults, texts, root, entity).read()
    if not faults.any:
        check_opening(found, entity, faults)
    faults.raise_all()
    return found


def _entity(root: Table, entity_of: EntityOf) -> LegalEntity | None:
    named = root.take("entity", fields.text(64))
    found = None if named is None else entity_of(named)
    if named is not None and found is None:
        said = f"there is no legal entity {named!r}"
        root.wrong("entity", Invalid("unknown_entity", said, "see `comptoir entity list`"))
    return found


class _Reader:
    """Reads the tables of one opening."""

    def __init__(
        self, faults: Faults, texts: Mapping[str, str], root: Table, entity: LegalEntity
    ) -> None:
        self._faults, self._texts, self._root, self._entity = faults, texts, root, entity
        self._file = root.reading.file

    def read(self) -> OpeningFile:
        """The opening; with faults, what could be read of it."""
        root, zone, coin = self._root, self._entity.zone, self._entity.currency
        name = root.take("opening", contract_fields.number)
        cut_over = root.take("cut_over", own.month_in(zone)) or 0
        source = root.take("from", fields.text(100))
        tables = self._tables()
        contracts = [self._contract(one) for one in root.tables("contract", False, MOST_PARTS)]
        customers = self._all("customer", lambda one: parts.customer(one, zone))
        invoices = self._rows("invoices", tables, lambda one: parts.invoice(one, zone, coin))
        prepaid = self._rows(
            "prepaid", tables, lambda one: parts.prepaid(one, zone, coin, cut_over)
        )
        credits = self._rows("credits", tables, lambda one: parts.credit(one, zone, coin))
        payables = self._rows("payables", tables, lambda one: parts.payable(one, zone, coin))
        balances = self._all("balance", lambda one: parts.balance(one, coin))
        numbers = self._all("next_number", parts.next_number)
        controls = self._all("control", lambda one: parts.control(one, coin))
        root.close()
        told = sha256()
        for file, text in self._texts.items():
            told.update(f"{file}\0{len(text)}\0{text}\0".encode())
        found = OpeningFile(
            name or "", self._entity.slug, cut_over, source or "", customers,
            tuple(one for one in contracts if one is not None), invoices, prepaid, credits,
            payables, balances, numbers, controls, tuple(self._texts.items()), told.hexdigest(),
        )  # fmt: skip
        return replace(found, customers=_all_customers(found), totals=totals_of(found))

    def _all(self, name: str, read: Callable[[Table], T | None]) -> tuple[T, ...]:
        found = (read(one) for one in self._root.tables(name, False, MOST_PARTS))
        return tuple(one for one in found if one is not None)

    def _tables(self) -> dict[str, str]:
        """Which file has which table."""
        table = self._root.table("files")
        if table is None:
            return {}
        found = {name: table.take(name, fields.text(200), None) for name in TABLES}
        for name, file in found.items():
            if file is not None and file not in self._texts:
                table.wrong(name, _missing(file))
        table.close()
        return {name: file for name, file in found.items() if file in self._texts}

    def _rows(
        self, name: str, tables: dict[str, str], read: Callable[[Table], T | None]
    ) -> tuple[T, ...]:
        """Those that stand in the TOML, and those of a table."""
        one = _ONE.get(name, name)
        found = self._all(one, read)
        if name not in tables:
            return found
        more = (read(row) for row in self._csv(one, tables[name]))
        return (*found, *(row for row in more if row is not None))

    def _csv(self, name: str, file: str) -> Iterator[Table]:
        """The lines of a table whose first line names its fields; empty cells are not said."""
        reading, header = self._faults.of(file), None
        text = self._texts[file].removeprefix("\ufeff")
        lines = csv.reader(text.splitlines(), strict=True)
        try:
            for number, cells in enumerate(lines):
                if number > MOST_ROWS:
                    raise csv.Error(f"more than {MOST_ROWS:,} lines")
                cells = [cell.strip() for cell in cells]
                if header is None:
                    header = cells
                elif any(cells):
                    yield _row(reading, (name, number), lines.line_num, header, cells)
        except csv.Error as error:
            reading.lines[()] = max(lines.line_num, 1)
            reading.add((), Invalid("file_bad_value", str(error), "write it as CSV, in UTF-8"))

    def _contract(self, table: Table) -> RunningContract | None:
        """A contract in force: its own file, and what happened under it before the cut-over."""
        named = table.take("file", fields.text(200))
        accepted = table.take("accepted", parts.dates(self._entity.zone), ())
        given = [
            parts.commitment_before(one, self._entity)
            for one in table.tables("commitment", False, MOST_PARTS)
        ]
        if named is not None and named not in self._texts:
            table.wrong("file", _missing(named))
        if not table.close() or None in given:
            return None
        try:
            file = read_contract_file(named, self._texts[named])
        except Invalid as error:
            self._faults.take_over(named, error)
            return None
        said = [one for one in given if one is not None]
        before = tuple(parts.resolved(one, file, self._faults) for one in said)
        return RunningContract(parts.where(table), file, accepted, before)


def _all_customers(file: OpeningFile) -> tuple[Customer, ...]:
    """Those that are said, and those that only something else names: they have to be there."""
    found = {one.slug: one for one in file.customers}
    named = [(one.file.party, one.where) for one in file.contracts if one.sold]
    named += [(one.customer, one.where) for one in file.invoices]
    named += [(one.customer, one.where) for one in file.prepaid]
    named += [(one.customer, one.where) for one in file.credits]
    for slug, where in named:
        if slug and slug not in found:
            found[slug] = Customer(where, slug, "", TenantKind.ENTERPRISE, "", None)
    said = {id(one) for one in file.customers}
    return (*file.customers, *(one for one in found.values() if id(one) not in said))


def _row(
    reading: Reading, path: tuple[str | int, ...], line: int, header: list[str], cells: list[str]
) -> Table:
    reading.lines[path] = line
    if len(cells) != len(header):
        said = f"{len(cells)} values, the first line names {len(header)}"
        reading.add(path, Invalid("file_bad_value", said, "give each field one value"))
        return Table(reading, path, {})
    said_cells: dict[str, Any] = {
        field: cell for field, cell in zip(header, cells, strict=True) if cell
    }
    return Table(reading, path, said_cells)


def _missing(file: str) -> Invalid:
    return Invalid(
        "opening_file_missing",
        f"{file} was not given with it",
        "put it into the same directory, under that name",
    )
