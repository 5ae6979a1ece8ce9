"""Files of ended leases go when their time is over, and nobody else's do."""

from dataclasses import dataclass, field
from typing import Any

from comptoir.desk.clearing import clear_ended
from comptoir.desk.requests import LeaseRef
from comptoir.leases.lease import LeaseClass
from tests.builders import Book

KEPT_S = 7 * 86_400


@dataclass
class Shelf:
    """What an engine keeps, by lease."""

    leases: list[Any] = field(default_factory=list)

    def list_directories(self) -> list[Any]:
        return list(self.leases)

    def delete_directory(self, lease_id: Any) -> None:
        self.leases.remove(lease_id)


def test_files_go_when_a_lease_has_been_over_for_long_enough(book: Book) -> None:
    book.price_all()
    book.supply(8, engine="")
    acme = book.tenant("acme")
    ended, running, withdrawn = (
        book.lease(acme, LeaseClass.ON_DEMAND, 1, notice_s=0) for _ in range(3)
    )
    book.desk.call("cancel_lease", LeaseRef(withdrawn.id), book.operator)
    book.pass_s(1)
    book.desk.call("end_lease", LeaseRef(ended.id), book.operator)
    book.pass_s(1)
    shelf = Shelf(["lse_of_another_book", ended.id, running.id, withdrawn.id])

    def clear() -> list[Any]:
        return clear_ended(shelf, find, book.clock.instant_ms, KEPT_S)  # type: ignore[arg-type]

    def find(lease_id: Any) -> Any:
        return book.store.find("lease", (lease_id,))

    book.clock.instant_ms = book.now(ended).state_since_ms + KEPT_S * 1_000 - 1
    assert clear() == [withdrawn.id]
    book.clock.instant_ms += 1
    assert clear() == [ended.id]
    book.pass_s(10 * KEPT_S)
    assert clear() == []
    assert shelf.leases == ["lse_of_another_book", running.id]
