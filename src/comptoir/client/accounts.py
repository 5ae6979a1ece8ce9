"""The client's way to prices and money: rate cards, usage, charges, ledger."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from comptoir.client.account_records import (
    Balance,
    Charge,
    Entry,
    Proof,
    Rate,
    RateCard,
    RateCardImported,
    UsageAnswer,
    UsageEvent,
    UsageTotal,
)
from comptoir.client.parties import PAGE
from comptoir.client.transport import Transport, path_of


class RateCards:
    """Rate cards and their rates: proposed by one, approved by another."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, currency: str = "USD") -> RateCard:
        """An empty card."""
        body = {"name": name, "currency": currency}
        return cast(RateCard, self._transport.write("POST", path_of("rate-cards"), body))

    def list(self) -> Iterator[RateCard]:
        """Every card that you may see."""
        return self._transport.pages(path_of("rate-cards"), PAGE)

    def rates(self, rate_card_id: str) -> Iterator[Rate]:
        """The rates of a card, proposed and approved."""
        return self._transport.pages(path_of("rate-cards", rate_card_id, "rates"), PAGE)

    def propose(
        self,
        rate_card_id: str,
        kind: str,
        lease_class: str | None,
        price_per_accelerator_hour: str,
        measure: str = "delivered",
        effective_from: str | None = None,
        site: str = "",
        term: str = "hour",
        sku: str = "accelerator",
        tiers: Sequence[tuple[int, str]] = (),
        minimum_s: int = 0,
        granularity_s: int = 0,
    ) -> Rate:
        """A price that counts once somebody else has approved it. Prices are decimal strings.

        `lease_class` is None for storage and tokens, which no lease holds.
        `tiers` are (from accelerator-hours, price): what a month's use costs beyond them.
        """
        body = {
            "kind": kind,
            "lease_class": lease_class,
            "price_per_accelerator_hour": price_per_accelerator_hour,
            "measure": measure,
            "effective_from": effective_from,
            "site": site,
            "term": term,
            "sku": sku,
            "tiers": [
                {"from_accelerator_hours": hours, "price_per_accelerator_hour": price}
                for hours, price in tiers
            ],
            "minimum_s": minimum_s,
            "granularity_s": granularity_s,
        }
        path = path_of("rate-cards", rate_card_id, "rates")
        return cast(Rate, self._transport.write("POST", path, body))

    def import_file(
        self, file: str, text: str, name: str = "", currency: str = ""
    ) -> RateCardImported:
        """Propose every rate of a TOML or CSV file that its card does not have; see docs/cli.md."""
        body = {"file": file, "text": text, "name": name, "currency": currency}
        path = path_of("rate-cards", "import")
        return cast(RateCardImported, self._transport.write("POST", path, body))

    def approve(self, rate_id: str) -> Rate:
        """Put a proposed rate in force."""
        return cast(Rate, self._transport.write("POST", path_of("rates", rate_id, "approve")))


class Usage:
    """Accelerator-milliseconds, by measure."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        tenant: str | None = None,
        lease_id: str | None = None,
        measure: str | None = None,
    ) -> Iterator[UsageEvent]:
        """Usage events, newest first."""
        return self._transport.pages(
            path_of("usage"), PAGE, tenant=tenant, lease=lease_id, measure=measure
        )

    def summary(self, tenant: str | None = None) -> Sequence[UsageTotal]:
        """Totals by tenant, kind, class and measure."""
        found = self._transport.get(path_of("usage", "summary"), tenant=tenant)
        return cast("Sequence[UsageTotal]", found["items"])

    def record(self, source: str, events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Report a batch of usage; an event that was reported before counts once."""
        body = {"source": source, "events": [dict(event) for event in events]}
        written = self._transport.write("POST", path_of("usage-events"), body)
        return cast(dict[str, Any], written)

    def record_many(self, reports: Iterable[Mapping[str, Any]]) -> Iterator[UsageAnswer]:
        """Make many reports, a hundred in one request; one answer each, in their order.

        Args:
            reports: Each with `source` and `events`; `idempotency_key` too, if you keep your own.
        """
        return self._transport.each(path_of("batch", "usage-events"), reports)

    def charges(self, tenant: str | None = None, lease_id: str | None = None) -> Iterator[Charge]:
        """Usage priced under its rates, newest first."""
        return self._transport.pages(path_of("charges"), PAGE, tenant=tenant, lease=lease_id)


class Ledger:
    """Entries, balances, and the proof that every unit sums to zero."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def entries(self) -> Iterator[Entry]:
        """Every entry with its postings, newest first."""
        return self._transport.pages(path_of("ledger", "entries"), PAGE)

    def balances(self) -> Iterator[Balance]:
        """The balance of every account in every unit."""
        return self._transport.pages(path_of("ledger", "balances"), PAGE)

    def proof(self) -> Proof:
        """Whether every unit sums to zero, and usage posted equals usage observed."""
        return cast(Proof, self._transport.get(path_of("ledger", "proof")))
