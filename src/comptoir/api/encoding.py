"""Domain values into JSON, by the names and types of their fields: one rule table.

Instants lose their `_ms` and become RFC 3339; quantities that may pass 2^53 become
strings; prices and money become decimal strings. Encoders are made once a type.
"""

import json
from collections.abc import Callable, Hashable
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, cast

from comptoir.units.money import format_micros, format_price
from comptoir.units.recurrence import format_recurrence
from comptoir.units.time import format_instant

Encoder = Callable[[Any], dict[str, Any]]
Rule = tuple[str, Callable[[Any], Any] | None]

HIDDEN = frozenset({"secret_sha256", "busy_metered_ms", "occupied_until_ms", "forgotten"})
"""Fields that never leave: secrets' hashes and the desk's own bookkeeping."""

HOUSE_ONLY = frozenset({"inbound_lease_id", "reclaimed_for"})
"""Fields that are null to tenants: they may name what is not theirs."""

HOUSE_ONLY_DATA = frozenset({"reclaimed_for", "why", "cost_accelerator_ms", "inbound_lease_id"})

_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
instant = lru_cache(maxsize=65_536)(format_instant)


def _maybe(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


def money(micros: int) -> str:
    """Micros as an exact decimal string with two to six decimals: "0.87", "0.000123"."""
    whole, _, rest = format_micros(micros).partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(2, '0')}"


def amount_of(unit: str, amount: int) -> str:
    """An amount of a ledger unit: money for a currency, else a whole number."""
    return str(amount) if ":" in unit else money(amount)


_EXACT: dict[str, Rule] = {
    "accelerator_ms": ("accelerator_ms", str),
    "busy_ms": ("busy_accelerator_ms", str),
    "memory_bytes": ("memory_bytes", str),
    "size_bytes": ("size_bytes", str),
    "numerator": ("numerator", str),
    "price_nanos": ("price_per_accelerator_hour", format_price),
    "cost_nanos": ("cost_per_accelerator_hour", format_price),
    "environment": ("environment", dict),
    "selling_windows": ("selling_windows", lambda windows: [*map(format_recurrence, windows)]),
}


def rule(name: str) -> Rule:
    """The JSON name of a field and how its value is written; None: as it is."""
    if name in _EXACT:
        return _EXACT[name]
    if name.endswith("accelerator_ms"):
        return name, str
    if name.endswith("_micros"):
        return name.removesuffix("_micros"), money
    if name.endswith("_ms"):
        return name.removesuffix("_ms"), _maybe(instant)
    return name, None


@lru_cache(maxsize=256)
def _encoder(kind: Hashable, house: bool) -> Encoder:
    """The encoder of one dataclass: plain names copied, the others converted in place."""
    names = [f.name for f in fields(cast(type[Any], kind)) if f.name not in HIDDEN]
    rules = [rule(name) for name in names]
    keys = tuple(key for key, _ in rules)
    get = attrgetter(*names)
    converted = [(key, convert) for key, convert in rules if convert is not None]
    hidden = () if house else tuple(name for name in names if name in HOUSE_ONLY)

    def encode(value: Any) -> dict[str, Any]:
        said = dict(zip(keys, get(value), strict=True))
        for key, convert in converted:
            said[key] = convert(said[key])
        for key in hidden:
            said[key] = None
        return said

    return encode


def encode(value: Any, house: bool) -> dict[str, Any]:
    """A domain value as JSON-ready names and values, as the house or a tenant sees it."""
    kind: Any = type(value)
    return _encoder(kind, house)(value)


def encode_data(data: Any, house: bool) -> dict[str, Any]:
    """The numbers of an event, under the same rules."""
    said = {}
    for name, value in data.items():
        if not house and name in HOUSE_ONLY_DATA:
            continue
        key, convert = rule(name)
        if value is not None and convert is money:
            value = money(int(value))
        elif value is not None and convert is not None:
            value = convert(value)
        said[key] = value
    return said


def dump(said: Any) -> bytes:
    """JSON bytes; text as it is."""
    return _json(said).encode()
