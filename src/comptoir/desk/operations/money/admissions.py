"""How a customer comes in: invited and screened by sales, accepted by itself, admitted by an
approver who wrote neither."""

from comptoir.billing.tax import tax_for
from comptoir.desk.credit import hold_all
from comptoir.desk.entity_requests import (
    AcceptTerms,
    AdmitCustomer,
    InviteCustomer,
    RefuseCustomer,
    ScreenCustomer,
)
from comptoir.desk.openings import refuse_while_bringing
from comptoir.desk.operations.money.entities import find_entity
from comptoir.desk.transaction import Transaction
from comptoir.tenants.admissions import Admission, AdmissionState
from comptoir.tenants.entities import check_address, check_tax_number
from comptoir.tenants.parties import Tenant
from comptoir.tenants.permissions import not_found
from comptoir.units.countries import check_country
from comptoir.units.errors import Conflict, Forbidden, Invalid, Refused
from comptoir.units.money import format_minor, parse_amount
from comptoir.units.text import check_text
from comptoir.units.time import check_instant, format_instant
from comptoir.units.values import replace

_S = AdmissionState


def invite_customer(tx: Transaction, request: InviteCustomer) -> Admission:
    """Invite a customer to a version of the terms; one that has not accepted is invited anew.

    Raises:
        Refused: `not_a_customer`: a team is charged back.
        Conflict: `admission_decided`: it has accepted, or is admitted.
        NotFound: the tenant or the entity.
    """
    refuse_while_bringing(tx)
    tenant, entity = tx.tenant(request.tenant_id), find_entity(tx, request.entity_id)
    if tenant.is_internal:
        raise Refused(
            "not_a_customer",
            f"{tenant.slug} is an internal team: it is charged back, not admitted",
            "give it a budget: comptoir budget set",
        )
    known = tx.book.credit.admissions.get(tenant.id)
    if known is not None and known.state not in (_S.INVITED, _S.REFUSED):
        raise _decided(known, tenant)
    admission = Admission(
        tenant_id=tenant.id,
        entity_id=entity.id,
        legal_name=check_text("legal_name", request.legal_name, 1, 200),
        address=check_address("address", request.address),
        country=check_country("country", request.country),
        tax_id=check_tax_number("tax_id", request.tax_id),
        is_business=request.is_business,
        exemption=check_text("exemption", request.exemption, 0, 100),
        currency=tx.book.money.rate_cards[tenant.rate_card_id].currency,
        terms_version=check_text("terms_version", request.terms_version, 1, 40),
        state=_S.INVITED,
        invited_at_ms=tx.now_ms,
        invited_by=tx.actor.user_id,
    )
    tx.emit(
        "admission.invited", tenant.id, tenant.id, entity=entity.name,
        terms_version=admission.terms_version,
    )  # fmt: skip
    return tx.book.credit.admissions.put(admission)


def accept_terms(tx: Transaction, request: AcceptTerms) -> Admission:
    """The customer's own user says yes. A second time changes nothing.

    Raises:
        Conflict: `admission_decided`, or `other_terms`: another version than the invitation's.
        NotFound: it was not invited.
    """
    tenant = tx.tenant(request.tenant_id)
    admission = admission_of(tx, tenant)
    if request.terms_version != admission.terms_version:
        raise Conflict(
            "other_terms",
            f"{tenant.slug} is invited to the terms {admission.terms_version!r}, not "
            f"{request.terms_version[:40]!r}",
            f"read and accept {admission.terms_version!r}",
            {"terms_version": admission.terms_version},
        )
    if admission.state in (_S.ACCEPTED, _S.ADMITTED):
        return admission
    if admission.state is not _S.INVITED:
        raise _decided(admission, tenant)
    accepted = admission.moved(_S.ACCEPTED, accepted_at_ms=tx.now_ms, accepted_by=tx.actor.user_id)
    tx.emit(
        "admission.accepted", tenant.id, tenant.id, terms_version=admission.terms_version,
        accepted_by=tx.actor.user_id,
    )  # fmt: skip
    return tx.book.credit.admissions.put(accepted)


def screen_customer(tx: Transaction, request: ScreenCustomer) -> Admission:
    """Record a screening, its day and evidence, and the credit limit that sales proposes.

    A customer that is admitted may be screened again: its limit stays until it is admitted anew.

    Raises:
        Conflict: `admission_decided`: it was refused.
        Invalid: `screened_in_the_future`, `bad_instant`, `bad_amount`, `too_many_decimals`.
    """
    tenant = tx.tenant(request.tenant_id)
    admission = admission_of(tx, tenant)
    if admission.state is _S.REFUSED:
        raise _decided(admission, tenant)
    if check_instant("screened_at", request.screened_at_ms) > tx.now_ms:
        raise Invalid(
            "screened_in_the_future",
            f"the screening of {tenant.slug} is said to be at "
            f"{format_instant(request.screened_at_ms)}, which has not come",
            "give the day of the screening",
        )
    screened = replace(
        admission,
        screened_at_ms=request.screened_at_ms,
        screened_by=tx.actor.user_id,
        screening_evidence=check_text("evidence", request.evidence, 1, 500),
        proposed_limit_micros=_limit(request.credit_limit, admission),
    )
    tx.emit(
        "admission.screened", tenant.id, None, screened_at_ms=request.screened_at_ms,
        evidence=screened.screening_evidence, limit_micros=screened.proposed_limit_micros,
    )  # fmt: skip
    return tx.book.credit.admissions.put(screened)


def admit_customer(tx: Transaction, request: AdmitCustomer) -> Admission:
    """Admit a customer with the limit that was proposed.

    Raises:
        Conflict: `not_accepted`, `not_screened`, `limit_differs`, or `admission_decided`.
        Forbidden: `own_proposal`: who invited or screened does not admit.
        Refused: `no_tax_rule`: nobody could invoice it.
    """
    tenant = tx.tenant(request.tenant_id)
    admission = admission_of(tx, tenant)
    _refuse_unready(admission, tenant)
    if tx.actor.user_id in (admission.invited_by, admission.screened_by):
        raise Forbidden(
            "own_proposal",
            f"{tenant.slug} was invited or screened by you, and nobody approves their own",
            "ask another approver",
        )
    limit = _limit(request.credit_limit, admission)
    if limit != admission.proposed_limit_micros:
        said, proposed = (_said(m, admission) for m in (limit, admission.proposed_limit_micros))
        raise Conflict(
            "limit_differs",
            f"{proposed} is proposed for {tenant.slug}, and you approve {said}",
            "look again, and approve what is proposed",
            {"proposed": proposed, "said": said},
        )
    entity = tx.book.credit.entities[admission.entity_id]
    tax_for(tx.book.credit.tax_rules, entity, admission, tx.now_ms)
    admitted = admission.moved(
        _S.ADMITTED,
        credit_limit_micros=limit,
        decided_at_ms=tx.now_ms,
        decided_by=tx.actor.user_id,
        low_at_ms=None,
    )
    tx.book.credit.admissions.put(admitted)
    hold_all(tx, tenant.id)
    tx.emit(
        "admission.admitted", tenant.id, tenant.id, limit_micros=limit,
        currency=admission.currency, terms_version=admission.terms_version,
    )  # fmt: skip
    return admitted


def refuse_customer(tx: Transaction, request: RefuseCustomer) -> Admission:
    """Turn a customer away that was not admitted yet.

    Raises:
        Conflict: `admission_decided`.
    """
    tenant = tx.tenant(request.tenant_id)
    admission = admission_of(tx, tenant)
    if admission.state not in (_S.INVITED, _S.ACCEPTED):
        raise _decided(admission, tenant)
    refused = admission.moved(
        _S.REFUSED,
        because=check_text("because", request.because, 1, 500),
        decided_at_ms=tx.now_ms,
        decided_by=tx.actor.user_id,
    )
    tx.emit("admission.refused", tenant.id, tenant.id, because=refused.because)
    return tx.book.credit.admissions.put(refused)


def admission_of(tx: Transaction, tenant: Tenant) -> Admission:
    """The admission of a tenant.

    Raises:
        NotFound: it was never invited.
    """
    found = tx.book.credit.admissions.get(tenant.id)
    if found is None:
        raise not_found(f"admission of {tenant.slug}")
    return found


def _refuse_unready(admission: Admission, tenant: Tenant) -> None:
    if admission.state is _S.REFUSED:
        raise _decided(admission, tenant)
    if admission.state is _S.INVITED:
        raise Conflict(
            "not_accepted",
            f"{tenant.slug} has not accepted the terms {admission.terms_version!r}",
            f"its admin does: comptoir admission accept {tenant.slug}",
        )
    if admission.screened_at_ms is None:
        raise Conflict(
            "not_screened",
            f"{tenant.slug} was not screened",
            f"sales does: comptoir admission screen {tenant.slug}",
        )


def _decided(admission: Admission, tenant: Tenant) -> Conflict:
    return Conflict(
        "admission_decided",
        f"{tenant.slug} is {admission.state}" + (admission.because and f": {admission.because}"),
        "see comptoir admission show",
        {"state": admission.state},
    )


def _limit(text: str | None, admission: Admission) -> int | None:
    return None if text is None else parse_amount(text, admission.currency, "credit_limit")


def _said(micros: int | None, admission: Admission) -> str:
    if micros is None:
        return "no limit"
    return f"{format_minor(micros, admission.currency)} {admission.currency}"
