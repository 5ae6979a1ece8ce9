"""Bank files in CSV: columns by name, points or commas, and a total that is checked.

Banks write the same thing in two ways: commas between columns and a decimal point, or
semicolons between columns, a decimal comma and the day first. The header tells which.
Invariant: nothing is guessed; what could be read in two ways is refused with its line.
Neighbour: `bank_files` has the values.
"""

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from comptoir.billing.bank_files import (
    MOST_ENTRIES,
    MOST_TEXT,
    BankEntry,
    EntryIds,
    Place,
    Statement,
    total_micros,
)
from comptoir.units.banking import check_iban

_FIELDS = (
    *("date", "amount", "currency", "reference", "payer", "account", "id"),
    *("payer_account", "end_to_end", "reversal"),
)
_NEEDED = _FIELDS[:4]
MOST_COLUMNS = len(_FIELDS)

_YES, _NO = ("true", "yes", "1", "x"), ("false", "no", "0", "")
_BLANKS = re.compile(r"[\s\u00a0\u202f']")
_COMMA = re.compile(r"([+-]?)([0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+),([0-9]+)")
_DAY_FIRST = re.compile(r"([0-9]{2})[./]([0-9]{2})[./]([0-9]{4})")
_IBAN = re.compile(r"[A-Za-z]{2}[0-9]{2}[A-Za-z0-9 ]{8,40}")


@dataclass(frozen=True, slots=True)
class _Form:
    """How a file is written: what stands between columns; `commas`: the decimal comma."""

    delimiter: str

    @property
    def commas(self) -> bool:
        return self.delimiter == ";"


def read_csv(name: str, text: str, columns: Mapping[str, str] | None = None) -> list[Statement]:
    """The statements of a CSV file: one an account and currency.

    Args:
        name: The file's, for what is wrong with it.
        text: With a header: `date`, `amount`, `currency`, `reference`; if there are, `account`
            (ours), `payer`, `payer_account`, `id` (the bank's own), `end_to_end` (the payer's
            own), `reversal` (a payment that is taken back). A last row whose date is `total`
            has the sum of the amounts, and the count of the rows as its reference: checked.
        columns: Field -> the file's own word for it.

    Raises:
        Invalid: `bad_bank_file`, `bad_iban`, or `bank_file_checksum`; with file, line and field.
    """
    first = text.lstrip("\r\n").partition("\n")[0]
    form = _Form(";" if first.count(";") > first.count(",") else ",")
    lines = text.splitlines(keepends=True)
    rows = csv.reader(lines, strict=True, delimiter=form.delimiter)
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
        at = _columns(name, header, columns or {})
        read, totals = _csv_rows(name, rows, at, len(header))
    except csv.Error as error:
        raise Place(name, line=rows.line_num).bad("", str(error)) from error
    ids = EntryIds()
    found: list[tuple[str, BankEntry]] = []
    for line, cells in read:
        place = Place(name, line=line)
        found.append((_account(place, cells), _entry(place, cells, ids, form)))
    for line, cells in totals:
        _check_total(Place(name, line=line), cells, [entry for _, entry in found], form)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return [
        Statement(
            f"csv-{digest}",
            account,
            code,
            tuple(e for whose, e in found if (whose, e.currency) == (account, code)),
        )
        for account, code in sorted({(whose, entry.currency) for whose, entry in found})
    ]


def _columns(name: str, header: Sequence[str], words: Mapping[str, str]) -> dict[str, int]:
    found = {}
    for field in _FIELDS:
        column = words.get(field, field).lower()
        if header.count(column) > 1:
            said = f"the header names {column!r} {header.count(column)} times: which one is meant?"
            raise Place(name, line=1).bad(field, said)
        if column in header:
            found[field] = header.index(column)
        elif field in _NEEDED or field in words:
            there = ", ".join(header) or "none"
            raise Place(name, line=1).bad(
                field,
                f"there is no column {column!r}; there are {there}. Needed are "
                f"{', '.join(_NEEDED)}: say which is which, as --column {field}=COLUMN does",
            )
    return found


_Row = tuple[int, dict[str, str]]


def _csv_rows(
    name: str, rows: Iterator[list[str]], at: Mapping[str, int], columns: int
) -> tuple[list[_Row], list[_Row]]:
    """The rows of entries and those of totals, each with its line."""
    read: list[_Row] = []
    totals: list[_Row] = []
    for line, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) < columns or any(cell.strip() for cell in row[columns:]):
            said = f"it has {len(row)} values, and the header names {columns} columns"
            raise Place(name, line=line).bad("", said)
        cells = {f: row[i].strip() for f, i in at.items()}
        if totals and cells["date"].lower() != "total":
            raise Place(name, line=line).bad("date", "a row of entries follows the total")
        (totals if cells["date"].lower() == "total" else read).append((line, cells))
        if len(read) > MOST_ENTRIES:
            raise Place(name, line=line).bad("", f"it has more than {MOST_ENTRIES:,} entries")
    return read, totals


def _entry(at: Place, cells: Mapping[str, str], ids: EntryIds, form: _Form) -> BankEntry:
    currency = at.currency("currency", cells["currency"])
    micros = at.micros("amount", _amount(cells["amount"], form), currency)
    day = at.day("date", _day(cells["date"], form))
    reference, payer = cells["reference"][:MOST_TEXT], cells.get("payer", "")[:MOST_TEXT]
    said = (day, micros, currency, reference, payer)
    given = cells.get("id", "")
    own = ids.own(given, *said) if given else ids.of(*said)
    return BankEntry(
        own, day, micros, currency, reference, payer, cells.get("payer_account", "")[:MOST_TEXT],
        _reversal(at, cells), cells.get("end_to_end", "")[:MOST_TEXT], given,
    )  # fmt: skip


def _account(at: Place, cells: Mapping[str, str]) -> str:
    """Our account that a row is of, empty where the file names none."""
    text = cells.get("account", "")
    return check_iban(at.within("account").path, text) if _IBAN.fullmatch(text) else text


def _amount(text: str, form: _Form) -> str:
    """An amount with a decimal point, as the ledger reads it."""
    bare = _BLANKS.sub("", text)
    found = _COMMA.fullmatch(bare) if form.commas else None
    if found is None:
        return bare if form.commas else text
    sign, units, part = found.groups()
    return f"{sign}{units.replace('.', '')}.{part}"


def _day(text: str, form: _Form) -> str:
    """A date as ISO 8601 has it; with a slash, the day comes first where the comma is decimal."""
    found = _DAY_FIRST.fullmatch(text)
    if found is None or ("/" in text and not form.commas):
        return text
    day, month, year = found.groups()
    return f"{year}-{month}-{day}"


def _reversal(at: Place, cells: Mapping[str, str]) -> bool | None:
    """Whether a row takes a payment back; None where the file has no column for it."""
    if "reversal" not in cells:
        return None
    word = cells["reversal"].lower()
    if word not in (*_YES, *_NO):
        raise at.bad("reversal", f"{word!r} is neither yes nor no")
    return word in _YES


def _check_total(
    at: Place, cells: Mapping[str, str], entries: Sequence[BankEntry], form: _Form
) -> None:
    currency = at.currency("currency", cells["currency"])
    mine = [entry for entry in entries if entry.currency == currency]
    said = at.micros("amount", _amount(cells["amount"], form), currency)
    at.agree("amount", said, total_micros(mine), currency)
    count = cells["reference"]
    if count and count != str(len(mine)):
        raise at.checksum("reference", f"{count} entries", str(len(mine)))
