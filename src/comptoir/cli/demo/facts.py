"""What the demo found out, as a report, and the checks that make it pass or fail."""

import json
from dataclasses import asdict, dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

MS_PER_HOUR = 3_600_000


@dataclass(slots=True)
class JobFacts:
    """One job, as its log and the book tell it."""

    tenant: str
    exit_code: int | None = None
    attempts: int = 0
    epochs_before_reclaim: int | None = None
    resumed_from: int | None = None
    epochs_total: int | None = None
    accuracy: float | None = None


@dataclass(slots=True)
class Facts:
    """The report's content. Money is decimal strings, use is integer milliseconds."""

    duration_s: float = 0.0
    jobs: list[JobFacts] = field(default_factory=list)
    reclaims: list[dict[str, Any]] = field(default_factory=list)
    usage: list[dict[str, Any]] = field(default_factory=list)
    invoices: list[dict[str, Any]] = field(default_factory=list)
    ledger: dict[str, Any] = field(default_factory=dict)
    utilisation: float = 0.0
    prices: dict[str, str] = field(default_factory=dict)
    delivered_windows: list[tuple[str, int, int]] = field(default_factory=list)
    checks: list[tuple[str, bool]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every check held, and there were checks."""
        return bool(self.checks) and all(held for _, held in self.checks)

    def judge(self, customer: str, team: str) -> None:
        """Run every check of the main job."""
        self.checks = [
            *_job_checks(self, customer, team),
            *_money_checks(self, customer, team),
            ("no accelerator was held by two tenants at once", not self._windows_overlap()),
        ]

    def _windows_overlap(self) -> bool:
        ordered = sorted(self.delivered_windows, key=lambda window: window[1])
        return any(
            earlier[2] > later[1] and earlier[0] != later[0] for earlier, later in pairwise(ordered)
        )

    def write(self, path: Path) -> None:
        """Write the report as JSON."""
        document = {"ok": self.ok, **asdict(self)}
        document["checks"] = [{"check": what, "held": held} for what, held in self.checks]
        for left_out in ("prices", "delivered_windows"):
            del document[left_out]
        path.write_text(json.dumps(document, indent=2) + "\n")


def _job_checks(facts: Facts, customer: str, team: str) -> list[tuple[str, bool]]:
    jobs = {job.tenant: job for job in facts.jobs}
    training, ranking = jobs[customer], jobs[team]
    before, total = training.epochs_before_reclaim or 0, training.epochs_total or 0
    return [
        (
            "the customer's job finished as attempt 2",
            (training.exit_code, training.attempts) == (0, 2),
        ),
        ("it was reclaimed in the middle of its training", 0 < before < total),
        ("it resumed from its checkpoint", (training.resumed_from or 0) >= before > 0),
        ("it learned (accuracy over 90 %)", (training.accuracy or 0.0) > 0.9),
        (
            "the team's job finished at its first attempt",
            (ranking.exit_code, ranking.attempts) == (0, 1),
        ),
        (
            "the spot lease was reclaimed once, for the stronger request, with its notice",
            len(facts.reclaims) == 1
            and facts.reclaims[0]["reason"] == "stronger_request"
            and facts.reclaims[0]["notice_s"] > 0,
        ),
    ]


def _money_checks(facts: Facts, customer: str, team: str) -> list[tuple[str, bool]]:
    used = {row["tenant"]: row["accelerator_ms"] for row in facts.usage}
    totals = {row["tenant"]: row["total"] for row in facts.invoices}
    ledger = facts.ledger
    return [
        ("both tenants used accelerators", used.get(customer, 0) > 0 and used.get(team, 0) > 0),
        *(
            (
                f"{tenant}'s invoice is its use at its price, rounded once",
                totals.get(tenant) == priced(used.get(tenant, 0), facts.prices[tenant]),
            )
            for tenant in (customer, team)
        ),
        ("every unit of the ledger sums to zero", ledger.get("balanced") is True),
        (
            "usage posted equals usage observed",
            ledger.get("accelerator_ms_posted") == ledger.get("accelerator_ms_observed")
            and sum(used.values()) <= ledger.get("accelerator_ms_posted", 0),
        ),
    ]


def priced(accelerator_ms: int, price_per_hour: str) -> str:
    """Money for a use at a price, by another road than the book's: decimals, rounded once."""
    exact = Decimal(accelerator_ms) * Decimal(price_per_hour) / MS_PER_HOUR
    return str(exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))
