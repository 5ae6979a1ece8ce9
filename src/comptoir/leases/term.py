"""The term of a lease: for how long it was asked for, which is what its price goes by.

Set from the bounded length of the request and pinned: who ends a lease early or extends it
keeps its term. That a long term was meant is what a rate's minimum is for.
"""

from comptoir.units.values import Term

_DAY_MS = 86_400_000


class LeaseTerm(Term):
    """Shortest first. A lease without an end is sold by the hour."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    ONE_YEAR = "one_year"
    THREE_YEARS = "three_years"


LEAST_MS: tuple[tuple[LeaseTerm, int], ...] = (
    (LeaseTerm.THREE_YEARS, 1_095 * _DAY_MS),
    (LeaseTerm.ONE_YEAR, 365 * _DAY_MS),
    (LeaseTerm.MONTH, 28 * _DAY_MS),
    (LeaseTerm.DAY, _DAY_MS),
)
"""The shortest length of each term, longest first; what is shorter is sold by the hour."""


def term_of(length_ms: int | None) -> LeaseTerm:
    """The term of a lease that lasts so long; None: it has no end."""
    if length_ms is not None:
        for term, least_ms in LEAST_MS:
            if length_ms >= least_ms:
                return term
    return LeaseTerm.HOUR


def terms_down_from(term: LeaseTerm) -> tuple[LeaseTerm, ...]:
    """`term` and every shorter one, longest first: whose rates may price it, in that order."""
    return _DOWN[term]


_ORDER = tuple(LeaseTerm)
_DOWN = {term: _ORDER[at::-1] for at, term in enumerate(_ORDER)}
