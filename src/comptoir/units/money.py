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
        Invalid: `bad_price` for a sign, an exponent, more than 9 decimals, or no number.
    """
    if not _PRICE.fullmatch(text):
        raise Invalid(
            "bad_price",
            f"{text!r} is not a price: zero or more, at most 9 digits on each side of the point",
            'write it as a decimal string, for example "2.41"',
        )
    whole, _, fraction = text.partition(".")
    return int(whole) * NANOS_PER_UNIT + int(fraction.ljust(9, "0"))


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
