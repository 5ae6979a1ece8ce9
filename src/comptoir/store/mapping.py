"""Values into rows and back. A test holds that columns and fields are the same names."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from operator import attrgetter
from typing import Any

from sqlalchemy import Row

from comptoir.billing.invoices import Invoice
from comptoir.store.schema import Mapped

_NAMES: dict[type[Any], tuple[str, ...]] = {}
_GETTERS: dict[type[Any], Callable[[Any], tuple[Any, ...]]] = {}


def field_names(value: type[Any]) -> tuple[str, ...]:
    """The fields of a value, in order; its table has columns of the same names."""
    if value not in _NAMES:
        _NAMES[value] = tuple(field.name for field in fields(value))
    return _NAMES[value]


def _getter(value: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    if value not in _GETTERS:
        _GETTERS[value] = attrgetter(*field_names(value))
    return _GETTERS[value]


def to_rows(mapped: Mapped, values: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows to bind, one a value."""
    if mapped.value is Invoice:
        return [_invoice_row(value) for value in values]
    names, get = field_names(mapped.value), _getter(mapped.value)
    return [dict(zip(names, get(value), strict=True)) for value in values]


def from_row(mapped: Mapped, row: Row[Any]) -> Any:
    """The value that a row holds; the row has the value's columns in order."""
    if not mapped.rebuild:
        return mapped.value(*row)
    given = dict(zip(field_names(mapped.value), row, strict=True))
    for name, rebuild in mapped.rebuild.items():
        given[name] = rebuild(given[name])
    return mapped.value(**given)


def _invoice_row(invoice: Invoice) -> dict[str, Any]:
    row = {name: getattr(invoice, name) for name in field_names(Invoice)}
    row["lines"] = [asdict(line) for line in invoice.lines]
    return row
