"""Health checks of nodes: what was checked, how it came out, and the evidence.

Evidence is kept for ever and never edited. A node passes when every check of a report passed. A
degraded one stays where it is: what stands on it goes on, and an SLA may count it as not healthy.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from comptoir.units.errors import Invalid
from comptoir.units.ids import NodeId
from comptoir.units.text import check_count, check_text

MOST_CHECKS_A_REPORT = 64
MOST_EVIDENCE_BYTES = 16_384


class CheckOutcome(StrEnum):
    """How a check came out."""

    PASSED = "passed"
    FAILED = "failed"
    DEGRADED = "degraded"
    """It works, and less well than was promised, until the same check comes out otherwise."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check as its maker reports it; `evidence` is text or JSON."""

    name: str
    outcome: CheckOutcome
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class NodeCheck:
    """One stored check of a node: an append-only row. `reported_by` is a user, or the desk."""

    seq: int
    node_id: NodeId
    name: str
    outcome: CheckOutcome
    evidence: str
    checked_at_ms: int
    received_at_ms: int
    reported_by: str


def check_results(results: Iterable[CheckResult]) -> tuple[CheckResult, ...]:
    """The results of a report, if they are well-formed.

    Raises:
        Invalid: `out_of_range`, `bad_text`, `check_named_twice`, `evidence_too_large`.
    """
    found = tuple(results)
    check_count("checks", len(found), 1, MOST_CHECKS_A_REPORT)
    names = [check_text("check name", result.name, 1, 64) for result in found]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Invalid(
            "check_named_twice",
            f"the report holds {names.count(twice)} results of {twice!r}",
            "report each check once",
        )
    for result in found:
        size = len(result.evidence.encode("utf-8", "surrogatepass"))
        if size > MOST_EVIDENCE_BYTES or "\0" in result.evidence:
            raise Invalid(
                "evidence_too_large",
                f"the evidence of {result.name!r} has {size:,} bytes; it may be at most "
                f"{MOST_EVIDENCE_BYTES:,} bytes of text without NUL",
                "keep the whole log elsewhere and report what it shows",
                {"check": result.name, "bytes": size, "most_bytes": MOST_EVIDENCE_BYTES},
            )
    return found


def worst(results: Iterable[CheckResult]) -> CheckOutcome:
    """The worst outcome of a report."""
    found = {result.outcome for result in results}
    order = (CheckOutcome.FAILED, CheckOutcome.DEGRADED)
    return next((one for one in order if one in found), CheckOutcome.PASSED)
