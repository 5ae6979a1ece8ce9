"""Stop in time: what work may cost is held before it starts, and again before it goes on.

The price is 10 USD an accelerator-hour, so that every number below can be checked by hand.
"""

import pytest

from comptoir.desk.credit import exposure_of
from comptoir.desk.entity_requests import (
    AcceptTerms,
    AdmitCustomer,
    CreateEntity,
    ImportTable,
    InviteCustomer,
    ScreenCustomer,
)
from comptoir.desk.requests import ExtendLease, IssueInvoice, LeaseRef, ShrinkLease
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import Lease, LeaseClass, LeaseState, Reason
from comptoir.sales.credit_blocks import (
    EVERYTHING,
    BlockState,
    Covers,
    CreditBlock,
    CreditSource,
)
from comptoir.tenants.parties import SYSTEM, Role, Tenant
from comptoir.units.errors import Refused
from comptoir.units.ids import CreditBlockId, LegalEntityId
from tests.builders import HOUR_MS, START_MS, Book

USD = 1_000_000
TAXES = "seller,buyer_country,buyer,treatment,rate_percent,from\nFR,*,*,standard,20,2014-01-01\n"


class Limited:
    """A customer with a credit limit, on a node of sixteen cores at 10 USD an hour."""

    def __init__(self, book: Book, limit: str | None, taxed: bool = False) -> None:
        self.book, self.desk = book, book.desk
        book.supply(16, engine="")
        book.price_all(price_nanos=10 * 10**9)
        self.acme = book.tenant("acme")
        self.sales, self.approver = book.user(Role.SALES), book.user(Role.APPROVER)
        self.admin = book.user(Role.TENANT_ADMIN, tenant=self.acme)
        entity = "house"
        if taxed:
            entity = "paris"
            ids = (("FR", "FR40303265045"),)
            request = CreateEntity("paris", "P", "FR", "USD", tax_ids=ids)
            self.desk.call("create_entity", request, book.finance)
            self.desk.call("import_tax_rules", ImportTable(TAXES, "t.csv"), book.finance)
        self.desk.call(
            "invite_customer",
            InviteCustomer(self.acme.id, LegalEntityId(entity), "Acme", "FR", "1"),
            self.sales,
        )
        self.desk.call("accept_terms", AcceptTerms(self.acme.id, "1"), self.admin)
        self.limit(limit)

    def limit(self, limit: str | None) -> None:
        """Another limit, screened and admitted."""
        now = self.book.clock.instant_ms
        request = ScreenCustomer(self.acme.id, now, "e", limit)
        self.desk.call("screen_customer", request, self.sales)
        self.desk.call("admit_customer", AdmitCustomer(self.acme.id, limit), self.approver)

    def lease(self, accelerators: int, hours: int | None = None, **more: object) -> Lease:
        """A request of the customer, on demand; at once, and open-ended without `hours`."""
        end = None if hours is None else self.book.clock.instant_ms + hours * HOUR_MS
        return self.book.lease(
            self.acme, LeaseClass.ON_DEMAND, accelerators, ends_at_ms=end, **more
        )

    def refused(self, accelerators: int, hours: int | None = None, **more: object) -> Refused:
        with pytest.raises(Refused, match="credit_exhausted") as caught:
            self.lease(accelerators, hours, **more)
        return caught.value

    def owed(self) -> tuple[int, int, int]:
        """Whole dollars: unbilled, held, and what counts against the limit."""
        tx = Transaction(
            self.desk.book, self.desk.store, self.desk.entropy, SYSTEM, self.book.clock.instant_ms
        )
        found = exposure_of(tx, self.acme.id)
        return (
            found.unbilled_micros // USD, found.held_micros // USD, found.owed_micros // USD,
        )  # fmt: skip

    def block(self, dollars: int, until_ms: int | None = None, covers: Covers = EVERYTHING) -> None:
        """Prepaid credit."""
        block = CreditBlock(
            CreditBlockId(f"cb_{dollars}"), self.acme.id, None, None, CreditSource.TOP_UP, "USD",
            dollars * USD, 0, 0, START_MS, until_ms, 100, covers, (), BlockState.OPEN, START_MS,
        )  # fmt: skip
        self.desk.book.contracts.credit_blocks.put(block)

    def events(self, type: str) -> list[dict[str, object]]:
        return [dict(e.data) for e in self.desk.store.find_told([type], None, 0, 100)]


def test_open_ended_work_holds_an_hour_and_bounded_work_its_estimate(book: Book) -> None:
    acme = Limited(book, "1000.00")
    acme.lease(2)  # 2 x 1 h x 10 = 20
    assert acme.owed() == (0, 20, 20)
    acme.lease(4, hours=12)  # 4 x 12 h x 10 = 480
    assert acme.owed() == (0, 500, 500)


def test_what_would_go_beyond_the_limit_is_refused_with_every_number(book: Book) -> None:
    acme = Limited(book, "100.00")
    acme.lease(4)  # holds 40
    no = acme.refused(7)  # 70 more: 110 of 100
    assert no.facts == {
        "currency": "USD", "limit": "100.00", "owed": "40.00", "receivable": "0.00",
        "unbilled": "0.00", "held": "40.00", "covered": "0.00", "tax_percent": "0",
        "asked": "70.00", "missing": "10.00",
    }  # fmt: skip
    assert acme.lease(6).state is LeaseState.SCHEDULED  # to the cent


def test_a_refused_request_holds_nothing(book: Book) -> None:
    acme = Limited(book, "100.00")
    acme.refused(11)
    with pytest.raises(Refused, match="fleet_too_small"):
        acme.lease(17, starts_at_ms=START_MS + HOUR_MS, hours=None)
    assert acme.owed() == (0, 0, 0)
    assert len(book.desk.book.credit.holds) == 0


def test_use_turns_what_is_held_into_what_is_owed(book: Book) -> None:
    acme = Limited(book, "1000.00")
    acme.lease(6, hours=10)  # 600
    book.turn()
    assert acme.owed() == (0, 600, 600)
    book.pass_s(3 * 3_600)  # 6 x 3 h x 10 = 180
    assert acme.owed() == (180, 420, 600)
    book.pass_s(7 * 3_600)
    assert acme.owed() == (600, 0, 600)


def test_what_is_invoiced_still_counts_until_it_is_paid(book: Book) -> None:
    acme = Limited(book, "100.00")
    acme.lease(5, hours=1)
    book.turn()
    book.pass_s(3_600)
    book.desk.call("issue_invoice", IssueInvoice(acme.acme.id), book.finance)
    assert acme.owed() == (0, 0, 50)
    assert acme.refused(6).facts["receivable"] == "50.00"


def test_tax_counts_as_owed(book: Book) -> None:
    acme = Limited(book, "100.00", taxed=True)
    assert acme.refused(9).facts["asked"] == "108.00"  # 90 and 20 % of it
    acme.lease(8)
    assert acme.owed() == (0, 80, 96)


def test_work_that_ends_or_is_cancelled_holds_nothing_more(book: Book) -> None:
    acme = Limited(book, "1000.00")
    one, two = acme.lease(2), acme.lease(3, hours=4)
    book.turn()
    book.desk.call("end_lease", LeaseRef(one.id), book.operator)
    waiting = acme.lease(4, hours=2, starts_at_ms=None)
    assert acme.owed()[1] == 120 + 80
    book.desk.call("end_lease", LeaseRef(two.id), book.operator)
    assert acme.owed()[1] == 80
    book.desk.call(
        "cancel_lease" if waiting.activated_at_ms is None else "end_lease",
        LeaseRef(waiting.id),
        book.operator,
    )
    assert acme.owed()[1] == 0
    book.desk.reload()
    assert len(book.desk.book.credit.holds) == 0


def test_open_ended_work_is_held_for_anew_and_goes_on(book: Book) -> None:
    acme = Limited(book, "100.00")
    lease = acme.lease(1, notice_s=600)
    book.turn()
    for _ in range(16):
        book.pass_s(1_800)
    assert book.now(lease).state is LeaseState.ACTIVE
    assert acme.owed()[0] == 80  # eight hours
    hold = book.desk.book.credit.holds[lease.id]
    assert hold.until_ms is not None
    assert hold.until_ms > book.clock.instant_ms + 600_000


def test_work_that_cannot_be_held_for_gets_its_whole_notice_and_ends_within_the_limit(
    book: Book,
) -> None:
    acme = Limited(book, "100.00")
    lease = acme.lease(4, notice_s=600)  # 40 an hour
    book.turn()
    told_ms = 0
    for _ in range(30 * 60):
        book.pass_s(60)
        now = book.now(lease)
        if now.state is LeaseState.RECLAIMING and not told_ms:
            told_ms = book.clock.instant_ms
            assert now.reason is Reason.CREDIT_EXHAUSTED
            assert now.kill_at_ms is not None
            assert now.kill_at_ms - told_ms >= 600_000
        if now.state is LeaseState.ENDED:
            break
    assert told_ms
    assert now.state is LeaseState.ENDED
    unbilled, held, owed = acme.owed()
    # Held for at 0:00, 0:50 and so on, an hour each: the last within 100 begins at 66.67.
    assert held == 0
    assert 60 < unbilled == owed <= 100


def test_bounded_work_that_was_held_for_is_never_stopped_for_credit(book: Book) -> None:
    acme = Limited(book, "100.00")
    lease = acme.lease(2, hours=5)  # all of the 100
    book.turn()
    acme.limit("10.00")
    book.pass_s(4 * 3_600)
    assert book.now(lease).state is LeaseState.ACTIVE
    book.pass_s(3_600)
    assert book.now(lease).reason is Reason.WINDOW_END


def test_a_limit_that_comes_while_work_runs_holds_for_it(book: Book) -> None:
    acme = Limited(book, None)
    lease = acme.lease(4, notice_s=60)
    book.turn()
    assert acme.owed() == (0, 0, 0)
    book.pass_s(3_600)
    acme.limit("30.00")
    assert acme.owed()[1] == 40
    acme.refused(1)
    book.pass_s(3_600)
    assert book.now(lease).reason is Reason.CREDIT_EXHAUSTED
    acme.limit(None)
    assert len(book.desk.book.credit.holds) == 0


def test_prepaid_credit_pays_before_the_limit_is_touched(book: Book) -> None:
    acme = Limited(book, "0.00")
    acme.refused(1)
    acme.block(200)
    acme.lease(6, hours=3)  # 180 of the 200
    assert acme.owed() == (0, 180, 0)
    assert acme.refused(3).facts["covered"] == "180.00"  # 30 more: 10 beyond
    assert acme.lease(2).state is LeaseState.SCHEDULED


def test_credit_pays_only_what_it_covers_and_what_lies_in_its_window(book: Book) -> None:
    acme = Limited(book, "0.00")
    acme.block(500, covers=Covers(kinds=("h100-sxm",)))
    acme.refused(1)
    acme.block(400, until_ms=START_MS + 2 * HOUR_MS)
    acme.refused(1, hours=3)  # the last hour lies after its end
    assert acme.lease(1, hours=2).state is LeaseState.SCHEDULED


def test_an_extension_is_held_for_and_a_smaller_lease_holds_less(book: Book) -> None:
    acme = Limited(book, "100.00")
    lease = acme.lease(2, hours=4)  # 80
    book.turn()
    with pytest.raises(Refused, match="credit_exhausted"):
        book.desk.call("extend_lease", ExtendLease(lease.id, START_MS + 6 * HOUR_MS), book.operator)
    book.desk.call("extend_lease", ExtendLease(lease.id, START_MS + 5 * HOUR_MS), book.operator)
    assert acme.owed()[1] == 100
    book.desk.call("extend_lease", ExtendLease(lease.id, START_MS + 3 * HOUR_MS), book.operator)
    assert acme.owed()[1] == 60
    book.desk.call("shrink_lease", ShrinkLease(lease.id, 1), book.operator)
    assert acme.owed()[1] == 30


def test_a_customer_is_told_once_that_little_is_left(book: Book) -> None:
    acme = Limited(book, "100.00")
    acme.lease(8, hours=1)  # 20 left of 100: a fifth, which is not less than a fifth
    assert acme.events("credit.low") == []
    acme.lease(1, hours=1)
    assert [e["left_micros"] for e in acme.events("credit.low")] == [10 * USD]
    acme.lease(1, hours=1)
    assert len(acme.events("credit.low")) == 1
    acme.limit("1000.00")
    acme.lease(1, hours=1)
    acme.lease(8, hours=9)  # 830 of 1,000
    assert len(acme.events("credit.low")) == 2


def test_who_has_no_limit_holds_nothing(book: Book) -> None:
    acme = Limited(book, None)
    acme.lease(8)
    book.lease(book.tenant("zenith"), LeaseClass.ON_DEMAND, 8)
    book.turn()
    book.pass_s(3_600)
    assert len(book.desk.book.credit.holds) == 0


def test_holds_are_there_after_a_restart(book: Book) -> None:
    acme = Limited(book, "1000.00")
    acme.lease(2)
    acme.lease(4, hours=12)
    book.turn()
    book.pass_s(1_800)
    before = acme.owed()
    book.desk.reload()
    assert acme.owed() == before


def an_unadmitted(book: Book) -> Tenant:
    request = CreateEntity("strict", "S", "FR", "USD", admission_required=True)
    book.desk.call("create_entity", request, book.finance)
    zenith = book.tenant("zenith")
    invite = InviteCustomer(zenith.id, LegalEntityId("strict"), "Z", "FR", "1")
    book.desk.call("invite_customer", invite, book.user(Role.SALES))
    return zenith


def test_where_admission_is_required_nobody_leases_before_it(book: Book) -> None:
    book.supply(16)
    book.price_all()
    zenith = an_unadmitted(book)
    with pytest.raises(Refused, match=r"not_admitted.*zenith is invited"):
        book.lease(zenith, LeaseClass.ON_DEMAND, 1)
    assert book.lease(book.tenant("acme"), LeaseClass.ON_DEMAND, 1)
