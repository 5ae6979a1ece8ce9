"""From whom a tenant buys, and how a customer is admitted."""

from comptoir.desk.entities import entity_of
from comptoir.tenants.entities import HOUSE_ENTITY
from tests.builders import Book


def test_a_new_book_sells_through_the_house(book: Book) -> None:
    acme = book.tenant("acme")
    house = entity_of(book.desk.book, acme.id)
    assert (house.id, house.slug, house.currency, house.zone) == (
        HOUSE_ENTITY, "house", "USD", "UTC",
    )  # fmt: skip


def test_the_house_is_there_after_a_restart(book: Book) -> None:
    house = entity_of(book.desk.book, book.tenant("acme").id)
    book.desk.reload()
    assert book.desk.book.credit.entity_by_slug.first("house") == house
