"""A lender credited: what its idle entitlement earned, posted once for each stretch of time."""

from comptoir.billing.lending import credit_postings
from comptoir.desk.memory import LendingMark
from comptoir.desk.requests import CreditLender, LenderCredit
from comptoir.desk.transaction import Transaction
from comptoir.fleet.kinds import check_kind
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import Conflict, Invalid
from comptoir.units.time import format_instant, month_start_ms


def credit_lender(tx: Transaction, request: CreditLender) -> tuple[LenderCredit, ...]:
    """Post statements' credits: the team owes so much less.

    Raises:
        Invalid: `bad_until`: not the start of a UTC month that has begun.
        Conflict: `lending_settled`: that time, or a part of it, is credited already.
    """
    team = tx.tenant(request.tenant_id)
    for earned in request.earned:
        _credit(tx, team, earned)
    return request.earned


def _credit(tx: Transaction, team: Tenant, earned: LenderCredit) -> None:
    kind, until_ms = check_kind(earned.kind), earned.until_ms
    if until_ms > tx.now_ms or until_ms != month_start_ms(until_ms):
        raise Invalid(
            "bad_until",
            f"{format_instant(until_ms)} is not the start of a month (UTC) that has begun",
            "credit whole months",
        )
    mark = tx.book.lending_marks.get((team.id, kind))
    settled_ms = 0 if mark is None else mark.settled_until_ms
    if earned.from_ms != settled_ms or until_ms <= settled_ms:
        raise Conflict(
            "lending_settled",
            f"what {team.slug} lent of {kind} is settled up to {format_instant(settled_ms)}",
            "credit what comes after",
            {"settled_until": format_instant(settled_ms)},
        )
    tx.book.lending_marks.put(LendingMark(team.id, kind, until_ms))
    tx.post(
        f"lender_credit:{team.id}:{kind}:{until_ms}",
        "lender_credit",
        f"{kind} lent by {team.slug} before {format_instant(until_ms)}",
        until_ms,
        credit_postings(team.id, dict(earned.credits)),
    )
    tx.emit(
        "lender.credited", team.id, team.id, kind=kind, until_ms=until_ms,
        credits={currency: str(micros) for currency, micros in earned.credits},
    )  # fmt: skip
