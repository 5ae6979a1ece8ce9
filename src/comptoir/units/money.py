"""Money and prices: integers only, one rounding function.

The ledger holds integer micros (10^-6 of a currency). A price is exact: integer
nanos (10^-9) of a currency per accelerator-hour. An amount that is still exact is
a *numerator*: accelerator-milliseconds times price nanos, over the constant
`NUMERATOR_PER_MICRO`. Nothing here is ever a float.
"""

import re
from typing import Final

from comptoir.units.errors import Invalid
from comptoir.units.time import MS_PER_HOUR

MICROS_PER_UNIT: Final = 1_000_000
NANOS_PER_UNIT: Final = 1_000_000_000
NUMERATOR_PER_MICRO: Final = MS_PER_HOUR * (NANOS_PER_UNIT // MICROS_PER_UNIT)
MOST_PRICE_NANOS: Final = 10**18 - 1  # nine digits on each side of the point
LEDGER_LIMIT: Final = 2**63 - 1

# Minor digits of the currencies we quote in.  Source: ISO 4217.
MINOR_DIGITS: Final = {
    "AED": 2, "AUD": 2, "BHD": 3, "BRL": 2, "CAD": 2, "CHF": 2, "CNY": 2, "CZK": 2, "DKK": 2,
    "EUR": 2, "GBP": 2, "HKD": 2, "INR": 2, "ISK": 0, "JPY": 0, "KRW": 0, "KWD": 3, "NOK": 2,
    "NZD": 2, "PLN": 2, "RON": 2, "SAR": 2, "SEK": 2, "SGD": 2, "USD": 2,
}  # fmt: skip

_AMOUNT = re.compile(r"(-?)([0-9]{1,13})(?:\.([0-9]+))?")
_LONG = re.compile(r"[0-9]{14,}(?:\.[0-9]+)?")
_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def check_currency(code: str) -> str:
    """`code` itself if it is a currency we quote in.

    Raises:
        Invalid: `unknown_currency`.
    """
    if code not in MINOR_DIGITS:
        raise Invalid(
            "unknown_currency",
            f"{code!r} is not a currency this book quotes in",
            f"use one of {', '.join(MINOR_DIGITS)}",
        )
    return code


def parse_price(text: str) -> int:
    """Nanos per accelerator-hour from a decimal string such as "2.41".

    Raises:
        Invalid: `bad_price` for a sign, an exponent or no number, `too_many_decimals`.
    """
    decimals = len(text.partition(".")[2])
    if decimals > 9 and text.replace(".", "", 1).isascii() and text.replace(".", "", 1).isdigit():
        raise Invalid(
            "too_many_decimals",
            f"{text[:40]} has {decimals} decimals, a price has at most 9",
            "round it first",
            {"decimals": decimals, "most": 9},
        )
    if not _PRICE.fullmatch(text):
        raise Invalid(
            "bad_price",
            f"{text!r} is not a price: zero or more, at most 9 digits on each side of the point",
            'write it as a decimal string, for example "2.41"',
        )
    whole, _, fraction = text.partition(".")
    return int(whole) * NANOS_PER_UNIT + int(fraction.ljust(9, "0"))


def parse_amount(text: str, currency: str, field: str = "amount", least: int = 0) -> int:
    """Micros of an amount of money such as "1250.00", exact to the currency's minor unit.

    Args:
        text: A decimal string, with a minus sign where `least` allows one.
        currency: One that this book quotes in.
        field: What the caller calls it, for the refusal.
        least: The smallest that is allowed, in micros.

    Raises:
        Invalid: `bad_amount` for anything but a number, or one that is too small;
            `too_many_decimals` for more than the currency has.
    """
    digits = MINOR_DIGITS[check_currency(currency)]
    found = _AMOUNT.fullmatch(text)
    if found is None and _LONG.fullmatch(text):
        raise _too_large(field, f"{text[:40]} {currency}", digits)
    if found is None:
        raise Invalid(
            "bad_amount",
            f"{field}: {text!r} is not an amount of money",
            f'write it as a decimal string, for example "{format_micros(1250 * 10**6, digits)}"',
            {"field": field},
        )
    sign, whole, fraction = found.group(1), found.group(2), found.group(3) or ""
    if len(fraction) > digits:
        raise Invalid(
            "too_many_decimals",
            f"{field}: {text} has {len(fraction)} decimals; {currency} has {digits}",
            "round it first",
            {"field": field, "decimals": len(fraction), "currency_decimals": digits},
        )
    micros = int(whole) * MICROS_PER_UNIT + int(fraction.ljust(6, "0"))
    micros = -micros if sign else micros
    step = 10 ** (6 - digits)
    smallest = -(-least // step) * step
    if micros > LEDGER_LIMIT:
        raise _too_large(field, f"{text} {currency}", digits)
    if micros < least:
        raise Invalid(
            "bad_amount",
            f"{field}: {text} {currency} is less than {format_micros(smallest, digits)}",
            "give another amount",
            {"field": field},
        )
    return micros


def _too_large(field: str, said: str, digits: int) -> Invalid:
    step = 10 ** (6 - digits)
    most = format_micros(LEDGER_LIMIT // step * step, digits)
    return Invalid(
        "bad_amount",
        f"{field}: {said} is too large: the ledger holds at most {most}",
        "give a smaller amount",
        {"field": field, "most": most},
    )


def format_price(price_nanos: int) -> str:
    """A price as a decimal string, at least two decimals: "2.41", "0.000972"."""
    whole, fraction = divmod(price_nanos, NANOS_PER_UNIT)
    digits = f"{fraction:09d}".rstrip("0").ljust(2, "0")
    return f"{whole}.{digits}"


def format_micros(micros: int, digits: int = 6) -> str:
    """Micros as a decimal string with exactly `digits` decimals; they must be exact."""
    sign = "-" if micros < 0 else ""
    step = 10 ** (6 - digits)
    units, rest = divmod(abs(micros), MICROS_PER_UNIT)
    if rest % step:
        raise ValueError(f"{micros} micros do not fit {digits} decimals")
    return f"{sign}{units}.{rest // step:0{digits}d}" if digits else f"{sign}{units}"


def format_minor(micros: int, currency: str) -> str:
    """Micros that are whole minor units, as the currency writes them: "0.87", "120"."""
    return format_micros(micros, MINOR_DIGITS[currency])


def minor_up(micros: int, currency: str) -> str:
    """Micros for people: rounded up to whole minor units, as the currency writes them."""
    step = 10 ** (6 - MINOR_DIGITS[currency])
    return format_minor(-(-micros // step) * step, currency)


def format_percent(rate_ppm: int) -> str:
    """Parts per million as percent: "20", "5.5"."""
    whole, rest = divmod(rate_ppm, 10_000)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".")


def format_rate(rate_nanos: int) -> str:
    """A rate as a decimal string: "1.0832"."""
    whole, rest = divmod(rate_nanos, NANOS_PER_UNIT)
    return f"{whole}.{f'{rest:09d}'.rstrip('0') or '0'}"


def minor_micros(currency: str) -> int:
    """The micros of one minor unit: 10,000 of USD, 1,000,000 of JPY."""
    return int(10 ** (6 - MINOR_DIGITS[currency]))


def floor_micros(numerator: int) -> int:
    """Whole micros contained in an exact `numerator` (see the module's header)."""
    return numerator // NUMERATOR_PER_MICRO


def round_to_minor_micros(numerator: int, currency: str) -> int:
    """Micros of an exact `numerator` rounded once to the currency's minor unit, half up.

    Half away from zero, as commercial invoices round; the only rounding of money here.
    """
    step: int = NUMERATOR_PER_MICRO * 10 ** (6 - MINOR_DIGITS[currency])
    sign = -1 if numerator < 0 else 1
    minor: int = (abs(numerator) * 2 + step) // (2 * step)
    return sign * minor * int(10 ** (6 - MINOR_DIGITS[currency]))
