"""A lender credited: what its idle entitlement earned, posted once for each stretch of time."""

from comptoir.billing.lending import credit_postings
from comptoir.desk.memory import LendingMark
from comptoir.desk.requests import CreditLender, LenderCredited
from comptoir.desk.transaction import Transaction
from comptoir.fleet.kinds import check_kind
from comptoir.units.errors import Conflict, Invalid
from comptoir.units.time import format_instant, month_start_ms


def credit_lender(tx: Transaction, request: CreditLender) -> LenderCredited:
    """Post a statement's credits: the team owes so much less.

    Raises:
        Invalid: `bad_until`: not the start of a UTC month that has begun.
        Conflict: `lending_settled`: that time, or a part of it, is credited already.
    """
    team, kind = tx.tenant(request.tenant_id), check_kind(request.kind)
    if request.until_ms > tx.now_ms or request.until_ms != month_start_ms(request.until_ms):
        raise Invalid(
            "bad_until",
            f"{format_instant(request.until_ms)} is not the start of a month (UTC) that has begun",
            "credit whole months",
        )
    mark = tx.book.lending_marks.get((team.id, kind))
    settled_ms = 0 if mark is None else mark.settled_until_ms
    if request.from_ms != settled_ms or request.until_ms <= settled_ms:
        raise Conflict(
            "lending_settled",
            f"what {team.slug} lent of {kind} is settled up to {format_instant(settled_ms)}",
            "credit what comes after",
            {"settled_until": format_instant(settled_ms)},
        )
    tx.book.lending_marks.put(LendingMark(team.id, kind, request.until_ms))
    tx.post(
        f"lender_credit:{team.id}:{kind}:{request.until_ms}",
        "lender_credit",
        f"{kind} lent by {team.slug} before {format_instant(request.until_ms)}",
        request.until_ms,
        credit_postings(team.id, dict(request.credits)),
    )
    tx.emit(
        "lender.credited", team.id, team.id, kind=kind, until_ms=request.until_ms,
        credits={currency: str(micros) for currency, micros in request.credits},
    )  # fmt: skip
    return LenderCredited(team.id, kind, request.from_ms, request.until_ms, request.credits)
