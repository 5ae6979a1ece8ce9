"""Bank files: what came in, as the bank says it, with every control it carries checked.

Two forms: camt.053 (ISO 20022, any version: the elements read here are the same in all) and
CSV. Invariant: a statement's entries add up to the difference of its balances and to its own
control totals, or the file is refused with the numbers. Neighbour: `receipts` matches them.

Source: ISO 20022, BankToCustomerStatement (camt.053).
"""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from comptoir.units.errors import Invalid
from comptoir.units.money import LEDGER_LIMIT, check_currency, format_minor, parse_amount
from comptoir.units.time import MS_PER_S

MOST_BYTES = 20_000_000
MOST_ENTRIES = 100_000
MOST_TEXT = 500
MOST_MICROS = 10**17


@dataclass(frozen=True, slots=True)
class BankEntry:
    """One amount that was booked on an account; `micros` is negative if it went out.

    `id` is the bank's own reference where it gives one, else a digest of what the entry says
    and of its place among equals: the same file read twice gives the same ids. `day_ms` is the
    start of its value date, UTC.
    """

    id: str
    day_ms: int
    micros: int
    currency: str
    reference: str
    payer: str
    payer_account: str = ""
    reversal: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """What one file says of one account; `account` is empty where a CSV file names none."""

    id: str
    account: str
    currency: str
    entries: tuple[BankEntry, ...]
    opening_micros: int | None = None
    closing_micros: int | None = None


def read_csv(name: str, text: str, columns: Mapping[str, str] | None = None) -> list[Statement]:
    """The statements of a CSV file: one a currency.

    Args:
        name: The file's, for what is wrong with it.
        text: With a header: `date`, `amount`, `currency`, `reference`; `payer`, `account`, `id`
            if there are. A last row whose date is `total` has the sum of the amounts, and the
            count of the rows as its reference: it is checked.
        columns: Field -> the file's own word for it.

    Raises:
        Invalid: `bad_bank_file`, or `bank_file_checksum`; with file, line and field.
    """
    rows = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
        at = _columns(name, header, columns or {})
        read, totals = _csv_rows(name, rows, at)
    except csv.Error as error:
        raise Place(name, line=rows.line_num).bad("", str(error)) from error
    entries: list[BankEntry] = []
    ids = EntryIds()
    for line, cells in read:
        entries.append(_csv_entry(Place(name, line=line), cells, ids))
    for line, cells in totals:
        _check_total(Place(name, line=line), cells, entries)
    currencies = sorted({entry.currency for entry in entries})
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return [
        Statement(f"csv-{digest}", "", code, tuple(e for e in entries if e.currency == code))
        for code in currencies
    ]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something stands, to say what is wrong with it."""

    file: str
    path: str = ""
    line: int = 0

    def within(self, part: str) -> "Place":
        """A part of this."""
        return replace(self, path=f"{self.path}/{part}" if self.path else part)

    def bad(self, field: str, what: str) -> Invalid:
        """The file cannot be understood here."""
        return Invalid(
            "bad_bank_file",
            f"{self._said(field)}: {what}",
            "nothing was booked; mend the file, or fetch it again",
            {"file": self.file, "line": self.line, "field": self._field(field)},
        )

    def checksum(self, field: str, said: str, found: str) -> Invalid:
        """A control of the file does not hold."""
        return Invalid(
            "bank_file_checksum",
            f"{self._said(field)}: the file says {said}, its entries make {found}",
            "nothing was booked; fetch the file from the bank again",
            {
                "file": self.file,
                "line": self.line,
                "field": self._field(field),
                "said": said,
                "found": found,
            },
        )

    def agree(self, field: str, said: int, found: int, currency: str) -> None:
        """A control total is what the entries make.

        Raises:
            Invalid: `bank_file_checksum`.
        """
        if said != found:
            mine, theirs = format_minor(said, currency), format_minor(found, currency)
            raise self.checksum(field, f"{mine} {currency}", f"{theirs} {currency}")

    def currency(self, field: str, code: str) -> str:
        """A currency that this book quotes in."""
        try:
            return check_currency(code)
        except Invalid as error:
            raise self.bad(field, error.message) from error

    def micros(self, field: str, text: str, currency: str) -> int:
        """Signed micros; an amount may be written with more zeros than its currency has."""
        plain = text.removeprefix("+")
        if "." in plain:
            plain = plain.rstrip("0").removesuffix(".")
        try:
            return _bounded(parse_amount(plain, currency, least=-LEDGER_LIMIT), text)
        except Invalid as error:
            raise self.bad(field, error.message.removeprefix("amount: ")) from error

    def day(self, field: str, text: str) -> int:
        """The first instant of a date, UTC."""
        try:
            day = date.fromisoformat(text[:10])
        except ValueError:
            raise self.bad(field, f"{text!r} is not a date such as 2027-01-31") from None
        return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * MS_PER_S

    def _field(self, field: str) -> str:
        return "/".join(part for part in (self.path, field) if part)

    def _said(self, field: str) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self._field(field)) if part)


def _bounded(micros: int, text: str) -> int:
    """An amount that a sum of many still fits the ledger with.

    Raises:
        Invalid: `bad_amount`.
    """
    if abs(micros) > MOST_MICROS:
        raise Invalid("bad_amount", f"{text} is more than any bank moves at once")
    return micros


def total_micros(entries: Iterable[BankEntry]) -> int:
    """What a list of entries adds up to."""
    return sum(entry.micros for entry in entries)


class EntryIds:
    """Ids of entries that the bank gave none: equals are told apart by their order."""

    def __init__(self) -> None:
        self._seen: dict[tuple[object, ...], int] = {}
        self._given: dict[str, list[tuple[object, ...]]] = {}

    def own(self, given: str, *said: object) -> str:
        """The bank's own id; with a number where it has given it to something else before."""
        facts = self._given.setdefault(given, [])
        if said not in facts:
            facts.append(said)
        place = facts.index(said)
        return given if not place else f"{given}#{place + 1}"

    def of(self, *said: object) -> str:
        place = self._seen[said] = self._seen.get(said, 0) + 1
        words = "\x1f".join(map(str, (*said, place)))
        return f"sha256:{hashlib.sha256(words.encode()).hexdigest()[:32]}"


_FIELDS = ("date", "amount", "currency", "reference", "payer", "account", "id")
_NEEDED = _FIELDS[:4]


def _columns(name: str, header: Sequence[str], words: Mapping[str, str]) -> dict[str, int]:
    found = {}
    for field in _FIELDS:
        column = words.get(field, field).lower()
        if column in header:
            found[field] = header.index(column)
        elif field in _NEEDED or field in words:
            there = ", ".join(header) or "none"
            raise Place(name, line=1).bad(
                field, f"there is no column {column!r}; there are {there}"
            )
    return found


_Row = tuple[int, dict[str, str]]


def _csv_rows(
    name: str, rows: Iterator[list[str]], at: Mapping[str, int]
) -> tuple[list[_Row], list[_Row]]:
    """The rows of entries and those of totals, each with its line."""
    read: list[_Row] = []
    totals: list[_Row] = []
    for line, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        cells = {f: row[i].strip() if i < len(row) else "" for f, i in at.items()}
        if totals and cells["date"].lower() != "total":
            raise Place(name, line=line).bad("date", "a row of entries follows the total")
        (totals if cells["date"].lower() == "total" else read).append((line, cells))
        if len(read) > MOST_ENTRIES:
            raise Place(name, line=line).bad("", f"it has more than {MOST_ENTRIES:,} entries")
    return read, totals


def _csv_entry(at: Place, cells: Mapping[str, str], ids: EntryIds) -> BankEntry:
    currency = at.currency("currency", cells["currency"])
    micros = at.micros("amount", cells["amount"], currency)
    day = at.day("date", cells["date"])
    reference, payer = cells["reference"][:MOST_TEXT], cells.get("payer", "")[:MOST_TEXT]
    said = (day, micros, currency, reference, payer)
    given = cells.get("id", "")
    own = ids.own(given, *said) if given else ids.of(*said)
    return BankEntry(own, day, micros, currency, reference, payer, cells.get("account", ""))


def _check_total(at: Place, cells: Mapping[str, str], entries: Sequence[BankEntry]) -> None:
    currency = at.currency("currency", cells["currency"])
    mine = [entry for entry in entries if entry.currency == currency]
    said = at.micros("amount", cells["amount"], currency)
    at.agree("amount", said, total_micros(mine), currency)
    count = cells["reference"]
    if count and count != str(len(mine)):
        raise at.checksum("reference", f"{count} entries", str(len(mine)))
