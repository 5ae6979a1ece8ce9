"""Bank files: what came in, as the bank says it, with every control it carries checked.

Two forms: camt.053 (`camt`) and CSV (`bank_csv`). Invariant: a statement's entries add up to
the difference of its balances and to its own control totals, or the file is refused with the
numbers. Neighbours: `statement_checks` judges whose they are and when; `receipts` matches them.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from comptoir.units.errors import Invalid
from comptoir.units.money import LEDGER_LIMIT, check_currency, format_minor, parse_amount
from comptoir.units.time import MS_PER_S

MOST_BYTES = 20_000_000
MOST_ENTRIES = 100_000
MOST_TEXT = 500
MOST_MICROS = 10**17
EARLIEST_DAY = date(2000, 1, 1)
"""A value date before it is a slip: credit would count from it."""


@dataclass(frozen=True, slots=True)
class BankEntry:
    """One amount that was booked on an account; `micros` is negative if it went out.

    `id` is the bank's own reference where it gives one, else a digest of what the entry says
    and of its place among equals: the same file read twice gives the same ids. `day_ms` is the
    start of its value date, UTC. `end_to_end` is the payer's own reference. `reversal` says
    whether it takes another entry back; None where the file has no word for that.
    """

    id: str
    day_ms: int
    micros: int
    currency: str
    reference: str
    payer: str
    payer_account: str = ""
    reversal: bool | None = False
    end_to_end: str = ""
    bank_reference: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one file says of one account; `account` is empty where a CSV file names none."""

    id: str
    account: str
    currency: str
    entries: tuple[BankEntry, ...]
    opening_micros: int | None = None
    closing_micros: int | None = None


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
        if "." in plain and "," not in plain:
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
        if day < EARLIEST_DAY:
            raise self.bad(field, f"{day} is before {EARLIEST_DAY}: no entry is that old")
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


def in_order(entries: Iterable[BankEntry]) -> list[BankEntry]:
    """By value date, and of one day what came in first: a bounce follows its payment."""
    return sorted(entries, key=lambda entry: (entry.day_ms, entry.micros < 0))


class EntryIds:
    """Ids of a file's entries: equals that the bank gave none are told apart by their order."""

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
