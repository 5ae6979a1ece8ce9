"""Rating through DuckDB: it adds up, `pricing/rating.py` prices. The extra `comptoir[rating]`.

Time is divided into epochs, by every instant at which any price changes. All rows are added up
by key and by the epoch in which they start: one pass, with one more column than a bare GROUP BY.
The few rows that end in another epoch are then taken off that sum and put in again, cut where
they cross. Sums are HUGEINT, 128 bits: they do not overflow.
"""

from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

from comptoir.pricing.rating import Rating
from comptoir.units.errors import Unavailable
from comptoir.units.time import LATEST_MS

COLUMNS = (
    "tenant_id", "kind", "lease_class", "site", "term", "measure", "starts_at_ms", "ends_at_ms",
    "accelerator_ms",
)  # fmt: skip
KEY = ", ".join(COLUMNS[:6])
_AT_ONCE = 10_000


def open_duckdb(directory: Path, memory_mib: int = 600, threads: int | None = None) -> Any:
    """A connection to a DuckDB file of its own, which spills beside it.

    Raises:
        Unavailable: `rating_not_installed`.
    """
    try:
        duckdb = import_module("duckdb")
    except ModuleNotFoundError:
        raise Unavailable(
            "rating_not_installed",
            "this needs DuckDB, which is not installed",
            "pip install 'comptoir[rating]'",
        ) from None
    given: dict[str, Any] = {
        "memory_limit": f"{memory_mib}MiB",
        "temp_directory": str(directory / "spilled"),
        "autoinstall_known_extensions": False,
        "preserve_insertion_order": False,
    }
    if threads is not None:
        given["threads"] = threads
    return duckdb.connect(str(directory / "usage.duckdb"), config=given)


def rate_table(connection: Any, table: str, cuts: Sequence[int], rating: Rating) -> None:
    """Count every row of a table, or of anything else that DuckDB can read as one.

    Args:
        connection: From `open_duckdb`.
        table: What stands after FROM; it has `COLUMNS`.
        cuts: Every instant at which any price changes, in order.
        rating: Where they are counted.
    """
    least = connection.execute(f"SELECT min(starts_at_ms) FROM {table}").fetchall()[0][0]
    if least is None:
        return
    sums = connection.execute(_statement(table, cuts))
    while found := sums.fetchmany(_AT_ONCE):
        for *key, epoch, count, accelerator_ms in found:
            instant = cuts[epoch - 1] if epoch else least
            rating.add_sum(tuple(key), max(instant, least), accelerator_ms)
            rating.rows += count


def _statement(table: str, cuts: Sequence[int]) -> str:
    """Sums by key and epoch: whole rows where they start, then those over an edge put right."""
    epoch = _epoch("starts_at_ms", cuts, 0, len(cuts))
    whole = f"""
        SELECT {KEY}, {epoch} AS epoch, count(*) AS rows, sum(accelerator_ms)::HUGEINT AS amount
        FROM {table} GROUP BY {KEY}, epoch
    """
    if not cuts:
        return whole
    over = " OR ".join(f"(starts_at_ms < {cut} AND ends_at_ms > {cut})" for cut in cuts)
    edges = [0, *cuts, LATEST_MS]
    spans = ", ".join(f"({n}, {low}, {high})" for n, (low, high) in enumerate(pairwise(edges)))
    return f"""
        WITH over_an_edge AS MATERIALIZED (
            SELECT {", ".join(COLUMNS)} FROM {table} WHERE {over}
        ),
        spans(epoch, low, high) AS (VALUES {spans}),
        parts AS (
            {whole}
            UNION ALL
            SELECT {KEY}, {epoch}, 0, -accelerator_ms FROM over_an_edge
            UNION ALL
            SELECT {KEY}, spans.epoch, 0,
                {_share("least(ends_at_ms, high)")} - {_share("greatest(starts_at_ms, low)")}
            FROM over_an_edge JOIN spans ON starts_at_ms < high AND ends_at_ms > low
        )
        SELECT {KEY}, epoch, sum(rows)::BIGINT, sum(amount)::HUGEINT
        FROM parts GROUP BY {KEY}, epoch
    """


def _share(until: str) -> str:
    """How much of a row lies before an instant, rounded down, as `charges.py` cuts."""
    return (
        f"(accelerator_ms::HUGEINT * ({until} - starts_at_ms)::HUGEINT"
        " // (ends_at_ms - starts_at_ms)::HUGEINT)"
    )


def _epoch(column: str, cuts: Sequence[int], low: int, high: int) -> str:
    """How many of `cuts` are not after a column: a search in a tree of comparisons."""
    if low == high:
        return str(low)
    middle = (low + high) // 2
    before = _epoch(column, cuts, low, middle)
    after = _epoch(column, cuts, middle + 1, high)
    return f"CASE WHEN {column} < {cuts[middle]} THEN {before} ELSE {after} END"
