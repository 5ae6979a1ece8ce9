"""Whose card a tenant gets for whom none is named."""

from comptoir.desk.requests import CreateRateCard
from tests.builders import Book


def test_of_cards_made_in_one_moment_the_first_made_is_a_new_tenants(book: Book) -> None:
    for number in range(20):
        book.desk.call("create_rate_card", CreateRateCard(f"card-{number}", "EUR"), book.operator)
    cards = list(book.desk.book.money.rate_cards)
    assert len({card.created_at_ms for card in cards}) == 1
    assert min(card.id for card in cards) != book.card  # as letters go, another comes before it
    assert book.tenant("acme").rate_card_id == book.card
