"""Rates of exchange: dated, imported, never guessed; money changes currency only at a payment
and at the revaluation of a close.

A rate holds from its day on until the next one, for at most `MOST_AGE_DAYS`. A pair that has no
rate of its own is taken the other way round, or through one currency that both have a rate with.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from comptoir.billing.imported import read_rows
from comptoir.units.errors import Conflict, Invalid, Refused
from comptoir.units.money import NANOS_PER_UNIT, check_currency, format_rate
from comptoir.units.recurrence import DAY_MS
from comptoir.units.time import format_day, parse_day

FX_FIELDS = ("date", "base", "quote", "rate")
MOST_AGE_DAYS = 10
_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")

FxKey = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class FxRate:
    """One unit of `base` is worth `rate_nanos` / 10^9 units of `quote`, from a day (UTC) on."""

    base: str
    quote: str
    day_ms: int
    rate_nanos: int
    source: str
    imported_at_ms: int
    imported_by: str

    @property
    def key(self) -> FxKey:
        """What names it for ever."""
        return (self.base, self.quote, self.day_ms)


@dataclass(frozen=True, slots=True)
class Conversion:
    """From one currency to another, exactly: times `numerator` over `denominator`.

    `rates` are those that it rests on: one, two where it goes through a third currency, none
    from a currency to itself.
    """

    base: str
    quote: str
    numerator: int
    denominator: int
    rates: tuple[FxRate, ...]

    def convert(self, micros: int) -> int:
        """Micros of `quote` for micros of `base`, rounded once, half away from zero."""
        sign = -1 if micros < 0 else 1
        return sign * (
            (abs(micros) * self.numerator * 2 + self.denominator) // (2 * self.denominator)
        )


def conversion_at(rates: Iterable[FxRate], base: str, quote: str, instant_ms: int) -> Conversion:
    """How to convert one currency into another at an instant.

    Args:
        rates: All there are, in any order.
        base: From.
        quote: To.
        instant_ms: When: the value date of a payment, the end of a period.

    Raises:
        Refused: `no_fx_rate`: none that leads there, or the last is older than `MOST_AGE_DAYS`;
            it names that one and its day.
    """
    if base == quote:
        return Conversion(base, quote, 1, 1, ())
    rates = list(rates)
    newest = _newest(rates, instant_ms)
    direct = _leg(newest, base, quote)
    if direct is not None:
        return direct
    through = [
        Conversion(
            base,
            quote,
            one.numerator * two.numerator,
            one.denominator * two.denominator,
            one.rates + two.rates,
        )
        for middle in sorted({currency for pair in newest for currency in pair} - {base, quote})
        if (one := _leg(newest, base, middle)) and (two := _leg(newest, middle, quote))
    ]
    if through:
        return max(through, key=lambda found: min(rate.day_ms for rate in found.rates))
    raise _no_rate(rates, base, quote, instant_ms)


def _no_rate(rates: Iterable[FxRate], base: str, quote: str, instant_ms: int) -> Refused:
    """Why there is no conversion: none was ever imported, or the last is too old, and how old."""
    day_ms = instant_ms - instant_ms % DAY_MS
    told = {"base": base, "quote": quote, "date": format_day(day_ms)}
    said = ""
    old = [r for r in rates if {r.base, r.quote} == {base, quote} and r.day_ms <= instant_ms]
    if old:
        last = max(old, key=lambda rate: rate.day_ms)
        told |= {"last": format_rate(last.rate_nanos), "last_date": format_day(last.day_ms)}
        said = (
            f": the last, {format_rate(last.rate_nanos)} from {last.base} to {last.quote}, is of "
            f"{format_day(last.day_ms)}, {(day_ms - last.day_ms) // DAY_MS} days before"
        )
    return Refused(
        "no_fx_rate",
        f"no rate from {base} to {quote} on {format_day(day_ms)}, nor in the {MOST_AGE_DAYS} days "
        f"before{said}",
        "import it: comptoir entity import-fx FILE",
        told,
    )


def _newest(rates: Iterable[FxRate], instant_ms: int) -> dict[tuple[str, str], FxRate]:
    found: dict[tuple[str, str], FxRate] = {}
    for rate in rates:
        if not instant_ms - MOST_AGE_DAYS * DAY_MS < rate.day_ms <= instant_ms:
            continue
        pair = (rate.base, rate.quote)
        if pair not in found or found[pair].day_ms < rate.day_ms:
            found[pair] = rate
    return found


def _leg(newest: dict[tuple[str, str], FxRate], base: str, quote: str) -> Conversion | None:
    """A pair as it is quoted, or the other way round; the younger of the two."""
    there, back = newest.get((base, quote)), newest.get((quote, base))
    if there is not None and (back is None or back.day_ms <= there.day_ms):
        return Conversion(base, quote, there.rate_nanos, NANOS_PER_UNIT, (there,))
    if back is not None:
        return Conversion(base, quote, NANOS_PER_UNIT, back.rate_nanos, (back,))
    return None


def read_fx_rates(text: str, source: str, now_ms: int, by: str) -> list[FxRate]:
    """The rates of a CSV file: date, base, quote, rate.

    Raises:
        Invalid: `bad_table`, with line, field and value.
    """
    found: dict[FxKey, FxRate] = {}
    for row in read_rows(text, FX_FIELDS):
        rate = FxRate(
            row.read("base", check_currency),
            row.read("quote", check_currency),
            row.read("date", parse_day),
            row.read("rate", _rate_nanos),
            source,
            now_ms,
            by,
        )
        if rate.base == rate.quote:
            raise row.bad("quote", f"{rate.quote} against itself")
        if rate.day_ms > now_ms:
            raise row.bad("date", f"{format_day(rate.day_ms)} has not come yet")
        if rate.key in found:
            raise row.bad("date", f"{rate.base} to {rate.quote} is there twice")
        found[rate.key] = rate
    return list(found.values())


def refuse_contradiction(rate: FxRate, known: FxRate) -> None:
    """A rate that was imported before may be imported again; it may not say something else.

    Raises:
        Conflict: `fx_rate_contradicts`.
    """
    if known.rate_nanos == rate.rate_nanos:
        return
    raise Conflict(
        "fx_rate_contradicts",
        f"{rate.base} to {rate.quote} on {format_day(rate.day_ms)} is "
        f"{format_rate(known.rate_nanos)}, and the file says {format_rate(rate.rate_nanos)}",
        "payments may rest on it: correct with the next day's rate",
        {"base": rate.base, "quote": rate.quote, "date": format_day(rate.day_ms)},
    )


def _rate_nanos(text: str) -> int:
    whole, _, part = text.partition(".")
    if not _RATE.fullmatch(text) or not int(whole + part):
        raise Invalid(
            "bad_rate",
            f"{text[:40]!r} is not a rate: above zero, at most 9 digits on each side of the point",
            'write it like "1.0832"',
        )
    return int(whole) * NANOS_PER_UNIT + int(part.ljust(9, "0"))
