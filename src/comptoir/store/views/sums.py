"""Exact sums in SQL: SQLite's SUM fails past 2^63, so a sum is taken in two halves."""

from typing import Any

from sqlalchemy import JSON, BigInteger, ColumnElement, Connection, Integer, cast, func, literal

_HALF = 2**31


def exact_sum(column: Any) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """The two halves of a sum of 64-bit integers; `whole` puts them together.

    Division and remainder both truncate towards zero in SQLite and PostgreSQL.
    """
    half = literal(_HALF, BigInteger)
    high = func.coalesce(func.sum(column.op("/")(half)), 0)
    low = func.coalesce(func.sum(column.op("%")(half)), 0)
    return high, low


def is_not_zero(high: Any, low: Any) -> ColumnElement[bool]:
    """Whether a sum that fits 64 bits is not zero, in SQL: its halves may have opposite signs."""
    found: ColumnElement[bool] = high * literal(_HALF, BigInteger) + low != 0
    return found


def whole(high: Any, low: Any) -> int:
    """The sum from its halves."""
    return int(high) * _HALF + int(low)


def array_length(connection: Connection, column: Any) -> ColumnElement[int]:
    """How many items a column of JSON text holds."""
    if connection.dialect.name == "postgresql":
        return func.json_array_length(cast(column, JSON), type_=Integer)
    return func.json_array_length(column, type_=Integer)
