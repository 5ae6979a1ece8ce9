"""A lender's statement is drawn up from the book, agrees with usage, and is credited once."""

import pytest

from comptoir.billing.lending import LenderStatement, draw_up_lending
from comptoir.desk.requests import CreditLender, LenderCredit
from comptoir.leases.lease import LeaseClass
from comptoir.store.views import Views, lending, totals
from comptoir.tenants.parties import Role
from comptoir.units.errors import Conflict, Forbidden, Invalid
from comptoir.units.time import Window, next_month_ms
from tests.desk.test_lending import Shop, shop  # noqa: F401  (a fixture)

INTERNAL, RESERVED, ON_DEMAND, SPOT = LeaseClass
KIND = "cpu-core"


def statement(book: Shop, window: Window) -> LenderStatement:
    views = Views(book.store.engine)
    own, currency = lending.own_prices(views, book.a, KIND)
    return draw_up_lending(book.a.id, lending.facts(views, KIND, window), window, own, currency)


@pytest.fixture
def lent(shop: Shop) -> tuple[Shop, Window]:  # noqa: F811
    """An hour in which a team has 12 of 16, uses 2 of them, and customers the rest and more."""
    shop.turn()
    start = shop.clock.instant_ms
    shop.entitle(shop.a, 12)
    shop.lease(shop.a, INTERNAL, 2)
    shop.lease(shop.acme, ON_DEMAND, 4)
    shop.lease(shop.acme, SPOT, 5)
    shop.turn()
    for _ in range(60):
        shop.pass_s(60)
    return shop, Window(start, shop.clock.instant_ms)


def test_a_statement_agrees_with_the_usage_that_was_metered(lent: tuple[Shop, Window]) -> None:
    book, window = lent
    said = statement(book, window)
    hour_ms = 3_600_000
    assert said.entitled_accelerator_ms == 12 * hour_ms
    assert said.used_accelerator_ms == 2 * hour_ms
    assert said.lent_accelerator_ms == 5 * hour_ms
    assert said.idle_accelerator_ms == 5 * hour_ms
    (line,) = said.lines
    assert (line.lease_class, line.price_nanos) == (SPOT, 36_000_000_000)
    assert said.credits == {"USD": 5 * 36_000_000 // 2}
    metered = {
        (total.tenant_id, total.lease_class): total.accelerator_ms
        for total in totals.usage(Views(book.store.engine))
    }
    facts = lending.facts(Views(book.store.engine), KIND, window)
    counted: dict[tuple[str, LeaseClass], int] = {}
    for use in facts.uses:
        key = use.tenant_id, use.lease_class
        lasted = use.ends_at_ms - use.starts_at_ms
        counted[key] = counted.get(key, 0) + use.accelerators * lasted
    assert counted == metered


def test_time_after_the_end_of_a_lease_is_idle(lent: tuple[Shop, Window]) -> None:
    book, window = lent
    for lease in list(book.desk.book.leases):
        book.end(lease)
    book.pass_s(30)
    assert window.end_ms is not None
    since = book.clock.instant_ms
    book.pass_s(3_600)
    said = statement(book, Window(since, book.clock.instant_ms))
    assert said.used_accelerator_ms == said.lent_accelerator_ms == 0
    assert said.idle_cost_micros == 12 * 36_000_000


def test_a_month_is_credited_once(lent: tuple[Shop, Window]) -> None:
    book, window = lent
    end = next_month_ms(window.start_ms)
    book.pass_s((end - book.clock.instant_ms) // 1_000 + 60)
    drawn = statement(book, Window(0, end))
    earned = LenderCredit(book.a.id, KIND, 0, end, tuple(drawn.credits.items()))
    request = CreditLender(book.a.id, (earned,))
    assert book.desk.call("credit_lender", request, book.finance) == (earned,)
    held = {
        (str(b.account), str(b.unit)): b.amount
        for b in book.desk.book.money.balances
        if "lender" in b.account
    }
    assert held == {("lender_credit", "USD"): drawn.credits["USD"]}
    with pytest.raises(Conflict, match="lending_settled"):
        book.desk.call("credit_lender", request, book.finance)
    book.desk.reload()
    with pytest.raises(Conflict, match="lending_settled"):
        book.desk.call("credit_lender", request, book.finance)


def test_only_whole_months_that_have_begun_are_credited_and_only_by_finance(
    lent: tuple[Shop, Window],
) -> None:
    book, window = lent
    later = next_month_ms(window.start_ms)
    for until in (later, window.start_ms + 1):
        request = CreditLender(book.a.id, (LenderCredit(book.a.id, KIND, 0, until, ()),))
        with pytest.raises(Invalid, match="bad_until"):
            book.desk.call("credit_lender", request, book.finance)
    admin = book.user(Role.TENANT_ADMIN, tenant=book.a)
    request = CreditLender(book.a.id, ())
    with pytest.raises(Forbidden):
        book.desk.call("credit_lender", request, admin)
