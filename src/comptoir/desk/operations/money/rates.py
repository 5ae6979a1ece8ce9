"""Rate cards and rates: proposed by one, approved by another."""

from comptoir.desk.pricing_requests import ImportRateCard, RateCardImported
from comptoir.desk.requests import CreateRateCard, ProposeRate, RateRef
from comptoir.desk.transaction import Transaction
from comptoir.pricing.card_files import (
    MOST_GRANULARITY_S,
    MOST_MINIMUM_S,
    check_class_of,
    check_kind_of,
    check_site,
)
from comptoir.pricing.rates import Rate, RateCard, RateState
from comptoir.pricing.skus import Sku
from comptoir.pricing.tiers import check_tiers
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
        Invalid: `effective_in_the_past`, `price_too_high`, `bad_tiers`, `class_missing`,
            `not_of_accelerators`.
        Conflict: `rate_overlaps`: another rate of this line starts at the same instant.
    """
    card = card_of(tx, request.rate_card_id)
    if card is None:
        raise not_found(f"rate card {request.rate_card_id}")
    rate = _judge_rate(tx, card, request)
    refuse_overlap(tx, rate, request.effective_from_ms)
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


def card_of(tx: Transaction, named: str) -> RateCard | None:
    """A card by its id or its name."""
    return tx.book.money.rate_cards.get(RateCardId(named)) or next(
        (card for card in tx.book.money.rate_cards if card.name == named), None
    )


def _judge_rate(tx: Transaction, card: RateCard, request: ProposeRate) -> Rate:
    starts = request.effective_from_ms
    for nanos in (request.price_nanos, *(tier.price_nanos for tier in request.tiers)):
        check_count("price", nanos, 0, MOST_PRICE_NANOS)
        _check_height(nanos, card.currency)
    if starts is not None and check_instant("effective_from", starts) < tx.now_ms:
        raise Invalid(
            "effective_in_the_past",
            f"effective_from: {format_instant(starts)} has passed at {format_instant(tx.now_ms)}; "
            "prices never change for time already used",
            "give a later instant, or none to start with the approval",
            {"field": "effective_from"},
        )
    check_count("minimum_s", request.minimum_s, 0, MOST_MINIMUM_S)
    check_count("granularity_s", request.granularity_s, 0, MOST_GRANULARITY_S)
    if request.sku is not Sku.ACCELERATOR and (request.minimum_s or request.granularity_s):
        raise Invalid(
            "not_of_accelerators",
            f"a minimum and a granularity are of a lease's time, not of {request.sku}",
            "leave them out",
            {"field": "minimum_s" if request.minimum_s else "granularity_s"},
        )
    return Rate(
        RateId(tx.new_id("ra")),
        card.id,
        check_kind_of(request.sku, request.kind),
        check_class_of(request.sku, request.lease_class),
        request.measure,
        request.price_nanos,
        starts or 0,
        RateState.PROPOSED,
        tx.actor.user_id,
        None,
        None,
        check_site("site", request.site),
        request.term,
        request.sku,
        check_tiers(request.tiers),
        request.minimum_s,
        request.granularity_s,
    )


def refuse_overlap(tx: Transaction, rate: Rate, effective_ms: int | None) -> None:
    """Of one line, one rate starts at an instant, and from there on no other is in force.

    Raises:
        Conflict: `rate_overlaps`.
    """
    for other in tx.book.money.rates_by_line.each((rate.rate_card_id, rate.kind, rate.lease_class)):
        if other.line == rate.line and other.effective_from_ms == effective_ms:
            raise Conflict(
                "rate_overlaps",
                f"effective_from: {other.id} for {describe_line(rate)} starts at "
                f"{format_instant(effective_ms)} too, at {format_price(other.price_nanos)}",
                "propose a later instant",
                {
                    "field": "effective_from",
                    "rate_id": other.id,
                    "price": format_price(other.price_nanos),
                },
            )


def describe_line(rate: Rate) -> str:
    """What a rate prices, in words: "h100-sxm reserved at paris by the month"."""
    where = f" at {rate.site}" if rate.site else ""
    if rate.sku is not Sku.ACCELERATOR:
        return f"{rate.sku} {rate.kind}{where}"
    return f"{rate.kind} {rate.lease_class}{where} by the {rate.term.replace('_', ' ')}"


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


def import_rate_card(tx: Transaction, request: ImportRateCard) -> RateCardImported:
    """Propose every rate of a file that the book does not have yet, or nothing of it.

    Raises:
        Conflict: `currency_contradicts`: the card is there in another currency.
        Invalid, Conflict: those of `propose_rate`, with the line of the file.
    """
    file = request.file
    card = card_of(tx, file.name)
    if card is not None and card.currency != file.currency:
        raise Conflict(
            "currency_contradicts",
            f"currency: {file.file} says {file.currency}, rate card {card.name} is in "
            f"{card.currency}",
            "a card keeps its currency: name another card",
            {"field": "currency", "file": file.currency, "card": card.currency},
        )
    created = card is None
    card = card or create_rate_card(tx, CreateRateCard(file.name, file.currency))
    known = _known(tx, card)
    proposed = []
    for row in file.rates:
        wanted = ProposeRate(
            card.id, row.kind, row.lease_class, row.price_nanos, row.measure,
            row.effective_from_ms, row.site, row.term, row.sku, row.tiers, row.minimum_s,
            row.granularity_s,
        )  # fmt: skip
        if _says(wanted) in known:
            continue
        try:
            proposed.append(propose_rate(tx, wanted))
        except (Invalid, Conflict) as no:
            facts = {**no.facts, "file": file.file, "line": row.line}
            raise type(no)(no.code, f"{file.file}:{row.line}: {no.message}", no.next, facts) from no
        known |= {_says(wanted)}
    return RateCardImported(card, created, tuple(proposed), len(file.rates) - len(proposed))


def _known(tx: Transaction, card: RateCard) -> set[tuple[object, ...]]:
    """What the card's rates say; of those in force now, also without saying since when."""
    rates = [rate for rate in tx.book.money.rates if rate.rate_card_id == card.id]
    latest: dict[object, Rate] = {}
    for rate in sorted(rates, key=lambda rate: rate.effective_from_ms):
        if rate.state is RateState.APPROVED and rate.effective_from_ms <= tx.now_ms:
            latest[rate.line] = rate
    return {_says(rate) for rate in rates} | {(*_says(rate)[:-1], None) for rate in latest.values()}


def _says(rate: Rate | ProposeRate) -> tuple[object, ...]:
    """What a rate says, its start last: None where it starts with its approval."""
    return (
        rate.kind, rate.lease_class, rate.site, rate.term, rate.sku, rate.measure,
        rate.price_nanos, rate.tiers, rate.minimum_s, rate.granularity_s,
        rate.effective_from_ms or None,
    )  # fmt: skip


def approve_rate(tx: Transaction, request: RateRef) -> Rate:
    """Put a proposed rate in force, from its date or from now, whichever is later.

    Raises:
        Forbidden: `own_proposal`.
        Conflict: `already_approved`, or `rate_overlaps`.
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
    refuse_overlap(tx, rate, effective)
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
