"""Rate cards and rates. A tenant sees its own card, and of it what is approved."""

from typing import Any

from fastapi import Response

from comptoir.api.door import Ask, Asking
from comptoir.api.handlers.parties import rate_card_id
from comptoir.api.shapes import money as shapes
from comptoir.api.words import Id, Pages, Word
from comptoir.desk import requests
from comptoir.desk.pricing_requests import ImportRateCard, RateCardImported
from comptoir.leases.lease import LeaseClass
from comptoir.pricing.card_files import read_card_file
from comptoir.pricing.rates import Rate, RateState
from comptoir.pricing.tiers import Tier
from comptoir.store.views import lists
from comptoir.tenants.permissions import not_found
from comptoir.units.ids import RateCardId, RateId
from comptoir.units.time import MS_PER_HOUR


async def create_rate_card(ask: Ask, body: shapes.RateCardBody) -> Response:
    """Make an empty rate card in one currency."""
    request = requests.CreateRateCard(body.name, body.currency)
    return await ask.do("create_rate_card", request, status=201)


async def list_rate_cards(ask: Ask, pages: Pages) -> Response:
    """Rate cards, newest first; to a tenant's user, its own."""
    return await ask.page("rate_cards", pages, lists.rate_cards, rate_card_id=_own_card(ask))


async def propose_rate(ask: Ask, card: Id, body: shapes.RateBody) -> Response:
    """Propose a price; it counts from its approval by somebody else."""
    given: Any = body
    request = requests.ProposeRate(
        RateCardId(card),
        body.kind,
        body.lease_class,
        given.price_per_accelerator_hour,
        body.measure,
        given.effective_from,
        body.site,
        body.term,
        body.sku,
        tuple(
            Tier(tier.from_accelerator_hours * MS_PER_HOUR, tier.price_per_accelerator_hour)
            for tier in given.tiers
        ),
        body.minimum_s,
        body.granularity_s,
    )
    return await ask.do("propose_rate", request, lambda rate: _rate(ask, rate), 201)


async def import_rate_card(ask: Ask, body: shapes.RateCardFileBody) -> Response:
    """Propose every rate of a file that its card does not have, or nothing of it."""
    file = await ask.work(read_card_file, body.file, body.text, body.name, body.currency)

    def told(done: RateCardImported) -> dict[str, Any]:
        return {
            "card": ask.encode(done.card),
            "created": done.created,
            "proposed": [_rate(ask, rate) for rate in done.proposed],
            "unchanged": done.unchanged,
        }

    return await ask.do("import_rate_card", ImportRateCard(file), told, 201)


async def list_card_rates(ask: Ask, card: Id, pages: Pages) -> Response:
    """The rates of one card, latest in force first."""
    card_id, own = rate_card_id(ask, card), _own_card(ask)
    if own is not None and card_id != own:
        raise not_found(f"rate card {card}")
    return await ask.page(
        "card_rates",
        pages,
        lists.rates,
        lambda rate: _rate(ask, rate),
        rate_card_id=card_id,
        state=None if ask.house else RateState.APPROVED,
    )


async def list_rates(
    ask: Ask,
    pages: Pages,
    state: RateState | None = None,
    kind: Word = None,
    lease_class: LeaseClass | None = None,
) -> Response:
    """Rates, latest in force first; to a tenant, the approved ones of its card."""
    return await ask.page(
        "rates",
        pages,
        lists.rates,
        lambda rate: _rate(ask, rate),
        rate_card_id=_own_card(ask),
        state=state if ask.house else RateState.APPROVED,
        kind=kind,
        lease_class=lease_class,
    )


async def approve_rate(ask: Ask, rate: Id) -> Response:
    """Put a proposed rate in force; nobody approves their own."""
    return await ask.do("approve_rate", requests.RateRef(RateId(rate)), lambda r: _rate(ask, r))


def _own_card(ask: Asking) -> RateCardId | None:
    tenant_id = ask.actor.tenant_id
    return None if tenant_id is None else ask.door.desk.book.tenants[tenant_id].rate_card_id


def _rate(ask: Asking, rate: Rate) -> dict[str, Any]:
    shown = ask.encode(rate)
    shown["currency"] = ask.door.desk.book.money.rate_cards[rate.rate_card_id].currency
    if not rate.effective_from_ms:
        shown["effective_from"] = None
    return shown
