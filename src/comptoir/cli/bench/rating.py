"""Rating: usage rows priced exactly, in plain Python and through DuckDB beside a bare GROUP BY.

Both price the same rows: leases of 1,000 tenants, metered end to end for two months in which
prices change and contracts begin. DuckDB runs in a process of its own, whose most memory is
read at its end; the bare GROUP BY adds up the same column by the same keys, without prices.
The ratio is of processor time, of all threads: the machine is shared.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from comptoir.cli.bench.figures import Figure, Findings, figure
from comptoir.leases.lease import LeaseClass
from comptoir.leases.term import LeaseTerm
from comptoir.metering.usage import Measure
from comptoir.pricing.rates import Item, Rate, RateState
from comptoir.pricing.rating import Rating, UsageRow
from comptoir.pricing.segments import cuts_between
from comptoir.pricing.terms import Agreed, Override, OverrideMode, Terms, without_contract
from comptoir.pricing.tiers import Tier
from comptoir.store.rating import KEY, open_duckdb, rate_table
from comptoir.units.errors import invariant
from comptoir.units.ids import ContractVersionId, RateCardId, RateId, TenantId, UserId
from comptoir.units.time import MS_PER_HOUR

ROWS = 50_000_000
ROWS_IN_PYTHON = 1_000_000
TENANTS, LEASES = 1_000, 20_000
RUNS, RUNS_OF_DUCKDB = 5, 3
BEGIN_MS = 1_798_761_600_000  # 2027-01-01
DAYS = 59
KINDS = ("h100-sxm", "h200-sxm", "mi300x", "cpu-core")
SITES = ("paris", "oslo")
CARD = RateCardId("rc_BENCH")
_DAY_MS = 24 * MS_PER_HOUR
_GOAL_PER_S, _GOAL_RATIO, _GOAL_MIB = 500_000, 0.6, 1_000


@dataclass(frozen=True, slots=True)
class Through:
    """What the process with DuckDB found: seconds of each run, its ratios, its most memory."""

    bare_s: list[float]
    rated_s: list[float]
    ratios: list[float]
    most_mib: float
    groups: int


def measure(rows: int = ROWS) -> Findings:
    """Rows rated a second on one core; through DuckDB, beside a bare GROUP BY."""
    given = [_row(number, ROWS_IN_PYTHON) for number in range(ROWS_IN_PYTHON)]
    runs = []
    for _ in range(RUNS):
        rating = Rating(agreed_with, rates_of)
        started = time.thread_time()
        rating.add(given)
        owed = sum(one.numerator for one in rating.rated())
        runs.append(rating.rows / (time.thread_time() - started))
        invariant(owed > 0, "nothing was priced")
    plain = figure("usage rated, plain Python, one core", "rows/s", runs, _GOAL_PER_S)
    numbers: dict[str, float] = {"python_rows_per_s": plain.median}
    if find_spec("duckdb") is None:
        return Findings([plain], numbers)
    figures, found = _through_duckdb(rows)
    return Findings([plain, *figures], numbers | found)


def _through_duckdb(rows: int) -> tuple[list[Figure], dict[str, float]]:
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(rows)], check=True, capture_output=True, text=True
    )
    through = Through(**json.loads(done.stdout))
    pairs = list(zip(through.bare_s, through.rated_s, strict=True))
    figures = [
        figure(
            f"usage rated through DuckDB, {rows:,} rows", "rows/s",
            [rows / rated for _, rated in pairs],
            beside=f"{through.groups:,} prices of tenants in periods",
        ),
        figure("a bare GROUP BY of the same rows", "rows/s", [rows / bare for bare, _ in pairs]),
        figure("rated, of a bare GROUP BY", "", through.ratios, _GOAL_RATIO),
        figure("most memory of the process", "MiB", [through.most_mib], _GOAL_MIB, True),
    ]  # fmt: skip
    names = ("duckdb_rows_per_s", "bare_rows_per_s", "duckdb_ratio", "duckdb_mib")
    return figures, {name: one.median for name, one in zip(names, figures, strict=True)} | {
        "rows": rows
    }


def main(rows: int) -> None:
    """Make the rows, rate them and add them up in turn, and write a `Through`."""
    with tempfile.TemporaryDirectory(prefix="comptoir-rating-") as directory:
        connection = open_duckdb(Path(directory), memory_mib=500)
        connection.execute(f"CREATE TABLE usage AS {_rows_in_sql(rows)}")
        cuts = cuts_between(_AGREED, _RATES, BEGIN_MS, BEGIN_MS + DAYS * _DAY_MS)
        bare, rated, ratios, groups = [], [], [], 0
        for _ in range(RUNS_OF_DUCKDB):
            began = time.perf_counter(), time.process_time()
            sums = connection.execute(
                f"SELECT {KEY}, sum(accelerator_ms)::HUGEINT FROM usage GROUP BY {KEY}"
            ).fetchall()
            between = time.perf_counter(), time.process_time()
            rating = Rating(agreed_with, rates_of)
            rate_table(connection, "usage", cuts, rating)
            found = rating.rated()
            done = time.perf_counter(), time.process_time()
            bare.append(between[0] - began[0])
            rated.append(done[0] - between[0])
            ratios.append((between[1] - began[1]) / (done[1] - between[1]))
            groups = len(found)
            invariant(rating.rows == rows, f"{rating.rows} of {rows} rows were rated")
            _check_sums(sums, found)
        connection.close()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps(asdict(Through(bare, rated, ratios, most, groups))))


def _check_sums(sums: list[Any], found: list[Any]) -> None:
    whole = sum(row[-1] for row in sums)
    priced = sum(one.accelerator_ms for one in found)
    invariant(whole == priced, f"{whole} accelerator-ms are used, {priced} are priced")


def agreed_with(tenant_id: TenantId) -> Agreed:
    """A tenth of the tenants has a contract."""
    return _AGREED[1 if tenant_id.endswith("7") else 0]


def rates_of(_card: RateCardId, item: Item) -> list[Rate]:
    """The rates of a kind and class."""
    return _RATES_OF[item.kind, item.lease_class]


def _row(number: int, rows: int) -> UsageRow:
    """Row `number` of `rows`: each lease's rows follow each other over the whole window."""
    lease, turn = number % LEASES, number // LEASES
    length = DAYS * _DAY_MS // max(rows // LEASES, 1)
    start = BEGIN_MS + turn * length
    return (
        f"tn_{lease % TENANTS}", KINDS[lease // TENANTS % 4], _CLASSES[lease % 3],
        SITES[lease // 3 % 2], _TERMS[lease // 5 % 2], "delivered", start, start + length,
        length * (1 + lease % 8),
    )  # fmt: skip


def _rows_in_sql(rows: int) -> str:
    """As `_row`."""
    length = DAYS * _DAY_MS // max(rows // LEASES, 1)

    def word(words: tuple[str, ...], index: str) -> str:
        return f"[{', '.join(map(repr, words))}][1 + {index}]"

    return f"""
        SELECT 'tn_' || lease % {TENANTS} AS tenant_id,
            {word(KINDS, f"lease // {TENANTS} % 4")} AS kind,
            {word(_CLASSES, "lease % 3")} AS lease_class,
            {word(SITES, "lease // 3 % 2")} AS site,
            {word(_TERMS, "lease // 5 % 2")} AS term,
            'delivered' AS measure,
            {BEGIN_MS} + turn * {length} AS starts_at_ms,
            {BEGIN_MS} + (turn + 1) * {length} AS ends_at_ms,
            {length} * (1 + lease % 8) AS accelerator_ms
        FROM (SELECT range % {LEASES} AS lease, range // {LEASES} AS turn FROM range({rows}))
    """


_CLASSES = ("on_demand", "spot", "reserved")
_TERMS = ("hour", "month")


def _rates() -> list[Rate]:
    """Each kind and class: by the hour and by the month, another price mid-month, tiers, a site."""
    found: list[Rate] = []
    for at, kind in enumerate(KINDS):
        for lease_class in (LeaseClass.ON_DEMAND, LeaseClass.SPOT, LeaseClass.RESERVED):
            for site, term, day in (
                ("", LeaseTerm.HOUR, 0), ("", LeaseTerm.MONTH, 0), ("", LeaseTerm.HOUR, 14),
                ("oslo", LeaseTerm.HOUR, 41),
            ):  # fmt: skip
                price = 2_410_000_007 - 100_000_003 * at - 1_000_001 * day
                tiers = (Tier(1_000 * MS_PER_HOUR, price // 2),) if site else ()
                found.append(
                    Rate(
                        RateId(f"ra_{len(found)}"), CARD, kind, lease_class, Measure.DELIVERED,
                        price, BEGIN_MS + day * _DAY_MS if day else 0, RateState.APPROVED,
                        UserId("us_A"), UserId("us_B"), 0, site, term, tiers=tiers,
                    )
                )  # fmt: skip
    return found


_RATES = _rates()
_RATES_OF = {
    (kind, lease_class): [r for r in _RATES if (r.kind, r.lease_class) == (kind, lease_class)]
    for kind in KINDS
    for lease_class in LeaseClass
}
_DISCOUNT = Override(
    None, LeaseClass.RESERVED, None, None, BEGIN_MS + 9 * _DAY_MS, BEGIN_MS + 50 * _DAY_MS,
    OverrideMode.MULTIPLIER, factor_ppm=870_000,
)  # fmt: skip
_AGREED = (
    without_contract(CARD),
    Agreed((Terms(ContractVersionId("cv_BENCH"), CARD, (_DISCOUNT,)),)),
)

if __name__ == "__main__":
    main(int(sys.argv[1]))
