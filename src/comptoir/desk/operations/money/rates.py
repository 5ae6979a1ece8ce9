"""Rate cards and rates: proposed by one, approved by another."""

from comptoir.desk.requests import CreateRateCard, ProposeRate, RateRef
from comptoir.desk.transaction import Transaction
from comptoir.fleet.kinds import check_kind
from comptoir.pricing.rates import Rate, RateCard, RateState
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import Conflict, Forbidden, Invalid
from comptoir.units.ids import RateCardId, RateId
from comptoir.units.money import (
    MINOR_DIGITS,
    MOST_PRICE_NANOS,
    NANOS_PER_UNIT,
    check_currency,
    format_price,
)
from comptoir.units.text import check_count, check_slug
from comptoir.units.time import check_instant, format_instant
from comptoir.units.values import replace

MOST_RATE_NANOS = 10_000 * NANOS_PER_UNIT
MOST_RATE_WITHOUT_MINOR_NANOS = 100_000 * NANOS_PER_UNIT  # of yen, won, krona
"""A price of more could take a balance out of the ledger's range, which stops the desk."""


def create_rate_card(tx: Transaction, request: CreateRateCard) -> RateCard:
    """An empty card.

    Raises:
        Conflict: `rate_card_exists`.
    """
    name = check_slug("name", request.name)
    if any(card.name == name for card in tx.book.money.rate_cards):
        raise Conflict("rate_card_exists", f"there is a rate card {name!r}", "choose another name")
    card = RateCard(RateCardId(tx.new_id("rc")), name, check_currency(request.currency), tx.now_ms)
    tx.book.money.rate_cards.put(card)
    tx.emit("rate_card.created", card.id, None, name=name, currency=card.currency)
    return card


def propose_rate(tx: Transaction, request: ProposeRate) -> Rate:
    """A rate that prices nothing until somebody else approves it.

    Raises:
        NotFound: the card.
        Invalid: `effective_in_the_past`, `price_too_high`.
    """
    card = tx.book.money.rate_cards.get(request.rate_card_id) or next(
        (card for card in tx.book.money.rate_cards if card.name == request.rate_card_id), None
    )
    if card is None:
        raise not_found(f"rate card {request.rate_card_id}")
    if request.effective_from_ms is not None:
        check_instant("effective_from", request.effective_from_ms)
    check_count("price", request.price_nanos, 0, MOST_PRICE_NANOS)
    _check_height(request.price_nanos, card.currency)
    if request.effective_from_ms is not None and request.effective_from_ms < tx.now_ms:
        raise Invalid(
            "effective_in_the_past",
            f"{format_instant(request.effective_from_ms)} has passed; prices never change "
            "for time already used",
            "give a later instant, or none to start with the approval",
        )
    rate = Rate(
        RateId(tx.new_id("ra")),
        card.id,
        check_kind(request.kind),
        request.lease_class,
        request.measure,
        request.price_nanos,
        request.effective_from_ms or 0,
        RateState.PROPOSED,
        tx.actor.user_id,
        None,
        None,
    )
    tx.book.money.rates.put(rate)
    tx.emit(
        "rate.proposed",
        rate.id,
        None,
        card=card.name,
        kind=rate.kind,
        lease_class=rate.lease_class,
        price=format_price(rate.price_nanos),
    )
    return rate


def _check_height(price_nanos: int, currency: str) -> None:
    most = MOST_RATE_NANOS if MINOR_DIGITS[currency] else MOST_RATE_WITHOUT_MINOR_NANOS
    if price_nanos > most:
        raise Invalid(
            "price_too_high",
            f"{format_price(price_nanos)} is over {format_price(most)} {currency} an "
            "accelerator-hour, the most that the ledger takes",
            "check the unit: a price is for one accelerator for one hour",
            {"most": format_price(most), "currency": currency},
        )


def approve_rate(tx: Transaction, request: RateRef) -> Rate:
    """Put a proposed rate in force, from its date or from now, whichever is later.

    Raises:
        Forbidden: `own_proposal`.
        Conflict: `already_approved`, or `same_instant`: another rate of this line takes
            effect at the same instant, and only one can be in force.
    """
    rate = tx.book.money.rates.get(request.rate_id)
    if rate is None:
        raise not_found(f"rate {request.rate_id}")
    if rate.state is RateState.APPROVED:
        raise Conflict("already_approved", f"{rate.id} was approved by {rate.approved_by}")
    if rate.proposed_by == tx.actor.user_id:
        raise Forbidden(
            "own_proposal",
            f"{rate.id} was proposed by you, and nobody approves their own",
            "ask another approver",
        )
    effective = max(rate.effective_from_ms, tx.now_ms)
    line = tx.book.money.rates_by_line.get((rate.rate_card_id, rate.kind, rate.lease_class))
    if any(other.effective_from_ms == effective for other in line):
        raise Conflict(
            "same_instant",
            f"another rate for {rate.kind} {rate.lease_class} takes effect at "
            f"{format_instant(effective)}",
            "propose a later one",
        )
    approved = replace(
        rate,
        state=RateState.APPROVED,
        approved_by=tx.actor.user_id,
        approved_at_ms=tx.now_ms,
        effective_from_ms=effective,
    )
    tx.book.money.rates.put(approved)
    tx.emit("rate.approved", rate.id, None, effective_from_ms=approved.effective_from_ms)
    return approved
