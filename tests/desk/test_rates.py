"""Rates are proposed and approved; one of a line is in force; the closest one prices a lease."""

import pytest

from comptoir.desk.desk import Call
from comptoir.desk.pricing_requests import ImportRateCard, RateCardImported
from comptoir.desk.requests import ProposeRate, RateRef
from comptoir.leases.lease import Lease, LeaseClass
from comptoir.leases.term import LeaseTerm
from comptoir.pricing.card_files import read_card_file
from comptoir.pricing.charges import Charge
from comptoir.pricing.skus import Sku
from comptoir.pricing.tiers import Tier
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import Conflict, Invalid, Refused
from comptoir.units.time import MS_PER_HOUR
from tests.builders import START_MS, Book

DAY_MS = 24 * MS_PER_HOUR
ON_DEMAND, RESERVED = LeaseClass.ON_DEMAND, LeaseClass.RESERVED


@pytest.fixture
def acme(book: Book) -> Tenant:
    book.supply(8)
    return book.tenant("acme")


def rate(book: Book, price: int, lease_class: LeaseClass = ON_DEMAND, **more: object) -> str:
    asked = ProposeRate(book.card, "cpu-core", lease_class, price, **more)  # type: ignore[arg-type]
    made = book.desk.call("propose_rate", asked, book.operator)
    return str(book.desk.call("approve_rate", RateRef(made.id), book.finance).id)


def charges(book: Book, lease: Lease) -> list[Charge]:
    with book.store.engine.connect() as connection:
        query = f"SELECT seq FROM charge WHERE lease_id = '{lease.id}' ORDER BY seq"
        numbers = connection.exec_driver_sql(query).scalars().all()
    return [book.store.find("charge", (number,)) for number in numbers]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("length_ms", "term"),
    [
        (None, LeaseTerm.HOUR),
        (DAY_MS - 1_000, LeaseTerm.HOUR),
        (DAY_MS, LeaseTerm.DAY),
        (28 * DAY_MS - 1_000, LeaseTerm.DAY),
        (28 * DAY_MS, LeaseTerm.MONTH),
        (365 * DAY_MS, LeaseTerm.ONE_YEAR),
        (1_095 * DAY_MS, LeaseTerm.THREE_YEARS),
    ],
)
def test_a_leases_term_is_that_of_its_length(
    book: Book, acme: Tenant, length_ms: int | None, term: LeaseTerm
) -> None:
    rate(book, 1)
    end = None if length_ms is None else START_MS + length_ms
    assert book.lease(acme, ON_DEMAND, 1, starts_at_ms=START_MS, ends_at_ms=end).term is term


def test_the_closest_rate_prices_a_lease(book: Book, acme: Tenant) -> None:
    """Its own term before a shorter one; of one term, its own site before any."""
    rate(book, 100)
    rate(book, 90, term=LeaseTerm.DAY)
    node = next(iter(book.desk.book.nodes))
    rate(book, 95, site=node.site)
    rate(book, 80, site="elsewhere", term=LeaseTerm.DAY)
    week = book.lease(acme, ON_DEMAND, 1, ends_at_ms=START_MS + 7 * DAY_MS)
    hourly = book.lease(acme, ON_DEMAND, 1)
    book.turn()
    book.pass_s(3_600)
    assert [c.price_nanos for c in charges(book, week)][-1] == 90
    assert [c.price_nanos for c in charges(book, hourly)][-1] == 95
    last = charges(book, week)[-1]
    assert (last.site, last.term, last.sku) == (node.site, LeaseTerm.DAY, Sku.ACCELERATOR)
    assert (last.list_price_nanos, last.list_numerator) == (90, last.numerator)


def test_a_term_without_a_rate_pays_the_next_shorter_terms(book: Book, acme: Tenant) -> None:
    rate(book, 100, RESERVED)
    rate(book, 70, RESERVED, term=LeaseTerm.MONTH)
    year = book.lease(acme, RESERVED, 1, ends_at_ms=START_MS + 366 * DAY_MS)
    book.turn()
    book.pass_s(60)
    assert charges(book, year)[-1].price_nanos == 70


def test_a_rate_of_a_longer_term_or_of_a_site_alone_prices_nothing(
    book: Book, acme: Tenant
) -> None:
    rate(book, 70, term=LeaseTerm.MONTH)
    rate(book, 70, site="default")
    with pytest.raises(Refused, match="no_rate"):
        book.lease(acme, ON_DEMAND, 1)


def test_tiers_count_what_a_tenant_used_in_a_period(book: Book, acme: Tenant) -> None:
    """8 accelerators for 2 h: 10 accelerator-hours at 100 nanos, the other 6 at 50."""
    rate(book, 100, tiers=(Tier(10 * MS_PER_HOUR, 50),))
    one, two = book.lease(acme, ON_DEMAND, 4), book.lease(acme, ON_DEMAND, 4)
    book.turn()
    for _ in range(8):
        book.pass_s(900)
    made = charges(book, one) + charges(book, two)
    assert {c.price_nanos for c in made} == {100, 50}
    assert sum(c.accelerator_ms for c in made if c.price_nanos == 100) == 10 * MS_PER_HOUR
    assert sum(c.numerator for c in made) == (10 * 100 + 6 * 50) * MS_PER_HOUR
    assert all(c.numerator == c.accelerator_ms * c.price_nanos for c in made)
    book.desk.reload()  # what was used is in the store, not only in memory
    book.pass_s(3_600)
    assert all(c.price_nanos == 50 for c in charges(book, one)[-1:])


def test_a_rate_that_overlaps_is_refused_with_the_numbers(book: Book) -> None:
    at = START_MS + DAY_MS
    first = rate(book, 2_410_000_000, effective_from_ms=at)
    with pytest.raises(Conflict, match=rf"rate_overlaps: effective_from: {first}.*at 2\.41"):
        rate(book, 1, effective_from_ms=at)
    rate(book, 1, effective_from_ms=at, site="paris")  # another line
    rate(book, 1, effective_from_ms=at, term=LeaseTerm.DAY)
    rate(book, 1, effective_from_ms=at + 1)


@pytest.mark.parametrize(
    ("more", "code", "field"),
    [
        ({"minimum_s": -1}, "out_of_range", "minimum_s"),
        ({"granularity_s": 86_401}, "out_of_range", "granularity_s"),
        ({"tiers": (Tier(2 * MS_PER_HOUR, 1), Tier(MS_PER_HOUR, 1))}, "bad_tiers", "tiers"),
        ({"tiers": (Tier(0, 1),)}, "bad_tiers", "tiers"),
        ({"tiers": (Tier(1, 1),)}, "bad_tiers", "tiers"),
        ({"tiers": tuple(Tier(n * MS_PER_HOUR, 1) for n in range(1, 22))}, "bad_tiers", "tiers"),
        ({"tiers": (Tier(MS_PER_HOUR, -1),)}, "out_of_range", "price"),
        ({"effective_from_ms": START_MS - 1}, "effective_in_the_past", "effective_from"),
        ({"site": "a\nb"}, "bad_text", "site"),
    ],
)
def test_a_rate_that_makes_no_sense_is_refused(
    book: Book, more: dict[str, object], code: str, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        rate(book, 1, **more)
    assert (refused.value.code, refused.value.facts.get("field", "site")) == (code, field)


def test_storage_and_tokens_have_their_place_and_price_no_lease(book: Book, acme: Tenant) -> None:
    for sku, kind in ((Sku.STORAGE, "ssd"), (Sku.TOKENS, "llama-70b"), (Sku.STORAGE, "cpu-core")):
        asked = ProposeRate(book.card, kind, None, 20_000_000, sku=sku)
        made = book.desk.call("propose_rate", asked, book.operator)
        book.desk.call("approve_rate", RateRef(made.id), book.finance)
    with pytest.raises(Refused, match="no_rate"):
        book.lease(acme, ON_DEMAND, 1)
    for wrong in (
        ProposeRate(book.card, "ssd", None, 1, sku=Sku.STORAGE, minimum_s=60),
        ProposeRate(book.card, "ssd", LeaseClass.SPOT, 1, sku=Sku.STORAGE),
    ):
        with pytest.raises(Invalid, match="not_of_accelerators"):
            book.desk.call("propose_rate", wrong, book.operator)
    with pytest.raises(Invalid, match="class_missing"):
        book.desk.call("propose_rate", ProposeRate(book.card, "cpu-core", None, 1), book.operator)


def test_a_file_prices_storage_without_a_class_and_accelerators_with_one() -> None:
    head = 'name = "enterprise"\ncurrency = "USD"\n[[rate]]\nprice = 0.0002\n'
    (stored,) = read_card_file("x.toml", head + 'sku = "storage"\nkind = "nvme"\n').rates
    assert (stored.sku, stored.kind, stored.lease_class) == (Sku.STORAGE, "nvme", ON_DEMAND)
    with pytest.raises(Invalid, match="class is missing"):
        read_card_file("x.toml", head + 'kind = "cpu-core"\n')
    with pytest.raises(Invalid, match="not_of_accelerators"):
        read_card_file("x.toml", head + 'sku = "storage"\nkind = "nvme"\nclass = "spot"\n')


FILE = """\
name = "enterprise"
currency = "USD"
[[rate]]
kind = "cpu-core"
class = "on_demand"
price = 0.012
[[rate]]
kind = "cpu-core"
class = "spot"
price = 0.004
from = 2030-01-01
"""


def imported(book: Book, text: str = FILE) -> RateCardImported:
    request = ImportRateCard(read_card_file("card.toml", text))
    done = book.desk.call("import_rate_card", request, book.operator)
    assert isinstance(done, RateCardImported)
    return done


def test_a_card_is_imported_whole_and_again_changes_nothing(book: Book) -> None:
    first = imported(book)
    assert (first.created, len(first.proposed), first.unchanged) == (True, 2, 0)
    assert (imported(book).proposed, imported(book).unchanged) == ((), 2)
    for made in first.proposed:
        book.desk.call("approve_rate", RateRef(made.id), book.finance)
    assert imported(book).unchanged == 2  # "from its approval" is met by what is in force
    changed = imported(book, FILE.replace("0.012", "0.010"))
    assert ([r.price_nanos for r in changed.proposed], changed.unchanged) == ([10_000_000], 1)
    book.pass_s(1)
    book.desk.call("approve_rate", RateRef(changed.proposed[0].id), book.finance)
    back = imported(book)  # the old price again is a new rate
    assert [r.price_nanos for r in back.proposed] == [12_000_000]


def test_an_import_that_is_refused_leaves_nothing(book: Book) -> None:
    with pytest.raises(Invalid, match=r"effective_in_the_past: card\.toml:7: effective_from"):
        imported(book, FILE.replace("2030", "2020"))
    assert [card.name for card in book.desk.book.money.rate_cards] == ["list"]
    imported(book)
    with pytest.raises(Conflict, match=r"currency_contradicts.*says EUR.*is in USD"):
        imported(book, FILE.replace("USD", "EUR"))


@pytest.mark.parametrize("dates", [(None, None), (START_MS + 1, START_MS + 2)])
def test_of_two_rates_of_a_line_approved_in_one_batch_the_second_is_refused(
    book: Book, dates: tuple[int | None, int | None]
) -> None:
    """Both would start now: two prices for the same instant, of which one would win by its id."""
    asked = [
        ProposeRate(book.card, "cpu-core", ON_DEMAND, price, effective_from_ms=at)
        for price, at in zip((2_410_000_000, 1_990_000_000), dates, strict=True)
    ]
    first, second = (book.desk.call("propose_rate", one, book.operator) for one in asked)
    book.clock.instant_ms += 60_000
    calls = [Call("approve_rate", RateRef(one.id), book.finance) for one in (second, first)]
    approved, refused = book.desk.execute(calls)
    assert approved.unwrap().price_nanos == 1_990_000_000
    with pytest.raises(Conflict, match=rf"rate_overlaps: .*{second.id}.*at 1\.99") as no:
        refused.unwrap()
    assert (no.value.facts["rate_id"], no.value.facts["price"]) == (second.id, "1.99")
    assert [one.id for one in book.desk.book.money.rates if one.approved_by] == [second.id]
