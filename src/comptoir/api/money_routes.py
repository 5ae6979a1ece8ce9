"""The routes of money: prices, usage, charges, the ledger, events."""

from comptoir.api.handlers import money, rates
from comptoir.api.route import Route
from comptoir.api.shapes import money as money_shapes
from comptoir.api.shapes.common import ListOf
from comptoir.tenants.permissions import Permission

_M = money_shapes

MONEY_ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "/v1/rate-cards", rates.create_rate_card, Permission.RATES_PROPOSE, _M.RateCard, 201
    ),
    Route("GET", "/v1/rate-cards", rates.list_rate_cards, Permission.READ, ListOf[_M.RateCard]),
    Route(
        "POST",
        "/v1/rate-cards/import",
        rates.import_rate_card,
        Permission.RATES_PROPOSE,
        _M.RateCardImported,
        201,
    ),
    Route(
        "POST",
        "/v1/rate-cards/{card}/rates",
        rates.propose_rate,
        Permission.RATES_PROPOSE,
        _M.Rate,
        201,
    ),
    Route(
        "GET",
        "/v1/rate-cards/{card}/rates",
        rates.list_card_rates,
        Permission.READ,
        ListOf[_M.Rate],
    ),
    Route("GET", "/v1/rates", rates.list_rates, Permission.READ, ListOf[_M.Rate]),
    Route(
        "POST", "/v1/rates/{rate}/approve", rates.approve_rate, Permission.RATES_APPROVE, _M.Rate
    ),
    Route("GET", "/v1/usage", money.list_usage, Permission.READ, ListOf[_M.Usage]),
    Route("GET", "/v1/usage/summary", money.summarise_usage, Permission.READ, _M.UsageSummary),
    Route(
        "POST",
        "/v1/usage-events",
        money.record_usage,
        Permission.USAGE_WRITE,
        _M.UsageRecorded,
        busy=True,
    ),
    Route("GET", "/v1/charges", money.list_charges, Permission.READ, ListOf[_M.Charge]),
    Route("GET", "/v1/ledger/entries", money.list_entries, Permission.READ_HOUSE, ListOf[_M.Entry]),
    Route(
        "GET", "/v1/ledger/balances", money.list_balances, Permission.READ_HOUSE, ListOf[_M.Balance]
    ),
    Route("GET", "/v1/ledger/proof", money.prove_ledger, Permission.READ_HOUSE, _M.Proof),
    Route("GET", "/v1/events", money.list_events, Permission.READ, ListOf[_M.Event]),
)
