"""From whom a tenant buys, and how a customer is admitted."""

import pytest

from comptoir.desk.entities import entity_of
from comptoir.desk.entity_requests import (
    AcceptTerms,
    AdmitCustomer,
    ChangeEntity,
    CreateEntity,
    ImportTable,
    InviteCustomer,
    RefuseCustomer,
    ScreenCustomer,
)
from comptoir.tenants.admissions import Admission, AdmissionState
from comptoir.tenants.entities import HOUSE_ENTITY, LegalEntity
from comptoir.tenants.parties import Actor, Role, TenantKind
from comptoir.units.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from comptoir.units.ids import LegalEntityId
from tests.builders import START_MS, Book

TAXES = "seller,buyer_country,buyer,treatment,rate_percent,from\nFR,*,*,standard,20,2014-01-01\n"


class Desks:
    """The people of an admission."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.sales, self.approver = book.user(Role.SALES), book.user(Role.APPROVER)
        self.acme = book.tenant("acme")
        self.admin = book.user(Role.TENANT_ADMIN, tenant=self.acme)

    def invite(self, entity: str = "house", by: Actor | None = None, **more: object) -> Admission:
        given = {"legal_name": "Acme SAS", "country": "FR", "terms_version": "2026-11", **more}
        request = InviteCustomer(self.acme.id, LegalEntityId(entity), **given)  # type: ignore[arg-type]
        return self.book.desk.call("invite_customer", request, by or self.sales)

    def accept(self, version: str = "2026-11", by: Actor | None = None) -> Admission:
        return self.book.desk.call(
            "accept_terms", AcceptTerms(self.acme.id, version), by or self.admin
        )

    def screen(self, limit: str | None, by: Actor | None = None, at: int = START_MS) -> Admission:
        request = ScreenCustomer(self.acme.id, at, "screening 4711", limit)
        return self.book.desk.call("screen_customer", request, by or self.sales)

    def admit(self, limit: str | None, by: Actor | None = None) -> Admission:
        request = AdmitCustomer(self.acme.id, limit)
        return self.book.desk.call("admit_customer", request, by or self.approver)

    def all_steps(self, limit: str | None) -> Admission:
        self.invite()
        self.accept()
        self.screen(limit)
        return self.admit(limit)


@pytest.fixture
def desks(book: Book) -> Desks:
    return Desks(book)


def an_entity(book: Book, slug: str = "paris", **more: object) -> LegalEntity:
    given = {"name": "Comptoir SAS", "country": "FR", "currency": "EUR", **more}
    request = CreateEntity(slug, **given)  # type: ignore[arg-type]
    return book.desk.call("create_entity", request, book.finance)


def test_a_new_book_sells_through_the_house(book: Book) -> None:
    house = entity_of(book.desk.book, book.tenant("acme").id)
    assert (house.id, house.slug, house.currency, house.zone) == (
        HOUSE_ENTITY, "house", "USD", "UTC",
    )  # fmt: skip


def test_the_house_is_there_after_a_restart(book: Book) -> None:
    house = entity_of(book.desk.book, book.tenant("acme").id)
    book.desk.reload()
    assert book.desk.book.credit.entity_by_slug.first("house") == house


def test_a_customer_buys_from_the_entity_that_invited_it(book: Book, desks: Desks) -> None:
    paris = an_entity(book)
    desks.invite("paris")
    assert entity_of(book.desk.book, desks.acme.id) == paris
    assert entity_of(book.desk.book, book.tenant("zenith").id).id == HOUSE_ENTITY


def test_a_customer_is_admitted_with_the_limit_that_was_proposed(desks: Desks) -> None:
    assert desks.invite().state is AdmissionState.INVITED
    assert desks.accept().state is AdmissionState.ACCEPTED
    assert desks.screen("250000.00").limit_micros is None
    admitted = desks.admit("250000.00")
    assert admitted.limit_micros == 250_000 * 10**6
    desks.book.desk.reload()
    assert desks.book.desk.book.credit.admissions[desks.acme.id] == admitted


def test_nobody_admits_whom_they_invited_or_screened(book: Book, desks: Desks) -> None:
    both = book.user(Role.SALES, Role.APPROVER)
    desks.invite(by=both)
    desks.accept()
    desks.screen("1.00")
    with pytest.raises(Forbidden, match="own_proposal"):
        desks.admit("1.00", by=both)
    other = book.user(Role.SALES, Role.APPROVER)
    desks.screen("1.00", by=other)
    with pytest.raises(Forbidden, match="own_proposal"):
        desks.admit("1.00", by=other)
    assert desks.admit("1.00").admitted


def test_the_house_cannot_accept_for_the_customer(book: Book, desks: Desks) -> None:
    desks.invite()
    for who in (book.operator, desks.sales, desks.approver):
        with pytest.raises(Forbidden, match="missing_permission"):
            desks.accept(by=who)
    stranger = book.user(Role.TENANT_ADMIN, tenant=book.tenant("zenith"))
    with pytest.raises(NotFound):
        desks.accept(by=stranger)


def test_only_the_version_of_the_invitation_is_accepted(desks: Desks) -> None:
    desks.invite()
    with pytest.raises(Conflict, match=r"other_terms.*'2026-11', not '2025-01'"):
        desks.accept("2025-01")
    assert desks.accept() == desks.accept()


def test_steps_cannot_be_left_out(desks: Desks) -> None:
    with pytest.raises(NotFound, match="admission of acme"):
        desks.accept()
    desks.invite()
    with pytest.raises(Conflict, match="not_accepted"):
        desks.admit(None)
    desks.accept()
    with pytest.raises(Conflict, match="not_screened"):
        desks.admit(None)


def test_another_limit_than_the_proposed_one_is_not_put_in_force(desks: Desks) -> None:
    desks.invite()
    desks.accept()
    desks.screen("250000.00")
    with pytest.raises(Conflict, match=r"250000.00 USD is proposed .* you approve 2500000.00 USD"):
        desks.admit("2500000.00")
    with pytest.raises(Conflict, match="you approve no limit"):
        desks.admit(None)


def test_a_limit_has_the_decimals_of_its_currency(desks: Desks) -> None:
    desks.invite()
    for wrong, code in (("1.001", "too_many_decimals"), ("-1.00", "bad_amount"), ("x", "bad_")):
        with pytest.raises(Invalid, match=f"{code}.*credit_limit"):
            desks.screen(wrong)


def test_a_screening_lies_in_the_past(desks: Desks) -> None:
    desks.invite()
    with pytest.raises(Invalid, match="screened_in_the_future"):
        desks.screen(None, at=START_MS + 1)
    with pytest.raises(Invalid, match="bad_instant: screened_at must lie between 1970"):
        desks.screen(None, at=-1)


def test_a_new_limit_counts_when_it_is_admitted_anew(desks: Desks) -> None:
    desks.all_steps("100.00")
    assert desks.screen("500.00").limit_micros == 100 * 10**6
    assert desks.admit("500.00").limit_micros == 500 * 10**6


def test_who_was_refused_may_be_invited_again(book: Book, desks: Desks) -> None:
    desks.invite()
    request = RefuseCustomer(desks.acme.id, "no bank reference")
    book.desk.call("refuse_customer", request, desks.approver)
    with pytest.raises(Conflict, match=r"admission_decided.*no bank reference"):
        desks.accept()
    assert desks.invite().state is AdmissionState.INVITED
    desks.accept()
    with pytest.raises(Conflict, match="admission_decided"):
        desks.invite()


def test_a_team_is_not_admitted(book: Book, desks: Desks) -> None:
    desks.acme = book.tenant("ads", TenantKind.TEAM)
    with pytest.raises(Refused, match="not_a_customer"):
        desks.invite()


def test_whom_no_tax_rule_is_for_is_not_admitted(book: Book, desks: Desks) -> None:
    an_entity(book, tax_ids=(("FR", "FR40303265045"),))
    desks.invite("paris")
    desks.accept()
    desks.screen(None)
    with pytest.raises(Refused, match="no_tax_rule"):
        desks.admit(None)
    book.desk.call("import_tax_rules", ImportTable(TAXES, "tax.csv"), book.finance)
    assert desks.admit(None).admitted


def test_two_entities_share_no_series(book: Book) -> None:
    an_entity(book)
    for taken in ("{tenant}-{year}", "CN-{tenant}-{year}"):
        with pytest.raises(Conflict, match="series_taken"):
            an_entity(book, "lyon", invoice_series=taken)
    with pytest.raises(Conflict, match="series_taken"):
        an_entity(book, "lyon", credit_note_series="{entity}-{year}")
    assert an_entity(book, "lyon").invoice_series == "{entity}-{year}"
    with pytest.raises(Conflict, match="entity_exists"):
        an_entity(book, "lyon")


def test_an_entity_does_not_move(book: Book) -> None:
    paris = an_entity(book)
    with pytest.raises(Conflict, match="country_settled"):
        book.desk.call("change_entity", ChangeEntity(paris.id, country="DE"), book.finance)
    request = ChangeEntity(LegalEntityId("house"), country="US", name="Comptoir Inc")
    changed = book.desk.call("change_entity", request, book.finance)
    assert (changed.country, changed.name, changed.zone) == ("US", "Comptoir Inc", "UTC")


def test_a_table_is_taken_whole_and_once(book: Book) -> None:
    finance, desk = book.finance, book.desk
    first = desk.call("import_tax_rules", ImportTable(TAXES, "tax.csv"), finance)
    again = desk.call("import_tax_rules", ImportTable(TAXES, "tax.csv"), finance)
    assert ((first.added, first.repeated), (again.added, again.repeated)) == ((1, 0), (0, 1))
    other = TAXES.replace("standard,20", "standard,21") + "DE,*,*,standard,19,2014-01-01\n"
    with pytest.raises(Conflict, match="tax_rule_contradicts"):
        desk.call("import_tax_rules", ImportTable(other, "tax.csv"), finance)
    desk.reload()
    assert [rule.seller for rule in desk.book.credit.tax_rules] == ["FR"]
    rates = "date,base,quote,rate\n2026-01-02,EUR,USD,1.08\n"
    desk.call("import_fx_rates", ImportTable(rates, "ecb.csv"), finance)
    with pytest.raises(Conflict, match="fx_rate_contradicts"):
        desk.call("import_fx_rates", ImportTable(rates.replace("8", "9"), "ecb.csv"), finance)


def test_only_finance_makes_entities_and_only_sales_invites(book: Book, desks: Desks) -> None:
    with pytest.raises(Forbidden, match="missing_permission"):
        book.desk.call("create_entity", CreateEntity("x1", "X", "FR", "EUR"), desks.sales)
    with pytest.raises(Forbidden, match="missing_permission"):
        desks.invite(by=book.operator)
