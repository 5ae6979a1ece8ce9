"""How values are written for others: one rule table, by the names of fields.

Instants lose their `_ms` and become RFC 3339; quantities that may pass 2^53 become strings;
prices and money become decimal strings. The API, the feed, webhooks and mails all write by
this table, so that a number reads the same wherever it is met.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from comptoir.units.money import format_micros, format_percent, format_price, format_rate
from comptoir.units.recurrence import format_recurrence
from comptoir.units.time import MS_PER_HOUR, format_day, format_instant

Rule = tuple[str, Callable[[Any], Any] | None]

HOUSE_ONLY_DATA = frozenset({"reclaimed_for", "why", "cost_accelerator_ms", "inbound_lease_id"})
"""Numbers of an event that are not told to tenants: they may name what is not theirs."""


def json_writer(ensure_ascii: bool, sort_keys: bool) -> Callable[[Any], str]:
    """A function that writes values as compact JSON.

    The standard library's `encode` makes its C encoder anew for every value, which costs as
    much as writing a small one; here it is made once.
    """
    plain = json.JSONEncoder(ensure_ascii=ensure_ascii, sort_keys=sort_keys, separators=(",", ":"))
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return plain.encode
    text = json.encoder.encode_basestring_ascii if ensure_ascii else json.encoder.encode_basestring
    encode = make(None, plain.default, text, None, ":", ",", sort_keys, False, True)
    return lambda value: "".join(encode(value, 0))


_json = json_writer(ensure_ascii=False, sort_keys=False)
instant = lru_cache(maxsize=65_536)(format_instant)


def _maybe(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


def money(micros: int) -> str:
    """Micros as an exact decimal string with two to six decimals: "0.87", "0.000123"."""
    whole, _, rest = format_micros(micros).partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(2, '0')}"


def _tier(tier: tuple[int, int]) -> dict[str, Any]:
    return {
        "from_accelerator_hours": tier[0] // MS_PER_HOUR,
        "price_per_accelerator_hour": format_price(tier[1]),
    }


def _part(part: Any) -> dict[str, Any]:
    return {
        "invoice_id": part.invoice_id,
        "amount": money(part.micros),
        "paid": money(part.paid_micros),
        "realised": money(part.realised_micros),
    }


_EXACT: dict[str, Rule] = {
    "parts": ("parts", lambda parts: [*map(_part, parts)]),
    "micros": ("amount", money),
    "accelerator_ms": ("accelerator_ms", str),
    "busy_ms": ("busy_accelerator_ms", str),
    "memory_bytes": ("memory_bytes", _maybe(str)),
    "size_bytes": ("size_bytes", str),
    "numerator": ("numerator", str),
    "price_nanos": ("price_per_accelerator_hour", format_price),
    "list_price_nanos": ("list_price_per_accelerator_hour", format_price),
    "list_numerator": ("list_numerator", str),
    "cost_nanos": ("cost_per_accelerator_hour", format_price),
    "environment": ("environment", dict),
    "sources": ("sources", dict),
    "tax_ids": ("tax_ids", dict),
    "rate_ppm": ("rate_percent", format_percent),
    "rate_nanos": ("rate", format_rate),
    "from_day_ms": ("from_date", format_day),
    "day_ms": ("date", format_day),
    "alternatives": ("alternatives", lambda choices: [*map(asdict, choices)]),
    "tiers": ("tiers", lambda tiers: [*map(_tier, tiers)]),
    "selling_windows": ("selling_windows", lambda windows: [*map(format_recurrence, windows)]),
}


def rule(name: str) -> Rule:
    """The JSON name of a field and how its value is written; None: as it is."""
    if name in _EXACT:
        return _EXACT[name]
    if name.endswith("accelerator_ms"):
        return name, str
    if name.endswith("_micros"):
        return name.removesuffix("_micros"), _maybe(money)
    if name.endswith("_ms"):
        return name.removesuffix("_ms"), _maybe(instant)
    return name, None


def encode_data(data: Mapping[str, Any], house: bool) -> dict[str, Any]:
    """The numbers of an event, as the house or a tenant is told them."""
    said = {}
    for name, value in data.items():
        if not house and name in HOUSE_ONLY_DATA:
            continue
        key, convert = rule(name)
        if value is not None and (name == "micros" or name.endswith("_micros")):
            value = money(int(value))
        elif value is not None and convert is not None:
            value = convert(value)
        said[key] = value
    return said


def dump(said: Any) -> bytes:
    """JSON bytes; text as it is."""
    return _json(said).encode()
