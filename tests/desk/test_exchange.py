"""An invoice in another currency: what rates of exchange make of it until it is paid."""

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comptoir.billing.bank_files import BankEntry
from comptoir.billing.invoice_status import InvoiceStatus
from comptoir.billing.invoices import Invoice
from comptoir.billing.receipts import Payment
from comptoir.desk.close_requests import ClosePeriod, CloseSlice, CreditInvoice
from comptoir.desk.entity_requests import ImportTable
from comptoir.desk.receipt_requests import AllocatePayment, RecordReceipts, RefundPayment
from comptoir.desk.requests import IssueInvoice, LeaseRef
from comptoir.leases.lease import LeaseClass
from comptoir.ledger import entries as ledger
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import Refused
from comptoir.units.ids import LegalEntityId
from comptoir.units.time import format_day, parse_instant
from tests.builders import Book
from tests.desk.test_close_contracts import admitted

CENT = 10_000
DAY_MS = 86_400_000
PARIS = LegalEntityId("paris")
ON_DEMAND = LeaseClass.ON_DEMAND


class Abroad:
    """A house in Paris that counts in euros, and sells to acme in dollars: $1,000.00 an hour."""

    def __init__(self, directory: Path) -> None:
        self.book = Book(directory)
        self.call, self.told = self.book.desk.call, 0
        self.acme: Tenant = admitted(self.book, "DE", "DE136695976")  # 0.90 on 2026-09-21
        self.book.price(ON_DEMAND, 1_000_000_000_000)
        self.book.supply(1)
        self.entity = next(e for e in self.book.desk.book.credit.entities if e.slug == "paris")

    def on(self, day: str, *rates: str) -> None:
        """It is a day; so much a pair is worth on it."""
        self.book.clock.instant_ms = parse_instant(f"{day}T12:00:00Z")
        self.book.turn()
        rows = "".join(f"{day},{rate}\n" for rate in rates)
        if rows:
            table = ImportTable(f"date,base,quote,rate\n{rows}", f"{day}.csv")
            self.call("import_fx_rates", table, self.book.finance)

    def invoice(self) -> Invoice:
        """One hour of one core: $1,000.00."""
        lease = self.book.lease(self.acme, ON_DEMAND, 1)
        self.book.turn()
        self.book.pass_s(3_600)
        invoice = self.call("issue_invoice", IssueInvoice(self.acme.id), self.book.finance)
        self.call("end_lease", LeaseRef(lease.id), self.book.operator)
        self.book.turn()
        assert invoice.total_micros == 100_000 * CENT
        return invoice

    def receive(self, cents: int, currency: str, reference: str, **more: object) -> Payment:
        day_ms = self.book.clock.instant_ms // DAY_MS * DAY_MS
        self.told += 1
        entry = BankEntry(
            f"e{self.told}", day_ms, cents * CENT, currency, reference, "Acme", **more,  # type: ignore[arg-type]
        )  # fmt: skip
        request = RecordReceipts(self.entity.id, f"s{self.told}", "", (entry,), "one file")
        (payment,) = self.call("record_receipts", request, self.book.finance).payments
        return payment

    def close(self, month: str) -> None:
        period = self.call("close_period", ClosePeriod(PARIS, month), self.book.finance)
        while not period.closed:
            period = self.call("close_slice", CloseSlice(period.id))

    def status(self, invoice: Invoice) -> InvoiceStatus:
        found = self.book.desk.book.closing.statuses.get(invoice.id)
        return found or self.book.store.find("invoice_status", (invoice.id,))  # type: ignore[return-value]

    def held(self, account: ledger.Account, unit: str) -> int:
        """A balance in cents."""
        found = self.book.desk.book.money.balances.get((account, ledger.Unit(unit)))
        return found.amount // CENT if found else 0

    def fx(self) -> tuple[int, int, int, int]:
        """Gains and losses, revaluation, and the brokerage in euros and in dollars, in cents."""
        return (
            self.held(ledger.fx_gain_loss(self.entity.id), "EUR"),
            self.held(ledger.revaluation(self.entity.id), "EUR"),
            self.held(ledger.BROKERAGE, "EUR"),
            self.held(ledger.BROKERAGE, "USD"),
        )


@pytest.fixture
def abroad(tmp_path: Path) -> Abroad:
    return Abroad(tmp_path)


def test_what_rates_make_of_an_invoice_is_realised_as_it_is_paid(abroad: Abroad) -> None:
    """The whole life of $1,000.00 of a house that counts in euros, to the cent."""
    invoice = abroad.invoice()
    # Booked on 2026-09-21 at 0.90: EUR 900.00.
    assert abroad.status(invoice).rate_nanos == 900_000_000
    assert abroad.fx() == (0, 0, 0, 0)

    abroad.on("2026-09-30", "USD,EUR,0.80")
    abroad.on("2026-10-01")
    abroad.close("2026-09")
    # Open at the close: 1,000.00 x (0.80 - 0.90) = EUR -100.00, unrealised.
    assert abroad.fx() == (10_000, -10_000, 0, 0)

    abroad.on("2026-10-10", "USD,EUR,0.85")
    paid = abroad.receive(40_000, "USD", invoice.number)
    # $400.00 are worth 400 x 0.85 = EUR 340.00 and were booked at 400 x 0.90 = 360.00: a loss of
    # 20.00 is realised. The close's share of them, 100.00 x 400/1,000 = 40.00, is taken back.
    # Gains and losses: 100.00 - 40.00 + 20.00 = 80.00. The dollars are dollars still: they went
    # through no brokerage, which has what was realised.
    assert [part.realised_micros for part in paid.parts] == [-2_000 * CENT]
    assert abroad.fx() == (8_000, -6_000, -2_000, 0)

    rest = abroad.receive(51_000, "EUR", invoice.number, end_to_end="E-2")
    # EUR 510.00 / 0.85 = $600.00, all that was open. Booked at 600 x 0.90 = 540.00: a loss of
    # 30.00. Nothing is open, so nothing is revalued: 80.00 - 60.00 + 30.00 = 50.00 = 20.00 + 30.00.
    # Brokerage: $600.00 came to it, EUR 510.00 and 30.00 went: 600.00 x 0.90 = 540.00.
    assert rest.parts[0].micros == 60_000 * CENT
    assert abroad.status(invoice).open_micros == 0
    assert abroad.fx() == (5_000, 0, -2_000 - 51_000 - 3_000, 60_000)

    abroad.on("2026-10-14")
    abroad.receive(-51_000, "EUR", "AC04", reversal=True, end_to_end="E-2")
    # It bounced: $600.00 are asked again, and the 30.00 were never lost.
    assert abroad.status(invoice).open_micros == 60_000 * CENT
    assert abroad.fx() == (2_000, 0, -2_000, 0)

    abroad.on("2026-10-31", "USD,EUR,0.95")
    abroad.on("2026-11-01")
    abroad.close("2026-10")
    # 600.00 x (0.95 - 0.90) = EUR 30.00 more: 20.00 - 30.00 = -10.00, a gain.
    assert abroad.fx() == (-1_000, 3_000, -2_000, 0)

    abroad.call("credit_invoice", CreditInvoice(invoice.id, "an hour less", ((1, "100.00"),)))
    # $100.00 of the open 600.00 are credited, at what they were booked: nothing is realised of
    # them, and their share of the revaluation, 30.00 x 100/600 = 5.00, is taken back.
    assert abroad.fx() == (-500, 2_500, -2_000, 0)

    abroad.call("credit_invoice", CreditInvoice(invoice.id, "all of it"))
    # 500.00 were open, and 400.00 paid: those are acme's credit. What was realised of them goes
    # back, and they are worth what they were when they came: 400 x 0.90 - 20.00 = EUR 340.00.
    assert abroad.fx() == (0, 0, 0, 0)
    (credit,) = abroad.book.desk.book.receipts.credit_of.get(abroad.acme.id)
    assert (credit.left_micros, credit.worth_micros) == (40_000 * CENT, 34_000 * CENT)

    second = abroad.invoice()
    # Booked at 0.95, and paid with $400.00 of that credit: 340.00 - 400 x 0.95 = a loss of 40.00.
    assert abroad.status(second).paid_micros == 40_000 * CENT
    assert abroad.fx() == (4_000, 0, -4_000, 0)


def test_what_is_sent_back_of_a_payment_realises_nothing(abroad: Abroad) -> None:
    invoice = abroad.invoice()
    abroad.on("2026-09-25", "USD,EUR,0.92")
    payment = abroad.receive(110_000, "USD", invoice.number)
    # 1,000.00 x (0.92 - 0.90) = EUR 20.00 gained; the 100.00 beyond are acme's, in dollars.
    assert abroad.fx() == (-2_000, 0, 2_000, 0)
    abroad.on("2026-09-29", "USD,EUR,0.70")
    abroad.call("refund_payment", RefundPayment(payment.id, "too much"))
    assert abroad.fx() == (-2_000, 0, 2_000, 0)
    assert abroad.held(ledger.cash(abroad.entity.id), "USD") == 100_000


def test_a_payment_that_is_given_later_realises_by_its_own_day(abroad: Abroad) -> None:
    invoice = abroad.invoice()
    abroad.on("2026-09-25", "USD,EUR,0.92")
    payment = abroad.receive(100_000, "USD", "hello")
    abroad.on("2026-09-29", "USD,EUR,0.70")
    abroad.call("allocate_payment", AllocatePayment(payment.id, invoice.id), abroad.book.finance)
    assert abroad.fx() == (-2_000, 0, 2_000, 0)  # by the rate of the 25th


def test_an_invoice_in_another_currency_needs_the_rate_of_its_day(abroad: Abroad) -> None:
    abroad.on("2026-10-05")
    with pytest.raises(Refused, match=r"no_fx_rate.*0\.9 from USD to EUR, is of 2026-09-21, 14 d"):
        abroad.invoice()
    abroad.on("2026-10-06", "USD,EUR,0.91")
    abroad.book.pass_s(3_600)
    invoice = abroad.call("issue_invoice", IssueInvoice(abroad.acme.id), abroad.book.finance)
    assert invoice.number == "PARIS-2026-000001"  # what was refused used up no number


def test_no_close_goes_through_with_a_rate_over_ten_days_old(abroad: Abroad) -> None:
    abroad.invoice()
    abroad.on("2026-10-02")
    # The month ended on September the 30th in Paris, the last rate is of the 21st: nine days.
    abroad.close("2026-09")
    abroad.on("2026-11-02")
    with pytest.raises(
        Refused, match=r"no_fx_rate: no rate from USD to EUR on 2026-10-31.*0\.9.*of 2026-09-21"
    ) as no:
        abroad.close("2026-10")
    assert no.value.facts == {
        "base": "USD", "quote": "EUR", "date": "2026-10-31", "last": "0.9",
        "last_date": "2026-09-21",
    }  # fmt: skip
    assert not [p for p in abroad.book.desk.book.closing.periods if p.name == "2026-10"]
    abroad.on("2026-11-03")
    rates = "date,base,quote,rate\n2026-10-30,USD,EUR,0.95\n"
    abroad.call("import_fx_rates", ImportTable(rates, "late.csv"), abroad.book.finance)
    abroad.close("2026-10")
    assert abroad.fx()[:2] == (-5_000, 5_000)


def test_what_is_issued_after_a_month_has_no_part_in_its_close(abroad: Abroad) -> None:
    abroad.on("2026-09-30", "USD,EUR,0.80")
    abroad.on("2026-10-02", "USD,EUR,0.95")
    abroad.invoice()
    abroad.close("2026-09")
    assert abroad.fx() == (0, 0, 0, 0)


STEP = st.one_of(
    st.tuples(st.just("pay"), st.sampled_from(("USD", "EUR", "GBP")), st.integers(1, 120_000)),
    st.tuples(st.just("bounce"), st.integers(0, 5), st.integers(1, 3)),
    st.tuples(st.just("credit"), st.integers(0, 1), st.integers(1, 40_000)),
    st.tuples(st.just("month"), st.integers(0, 0), st.integers(500, 1_500)),
    st.tuples(st.just("day"), st.integers(1, 5), st.integers(500, 1_500)),
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEP, min_size=3, max_size=14), st.integers(0, 2))
def test_once_all_is_settled_the_brokerage_has_what_was_realised_and_nothing_else(
    steps: list[tuple[str, int | str, int]], last: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        abroad = Abroad(Path(directory))
        market = Market(abroad)
        invoices = [abroad.invoice(), abroad.invoice()]
        for kind, which, size in steps:
            market.step(kind, which, size, invoices)
        for invoice in invoices:  # whatever is open is paid whole, in one of three currencies
            market.settle(invoice, ("USD", "EUR", "GBP")[last])
        market.check(invoices)
        abroad.book.store.close()


class Market:
    """Keeps rates and payments of its own, and says from them what the book must have."""

    def __init__(self, abroad: Abroad) -> None:
        self.abroad, self.day_ms = abroad, parse_instant("2026-09-21T00:00:00Z")
        self.usd = 900  # thousandths of a euro
        self.came: list[tuple[Payment, int]] = []

    def move_on(self, days: int, usd: int) -> None:
        """Days pass; a pound is always two euros."""
        self.day_ms += days * DAY_MS
        self.usd = usd
        rates = f"USD,EUR,{usd / 1_000:.3f}", "GBP,EUR,2"
        self.abroad.on(format_day(self.day_ms), *rates)

    def step(self, kind: str, which: int | str, size: int, invoices: list[Invoice]) -> None:
        if kind == "day":
            self.move_on(int(which), size)
        elif kind == "month":
            self.month(size)
        elif kind == "pay":
            names = " ".join(i.number for i in invoices)
            self.pay(size, str(which), names)
        elif kind == "bounce" and self.came:
            self.bounce(int(which) % len(self.came), size)
        elif kind == "credit":
            self.credit(invoices[int(which)], size)

    def month(self, usd: int) -> None:
        """To the second day of the next month, and the one before is closed."""
        month = format_day(self.day_ms)[:7]
        while format_day(self.day_ms)[:7] == month:
            self.move_on(1, usd)
        self.move_on(1, usd)
        self.abroad.close(month)

    def pay(self, cents: int, currency: str, names: str) -> None:
        if currency == "GBP" and self.day_ms == parse_instant("2026-09-21T00:00:00Z"):
            return self.move_on(1, self.usd)
        payment = self.abroad.receive(cents, currency, names, end_to_end=f"E-{len(self.came)}")
        euros = {"USD": self.usd, "EUR": 1_000, "GBP": 2_000}[currency]
        self.came.append((payment, euros))
        return None

    def bounce(self, which: int, share: int) -> None:
        payment, _ = self.came[which]
        now = self.payment(payment)
        left = now.micros - now.bounced_micros
        cents = left // CENT // share
        if cents:
            self.abroad.receive(
                -cents, payment.currency, "AC04", reversal=True, end_to_end=payment.end_to_end
            )

    def credit(self, invoice: Invoice, cents: int) -> None:
        amount = f"{cents // 100}.{cents % 100:02}"
        request = CreditInvoice(invoice.id, "a gift", ((1, amount),))
        with suppress(Refused):  # there is less left of it
            self.abroad.call("credit_invoice", request)

    def settle(self, invoice: Invoice, currency: str) -> None:
        self.move_on(1, self.usd)
        open_ = self.abroad.status(invoice).open_micros // CENT
        if open_:
            euros = {"USD": self.usd, "EUR": 1_000, "GBP": 2_000}[currency]
            self.pay(-(-open_ * self.usd // euros) + 1, currency, invoice.number)
        assert self.abroad.status(invoice).open_micros == 0

    def payment(self, payment: Payment) -> Payment:
        found = self.abroad.book.desk.book.receipts.payments.get(payment.id)
        return found or self.abroad.book.store.find("payment", (payment.id,))  # type: ignore[return-value]

    def check(self, invoices: list[Invoice]) -> None:
        """Legs of what was converted, and what was realised: from payments and rates alone."""
        legs = {"EUR": 0, "USD": 0, "GBP": 0}
        statuses = [self.abroad.status(invoice) for invoice in invoices]
        realised = sum(status.realised_micros for status in statuses)
        expected = 0
        for payment, thousandths in self.came:
            for part in self.payment(payment).parts:
                if payment.currency != "USD":
                    legs[payment.currency] -= part.paid_micros
                    legs["USD"] += part.micros
                booked = part.micros * 900 // 1_000
                made = part.paid_micros * thousandths // 1_000 - booked
                # Of a payment that bounced in parts, cents of both currencies were taken.
                apart = 3 * CENT if self.payment(payment).bounced_micros else 2
                assert abs(part.realised_micros - made) <= apart
                expected += part.realised_micros
        returned = any(status.credited_micros for status in statuses)
        if not returned:  # what was given back of a payment is not its invoice's any more
            assert realised == expected
        book = self.abroad.book.desk.book.money.balances
        for code, micros in legs.items():
            held = book.get((ledger.BROKERAGE, ledger.Unit(code)))
            wanted = micros + (realised if code == "EUR" else 0)
            assert (held.amount if held else 0) == wanted
        entity = self.abroad.entity.id
        for account, wanted in (
            (ledger.fx_gain_loss(entity), -realised), (ledger.revaluation(entity), 0),
        ):  # fmt: skip
            held = book.get((account, ledger.Unit("EUR")))
            assert (held.amount if held else 0) == wanted
