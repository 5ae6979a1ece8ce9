"""Domain values into JSON, by the rule table of `units/wire.py`. Encoders are made once a type."""

from collections.abc import Callable, Hashable
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, cast

from comptoir.units.wire import dump, encode_data, instant, money, rule

__all__ = ["amount_of", "dump", "encode", "encode_data", "instant", "money", "rule"]

Encoder = Callable[[Any], dict[str, Any]]

HIDDEN = frozenset(
    {
        "secret_sha256",
        "busy_metered_ms",
        "occupied_until_ms",
        "forgotten",
        "warned_end_ms",
        "service_month_ms",
        "unbilled_micros",
    }
)
"""Fields that never leave: secrets' hashes and the desk's own bookkeeping."""

HOUSE_ONLY = frozenset({"inbound_lease_id", "issued_with", "reclaimed_for"})
"""Fields that are null to tenants: they may name what is not theirs."""


def amount_of(unit: str, amount: int) -> str:
    """An amount of a ledger unit: money for a currency, else a whole number."""
    return str(amount) if ":" in unit else money(amount)


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
