"""Who may come in, for how long, and what a tenant starts with."""

import pytest

from comptoir.desk.requests import (
    CreateRateCard,
    CreateTenant,
    CreateUser,
    IssueKey,
    ProposeRate,
    RevokeKey,
    TenantRef,
    UserRef,
)
from comptoir.leases.lease import LeaseClass
from comptoir.metering.usage import Measure
from comptoir.tenants.parties import Actor, Role, TenantKind
from comptoir.units.errors import Forbidden, Invalid, Refused
from tests.builders import HOUR_MS, START_MS, Book


def key_of(book: Book, actor: Actor, expires_at_ms: int | None = None) -> Actor:
    """The same user, come in with another key."""
    issued = book.desk.call("issue_key", IssueKey(expires_at_ms=expires_at_ms), actor)
    return book.desk.authenticate(issued.secret)


def test_a_key_issued_with_a_key_that_expires_does_not_outlive_it(book: Book) -> None:
    ends = START_MS + HOUR_MS
    guest = key_of(book, book.operator, ends)
    for later in (None, ends + 1):
        with pytest.raises(Refused, match="outlives_its_parent"):
            key_of(book, guest, later)
        with pytest.raises(Refused, match="outlives_its_parent"):
            book.desk.call("issue_key", IssueKey(book.finance.user_id, "", later), guest)
    assert key_of(book, guest, ends).user_id == guest.user_id


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.TENANT_READ_ONLY])
def test_who_only_reads_revokes_its_own_key_and_issues_none(book: Book, role: Role) -> None:
    tenant = book.tenant("acme") if role is Role.TENANT_READ_ONLY else None
    reader = book.user(role, tenant=tenant)
    with pytest.raises(Forbidden, match="missing_permission"):
        key_of(book, reader)
    assert reader.key_id is not None
    assert book.desk.call("revoke_key", RevokeKey(reader.key_id), reader).revoked_at_ms


def test_the_last_operator_key_that_lasts_is_not_revoked(book: Book) -> None:
    assert book.operator.key_id is not None
    key_of(book, book.operator, START_MS + HOUR_MS)
    with pytest.raises(Refused, match="last_operator_key"):
        book.desk.call("revoke_key", RevokeKey(book.operator.key_id), book.operator)
    key_of(book, book.operator)
    assert book.desk.call(
        "revoke_key", RevokeKey(book.operator.key_id), book.operator
    ).revoked_at_ms


def test_a_key_goes_with_all_that_was_issued_with_it_or_alone(book: Book) -> None:
    thief = key_of(book, book.operator)
    spare = key_of(book, book.operator)
    copy = key_of(book, thief)
    for_finance = book.desk.call("issue_key", IssueKey(book.finance.user_id), copy).key
    late = key_of(book, copy)
    assert late.key_id is not None and copy.key_id is not None and thief.key_id is not None
    book.desk.call("revoke_key", RevokeKey(copy.key_id), spare)
    assert book.desk.book.keys[late.key_id].revoked_at_ms is None
    book.desk.call("revoke_key", RevokeKey(thief.key_id, with_issued=True), spare)
    gone = {key.id for key in book.desk.book.keys if key.revoked_at_ms is not None}
    assert gone == {thief.key_id, copy.key_id, late.key_id, for_finance.id}
    book.desk.reload()
    assert book.desk.book.keys[late.key_id].issued_with == copy.key_id


def test_with_all_that_was_issued_the_last_operator_key_stays(book: Book) -> None:
    child = key_of(book, book.operator)
    assert book.operator.key_id is not None and child.key_id is not None
    with pytest.raises(Refused, match="last_operator_key"):
        book.desk.call("revoke_key", RevokeKey(book.operator.key_id, True), book.operator)
    assert book.desk.book.keys[child.key_id].revoked_at_ms is None
    assert book.desk.call("revoke_key", RevokeKey(child.key_id, True), child).revoked_at_ms


def test_an_operator_with_the_only_operator_keys_is_not_disabled(book: Book) -> None:
    other = book.desk.call("create_user", CreateUser("other", (Role.OPERATOR,)), book.operator)
    with pytest.raises(Refused, match="last_operator_key"):
        book.desk.call("disable_user", UserRef(book.operator.user_id), book.operator)
    book.desk.call("issue_key", IssueKey(other.id), book.operator)
    assert book.desk.call("disable_user", UserRef(book.operator.user_id), book.operator).disabled


def test_the_default_rate_card_is_the_oldest_also_after_a_restart(book: Book) -> None:
    for number in range(20):
        book.clock.instant_ms += 1
        book.desk.call("create_rate_card", CreateRateCard(f"card-{number}", "USD"), book.operator)
    book.desk.reload()
    for slug in ("acme", "zenith"):
        request = CreateTenant(slug, slug, TenantKind.TEAM)
        assert book.desk.call("create_tenant", request, book.operator).rate_card_id == book.card


def test_a_price_that_could_overflow_the_ledger_is_refused_with_the_numbers(book: Book) -> None:
    def propose(card: str, price_nanos: int) -> None:
        rate = ProposeRate(card, "cpu-core", LeaseClass.SPOT, price_nanos, Measure.DELIVERED, None)  # type: ignore[arg-type]
        book.desk.call("propose_rate", rate, book.operator)

    won = book.desk.call("create_rate_card", CreateRateCard("won", "KRW"), book.operator)
    for card, most in ((book.card, 10_000), (won.id, 100_000)):
        propose(card, most * 10**9)
        with pytest.raises(Invalid, match=r"price_too_high: .*10,?000"):
            propose(card, most * 10**9 + 1)


def test_sales_makes_tenants_and_does_not_suspend_them(book: Book) -> None:
    sales = book.user(Role.SALES)
    acme = book.desk.call("create_tenant", CreateTenant("acme", "A", TenantKind.TEAM), sales)
    for operation in ("suspend_tenant", "resume_tenant"):
        with pytest.raises(Forbidden, match="missing_permission"):
            book.desk.call(operation, TenantRef(acme.id), sales)
