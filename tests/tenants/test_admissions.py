"""The states of an admission, and when its limit counts."""

import pytest

from comptoir.tenants.admissions import EDGES, Admission, AdmissionState
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.units.errors import InvariantBroken
from comptoir.units.ids import TenantId, UserId

S = AdmissionState


def invited(**more: object) -> Admission:
    """A customer that sales has invited."""
    return Admission(
        TenantId("tn"), HOUSE_ENTITY, "Acme SAS", (), "FR", "", True, "", "EUR", "2026-11",
        S.INVITED, 0, UserId("sally"), **more,  # type: ignore[arg-type]
    )  # fmt: skip


def test_nobody_is_admitted_without_having_accepted() -> None:
    with pytest.raises(InvariantBroken, match="cannot go from invited to admitted"):
        invited().moved(S.ADMITTED)
    assert invited().moved(S.ACCEPTED).moved(S.ADMITTED).admitted


def test_a_refusal_is_final() -> None:
    assert EDGES[S.REFUSED] == frozenset()
    assert S.REFUSED not in EDGES[S.ADMITTED]


def test_a_limit_counts_from_the_admission_on() -> None:
    limited = invited(credit_limit_micros=5)
    assert limited.limit_micros is None
    assert limited.moved(S.ACCEPTED).moved(S.ADMITTED).limit_micros == 5
