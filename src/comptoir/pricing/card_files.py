"""Rate cards that people write: a TOML file or a CSV table, read whole or not at all.

Every problem is named with its line and field. What the book makes of it (is a date past, does
a rate overlap) is the desk's to judge.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from comptoir.fleet.kinds import check_kind
from comptoir.leases.lease import LeaseClass
from comptoir.leases.term import LeaseTerm
from comptoir.metering.usage import Measure
from comptoir.pricing.skus import Sku
from comptoir.pricing.tiers import Tier, check_tiers
from comptoir.units.durations import parse_duration_s
from comptoir.units.errors import Invalid
from comptoir.units.fields import currency, instant, price, string, whole
from comptoir.units.money import format_price, parse_price
from comptoir.units.reading import Judge, Reading, Table, bad_value
from comptoir.units.text import check_count, check_slug, check_text
from comptoir.units.time import MS_PER_HOUR

MOST_RATES = 5_000
MOST_LETTERS = 4_000_000
MOST_HOURS = 2**31 - 1
MOST_MINIMUM_S = 1_096 * 86_400
MOST_GRANULARITY_S = 86_400
E = TypeVar("E", bound=StrEnum)
FIELDS = (
    "kind", "class", "price", "site", "term", "measure", "from", "minimum", "granularity", "sku",
    "tiers",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CardRate:
    """One rate of a file. `line` is where it stands."""

    line: int
    kind: str
    lease_class: LeaseClass
    price_nanos: int
    measure: Measure
    effective_from_ms: int | None
    site: str
    term: LeaseTerm
    sku: Sku
    tiers: tuple[Tier, ...]
    minimum_s: int
    granularity_s: int

    @property
    def key(self) -> tuple[object, ...]:
        """What it prices, and since when: there is one rate for it."""
        return (
            self.sku, self.kind, self.lease_class, self.site, self.term, self.effective_from_ms
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class CardFile:
    """A card as a file says it: its currency counts where the card is new."""

    file: str
    name: str
    currency: str
    rates: tuple[CardRate, ...]


def read_card_file(file: str, text: str, name: str = "", given_currency: str = "") -> CardFile:
    """A card from TOML, or from CSV where the file's name says so.

    Args:
        file: What it is called: the problems name it.
        text: What it holds.
        name: The card's, where the file does not say it; a CSV table never does.
        given_currency: As `name`.

    Raises:
        Invalid: the first problem, with all of them.
    """
    reading = Reading(file, "docs/bill.md: Prices")
    document: dict[str, Any] | None
    if file.lower().endswith(".csv"):
        document = _read_csv(reading, text)
    else:
        document = reading.read_toml(text, MOST_LETTERS)
    if document is None:
        reading.raise_problems()
    given = {"name": name, "currency": given_currency}
    top = Table(reading, (), {**{k: v for k, v in given.items() if v}, **(document or {})})
    card = top.take("name", lambda field, value: check_slug(field, string(value)))
    quoted = top.take("currency", currency)
    tables = top.tables("rate", True, MOST_RATES)
    rates: dict[tuple[object, ...], CardRate] = {}
    for table in tables:
        rate = _rate(table)
        if rate is not None:
            other = rates.setdefault(rate.key, rate)
            if other is not rate:
                table.wrong("from", _overlap(other))
    top.close()
    reading.raise_problems()
    return CardFile(file, card, quoted, tuple(rates.values()))


def _overlap(other: CardRate) -> Invalid:
    return Invalid(
        "rate_overlaps",
        f"the rate at line {other.line} is for the same and starts at the same instant, "
        f"at {format_price(other.price_nanos)}",
        "keep one of them, or give the second a later from",
    )


def check_site(field: str, site: str) -> str:
    """The name of a site, or empty for any."""
    return check_text(field, site, 0, 64)


def check_kind_of(sku: Sku, kind: str) -> str:
    """What a rate of an SKU prices: an accelerator kind of the catalogue, or any other name."""
    return check_kind(kind) if sku is Sku.ACCELERATOR else check_slug("kind", kind)


def check_class_of(sku: Sku, lease_class: LeaseClass | None) -> LeaseClass:
    """The class that a rate of an SKU prices: of accelerators one that is said.

    Storage and tokens have no lease, so no class: their rates are as `on_demand` ones, used as it
    comes.

    Raises:
        Invalid: `class_missing`, `not_of_accelerators`.
    """
    if sku is Sku.ACCELERATOR:
        if lease_class is None:
            raise Invalid(
                "class_missing",
                "a price of accelerators is of a class of leases",
                f"say which: {', '.join(LeaseClass)}",
                {"field": "lease_class"},
            )
        return lease_class
    if lease_class not in (None, LeaseClass.ON_DEMAND):
        raise Invalid(
            "not_of_accelerators",
            f"a class is of a lease, and {sku} has none, not {lease_class}",
            "leave it out",
            {"field": "lease_class"},
        )
    return LeaseClass.ON_DEMAND


def _rate(table: Table) -> CardRate | None:
    """One rate; None where something of it is wrong, which the reading remembers."""
    sku = table.take("sku", _word(Sku), Sku.ACCELERATOR)
    kind = table.take("kind", lambda _, value: check_kind_of(sku, string(value)))
    classes = _word(LeaseClass)
    if sku in (None, Sku.ACCELERATOR):
        lease_class = table.take("class", classes)
    else:
        lease_class = table.take(
            "class",
            lambda field, value: check_class_of(sku, classes(field, value)),
            LeaseClass.ON_DEMAND,
        )
    nanos = table.take("price", price)
    measure = table.take("measure", _word(Measure), Measure.DELIVERED)
    effective = table.take("from", instant, None)
    site = table.take("site", lambda field, value: check_site(field, string(value)), "")
    term = table.take("term", _word(LeaseTerm), LeaseTerm.HOUR)
    minimum = table.take("minimum", _seconds(MOST_MINIMUM_S), 0)
    granularity = table.take("granularity", _seconds(MOST_GRANULARITY_S), 0)
    tiers = _tiers(table)
    if not table.close() or tiers is None:
        return None
    return CardRate(
        table.reading.line_of(table.path), kind, lease_class, nanos, measure, effective, site,
        term, sku, tiers, minimum, granularity,
    )  # fmt: skip


def _tiers(table: Table) -> tuple[Tier, ...] | None:
    """Tiers as tables of `from_hours` and `price`, or in one word: "1000:1.90 5000:1.50"."""
    spoken = table.take("tiers", _tier_words, ())
    written = table.tables("tier", False, 100)
    tiers = list(spoken or ())
    for one in written:
        hours = one.take("from_hours", whole(1, MOST_HOURS))
        nanos = one.take("price", price)
        if not one.close():
            return None
        tiers.append(Tier(hours * MS_PER_HOUR, nanos))
    try:
        return check_tiers(tiers)
    except Invalid as error:
        table.wrong("tiers" if spoken else "tier", error)
        return None


def _tier_words(field: str, value: Any) -> tuple[Tier, ...]:
    return tuple(parse_tier(part) for part in string(value).split())


def parse_tier(text: str) -> Tier:
    """A tier from "1000:1.90": from so many accelerator-hours on, such a price.

    Raises:
        Invalid: `bad_tiers`, and those of `parse_price`.
    """
    hours, colon, nanos = text.partition(":")
    if not (colon and hours.isascii() and hours.isdigit() and len(hours) <= 10):
        raise Invalid(
            "bad_tiers",
            f"tiers: {text[:40]!r} is not a tier",
            'write it as HOURS:PRICE, for example "1000:1.90"',
            {"field": "tiers"},
        )
    count = check_count("tiers", int(hours), 1, MOST_HOURS)
    return Tier(count * MS_PER_HOUR, parse_price(nanos))


def _word(values: type[E]) -> Judge:
    def judge(_: str, value: Any) -> E:
        if value not in tuple(values):
            raise bad_value(value, "one of " + ", ".join(values))
        return values(value)

    return judge


def _seconds(most: int) -> Callable[[str, Any], int]:
    def judge(field: str, value: Any) -> int:
        return check_count(field, parse_duration_s(string(value)), 0, most)

    return judge


def _read_csv(reading: Reading, text: str) -> dict[str, Any] | None:
    """The rows of a table as a document of the same form as TOML's; empty cells are not said."""
    rates: list[dict[str, str]] = []
    header: list[str] = []
    lines = csv.reader(text.splitlines(), strict=True)
    try:
        for cells in lines:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            reading.lines["rate", len(rates)] = lines.line_num
            if not header:
                header = cells
            elif len(cells) != len(header):
                reading.add(
                    ("rate", len(rates)),
                    bad_value(
                        ",".join(cells), f"{len(header)} values, as many as line 1 has names"
                    ),
                )
                return None
            else:
                rates.append({k: v for k, v in zip(header, cells, strict=True) if v})
    except csv.Error as error:
        reading.lines[()] = max(lines.line_num, 1)
        reading.add((), Invalid("file_bad_value", str(error), "write it as CSV, in UTF-8"))
        return None
    return {"rate": rates}
