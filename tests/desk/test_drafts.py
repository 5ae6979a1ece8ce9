"""Drafts are found by their id, and by the legal entity whose month they are of."""

from comptoir.desk.close_requests import ClosePeriod, CloseSlice, DraftRef
from comptoir.leases.lease import LeaseClass
from comptoir.store.views import Views
from comptoir.store.views import close as views
from comptoir.store.views.reading import Ask
from comptoir.units.ids import LegalEntityId
from comptoir.units.time import parse_instant
from tests.builders import Book
from tests.desk.test_close_contracts import admitted


def test_a_period_of_one_name_has_each_entitys_own_drafts(book: Book) -> None:
    acme, beta = admitted(book, "DE", "DE136695976"), book.tenant("beta")
    book.price(LeaseClass.ON_DEMAND, 1_230_000_000)
    book.supply(2)
    for tenant in (acme, beta):
        book.lease(tenant, LeaseClass.ON_DEMAND, 1)
    book.turn()
    book.clock.instant_ms = parse_instant("2026-10-01T00:00:00Z")
    book.turn()
    for entity in ("paris", "house"):
        request = ClosePeriod(LegalEntityId(entity), "2026-09")
        period = book.desk.call("close_period", request, book.finance)
        while not period.closed:
            period = book.desk.call("close_slice", CloseSlice(period.id))
    read = Views(book.store.engine)

    def whose(entity: str | None) -> set[str]:
        page = views.drafts(read, Ask(50, None), None, "2026-09", entity)
        return {draft.tenant_id for draft in page.items}

    assert whose(None) == {acme.id, beta.id}
    assert (whose("paris"), whose("house"), whose("nobody")) == ({acme.id}, {beta.id}, set())
    mine = next(draft for draft in book.desk.book.closing.drafts if draft.tenant_id == beta.id)
    assert views.draft(read, mine.id) == mine
    book.desk.call("finalise_invoice", DraftRef(mine.id), book.finance)
    assert views.draft(read, mine.id) is None  # it is an invoice since
    assert whose("house") == set()
