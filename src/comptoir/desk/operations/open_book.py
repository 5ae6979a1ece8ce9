"""Open a new book: its first rate card, the house's legal entity, its operator, and the
operator's key, shown once."""

from comptoir.desk.operations.users import new_key
from comptoir.desk.requests import IssuedKey, Opening
from comptoir.desk.transaction import Transaction
from comptoir.pricing.rates import RateCard
from comptoir.tenants.entities import house_entity
from comptoir.tenants.parties import Role, User
from comptoir.units.errors import Conflict
from comptoir.units.ids import RateCardId, UserId
from comptoir.units.money import check_currency


def open_book(tx: Transaction, request: Opening) -> IssuedKey:
    """Open the book.

    Raises:
        Conflict: `book_already_open`.
    """
    if len(tx.book.users):
        raise Conflict("book_already_open", "this book has users already", "use one of their keys")
    card = RateCard(
        RateCardId(tx.new_id("rc")), "list", check_currency(request.currency), tx.now_ms
    )
    tx.book.money.rate_cards.put(card)
    tx.book.credit.entities.put(house_entity(card.currency, tx.now_ms))
    operator = User(UserId(tx.new_id("us")), "operator", None, (Role.OPERATOR,), False, tx.now_ms)
    tx.book.users.put(operator)
    tx.emit("book.opened", operator.id, None, currency=card.currency)
    return new_key(tx, operator, "made when the book was opened", None)
