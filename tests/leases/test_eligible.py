"""Which supply a request may use: every condition, alone and together, and its refusal."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.fleet.conditions import OPEN, Conditions, SoldTo, check_residency, stays_in
from comptoir.leases.eligible import eligible, first_start_ms, sellable_until, unmet_condition
from comptoir.leases.inbound import InboundLease, InboundState
from comptoir.leases.lease import LeaseClass, LeaseRequest, Shape
from comptoir.units.errors import Invalid, Refused
from comptoir.units.ids import InboundLeaseId, LeaseId, TenantId
from comptoir.units.recurrence import parse_recurrence
from comptoir.units.time import Window, parse_instant

HOUR_MS = 3_600_000
NIGHTS = (parse_recurrence("weekdays 20:00 to 08:00 Europe/Paris"),)
NOON = parse_instant("2026-11-26T12:00:00Z")  # a Thursday
EVENING = parse_instant("2026-11-26T20:00:00Z")
MORNING = parse_instant("2026-11-27T07:00:00Z")


def supply(**given: Any) -> InboundLease:
    made = InboundLease(
        InboundLeaseId("il"), "s", "owned", "h100-sxm", 0, None, 0, "USD", InboundState.ACTIVE
    )
    return replace(made, **given)


def asks(
    lease_class: LeaseClass = LeaseClass.SPOT,
    start_ms: int = NOON,
    end_ms: int | None = None,
    **given: Any,
) -> LeaseRequest:
    return LeaseRequest(
        LeaseId("ls"), TenantId("tn"), lease_class, "h100-sxm", 8, Shape.NODE,
        Window(start_ms, end_ms), given.pop("notice_s", 30), **given,
    )  # fmt: skip


def refusal(inbound: InboundLease, request: LeaseRequest) -> Refused:
    with pytest.raises(Refused) as refused:
        eligible([inbound], request)
    return refused.value


def test_supply_without_conditions_is_everybodys() -> None:
    assert supply().conditions is OPEN
    for lease_class in LeaseClass:
        assert eligible([supply()], asks(lease_class)) == supply()


def test_internal_supply_is_not_sold() -> None:
    ours = supply(sold_to=SoldTo.INTERNAL)
    assert eligible([ours], asks(LeaseClass.INTERNAL)) == ours
    for lease_class in (LeaseClass.RESERVED, LeaseClass.ON_DEMAND, LeaseClass.SPOT):
        assert refusal(ours, asks(lease_class)).code == "supply_internal_only"


def test_grant_funded_supply_is_for_its_holders_teams_included() -> None:
    funded = supply(grant="nsf-2026")
    assert eligible([funded], asks(grants=frozenset({"nsf-2026", "erc"}))) == funded
    for lease_class in (LeaseClass.INTERNAL, LeaseClass.SPOT):
        no = refusal(funded, asks(lease_class, grants=frozenset({"erc"})))
        assert (no.code, no.facts["grant"]) == ("supply_grant_required", "nsf-2026")


def test_residency_of_the_request_and_of_its_tenant_must_both_be_met() -> None:
    paris, virginia = supply(residency="FR-IDF"), supply(residency="US-VA")
    assert eligible([paris, virginia], asks(residency=("EU", "FR"))) == paris
    no = refusal(virginia, asks(residency=("US", "EU")))
    assert (no.code, no.facts["supplied"]) == ("supply_residency", "US-VA")
    assert refusal(supply(), asks(residency=("FR",))).code == "supply_residency"


def test_what_is_sold_stays_within_a_selling_window() -> None:
    nights = supply(selling_windows=NIGHTS)
    assert eligible([nights], asks(LeaseClass.RESERVED, EVENING, MORNING))
    late = refusal(nights, asks(LeaseClass.RESERVED, EVENING, MORNING + 1))
    assert late.code == "supply_outside_selling_window"
    assert late.facts["closes_at"] == "2026-11-27T07:00:00.000Z"
    early = refusal(nights, asks(LeaseClass.SPOT, NOON))
    assert early.facts["opens_at"] == "2026-11-26T19:00:00.000Z"
    assert "2026-11-26T19:00:00" in early.next
    assert "closes" not in early.next
    day_ms = 86_400_000
    long = refusal(nights, asks(LeaseClass.RESERVED, NOON, NOON + day_ms))
    assert "start at 2026-11-26T19:00:00.000Z" in long.next
    assert "end by 2026-11-27T07:00:00.000Z, when it closes" in long.next


def test_open_ended_spot_goes_to_the_windows_end_and_on_demand_does_not_stand_there() -> None:
    nights = supply(selling_windows=NIGHTS)
    spot = asks(LeaseClass.SPOT, EVENING)
    assert sellable_until(nights.conditions, spot, spot.window) == (True, MORNING)
    no = refusal(nights, asks(LeaseClass.ON_DEMAND, EVENING))
    assert "spot" in no.next
    # Less of the window is left than the notice: it would be told to leave as it comes.
    assert (
        refusal(nights, asks(LeaseClass.SPOT, MORNING - 30_000)).facts["closes_at"]
        == "2026-11-27T07:00:00.000Z"
    )
    assert eligible([nights], asks(LeaseClass.SPOT, MORNING - 30_001))


def test_a_flexible_start_may_wait_for_the_window() -> None:
    nights = supply(selling_windows=NIGHTS, ends_at_ms=MORNING + 24 * HOUR_MS)
    opens = parse_instant("2026-11-26T19:00:00Z")
    short = asks(LeaseClass.RESERVED, NOON, NOON + 10 * HOUR_MS)
    assert first_start_ms(nights, short, opens) == opens
    assert eligible([nights], short, opens) == nights
    with pytest.raises(Refused, match="supply_outside_selling_window"):
        eligible([nights], short, opens - 1)
    # Longer than a night: no start will do, however late it may be.
    long = asks(LeaseClass.RESERVED, NOON, NOON + 13 * HOUR_MS)
    assert first_start_ms(nights, long, opens + 300 * 24 * HOUR_MS) is None
    later = supply(starts_at_ms=EVENING)
    assert first_start_ms(later, short, EVENING) == EVENING
    assert first_start_ms(supply(grant="erc"), short, EVENING) is None


def test_teams_use_supply_outside_its_selling_windows() -> None:
    nights = supply(selling_windows=NIGHTS)
    team = asks(LeaseClass.INTERNAL, NOON)
    assert eligible([nights], team) == nights
    assert sellable_until(nights.conditions, team, team.window) == (True, None)


def test_supply_that_is_not_there_over_the_window_is_not_eligible() -> None:
    short = supply(ends_at_ms=EVENING)
    assert eligible([short], asks(LeaseClass.RESERVED, NOON, EVENING))
    assert eligible([short], asks(LeaseClass.SPOT, NOON))
    for request in (asks(LeaseClass.RESERVED, NOON, EVENING + 1), asks(start_ms=EVENING)):
        assert refusal(short, request).code == "supply_ends_first"
    later = supply(starts_at_ms=EVENING)
    assert eligible([later], asks(LeaseClass.SPOT, NOON))  # it can wait for that
    assert refusal(later, asks(end_ms=EVENING)).code == "supply_ends_first"


def test_the_refusal_names_the_condition_that_is_nearest_to_being_met() -> None:
    ours = supply(sold_to=SoldTo.INTERNAL, grant="erc")
    elsewhere, nights = supply(residency="US"), supply(residency="FR", selling_windows=NIGHTS)
    request = asks(LeaseClass.SPOT, NOON, residency=("FR",))
    with pytest.raises(Refused, match="supply_outside_selling_window"):
        eligible([ours, nights, elsewhere], request)
    with pytest.raises(Refused, match="supply_residency"):
        eligible([elsewhere, ours], request)


def test_other_kinds_and_ended_supply_are_passed_over() -> None:
    assert eligible([supply(kind="mi300x"), supply(state=InboundState.ENDED)], asks()) is None


windows = st.sampled_from(
    [
        (),
        NIGHTS,
        (*NIGHTS, parse_recurrence("sat,sun 08:00 to 20:00 Europe/Paris")),
        (parse_recurrence("daily 00:00 to 24:00 America/New_York"),),
    ]
)
conditions = st.builds(
    Conditions,
    st.sampled_from(SoldTo),
    windows,
    st.sampled_from(["", "erc"]),
    st.sampled_from(["", "FR", "US-VA"]),
)


@given(
    conditions,
    st.sampled_from(LeaseClass),
    st.integers(0, 14 * 24),
    st.none() | st.integers(1, 100),
    st.sampled_from([frozenset(), frozenset({"erc"})]),
    st.sampled_from([(), ("FR",), ("EU", "FR"), ("US",)]),
)
def test_what_may_be_promised_meets_every_condition_at_every_hour_of_it(
    given_conditions: Conditions,
    lease_class: LeaseClass,
    starts_h: int,
    lasts_h: int | None,
    grants: frozenset[str],
    residency: tuple[str, ...],
) -> None:
    start = NOON + starts_h * HOUR_MS
    end = None if lasts_h is None else start + lasts_h * HOUR_MS
    request = asks(lease_class, start, end, grants=grants, residency=residency, notice_s=0)
    unmet = unmet_condition(given_conditions, request, request.window)
    sold = lease_class is not LeaseClass.INTERNAL
    bound = sold and bool(given_conditions.selling_windows)
    hours = range(start, end or start + 1, HOUR_MS)
    open_all_along = all(
        any(recurrence.holding(hour) for recurrence in given_conditions.selling_windows)
        for hour in hours
    )
    expected = (
        not (sold and given_conditions.sold_to is SoldTo.INTERNAL)
        and (not given_conditions.grant or given_conditions.grant in grants)
        and all(stays_in(given_conditions.residency, place) for place in residency)
        and (not bound or (open_all_along and (end is not None or lease_class is LeaseClass.SPOT)))
    )
    assert (unmet is None) == expected
    if expected and bound:
        _, until = sellable_until(given_conditions, request, request.window)
        assert until is not None
        for hour in range(start, min(until, start + 200 * HOUR_MS), HOUR_MS):
            assert any(recurrence.holding(hour) for recurrence in given_conditions.selling_windows)


@pytest.mark.parametrize("code", ["fr", "France", "F", "FR-", "FR-ABCD", "EU-FR-1", "FR\n"])
def test_what_is_no_residency_is_refused(code: str) -> None:
    with pytest.raises(Invalid, match="bad_residency"):
        check_residency("residency", code)


def test_places_stay_within_larger_places_only() -> None:
    assert stays_in("FR", "EU") and stays_in("FR-IDF", "EU") and stays_in("NO", "EEA")
    assert stays_in("EU", "EEA") and stays_in("US-VA", "US")
    outside = (("EU", "FR"), ("NO", "EU"), ("US", "US-VA"), ("", "FR"), ("F", "FR"))
    for supplied, required in outside:
        assert not stays_in(supplied, required)
