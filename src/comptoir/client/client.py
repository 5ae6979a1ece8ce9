"""The client of the HTTP API: what `from comptoir import Client` gives.

    client = Client("https://comptoir.example.org", key="ck_...")
    lease = client.leases.request("h100-sxm", 8, "on_demand")
    for lease in client.leases.list(state="waiting"):
        print(lease["id"], client.leases.why(lease["id"])["sentence"])

Operations are grouped as the routes are. Every answer is the API's own JSON as a plain
dictionary, typed in `records`; every list is an iterator that turns pages by itself; every
no is one of the errors of `comptoir.units.errors`.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from comptoir.client.account_records import Event
from comptoir.client.accounts import Ledger, RateCards, Usage
from comptoir.client.capacity import Fleet, Runtimes, Supply
from comptoir.client.contracts import Contracts, Credit
from comptoir.client.entities import Admissions, Budgets, Entities
from comptoir.client.entitlements import Entitlements, Policy
from comptoir.client.exports import Exports
from comptoir.client.feed import Feed
from comptoir.client.following import Place, Step, follow
from comptoir.client.invoices import CreditNotes, Invoices, Periods
from comptoir.client.openings import Openings
from comptoir.client.parties import PAGE, Keys, Tenants, Users
from comptoir.client.profiles import resolve
from comptoir.client.rebalances import Rebalances
from comptoir.client.receipts import Approvals, Disputes, DunningSteps, Payments
from comptoir.client.records import Job
from comptoir.client.retry import Patience
from comptoir.client.running import start
from comptoir.client.subscriptions import Subscriptions
from comptoir.client.transport import Transport, path_of
from comptoir.client.windows import BookClock, Holds, OffersOfCapacity, SeriesOfLeases, Settings
from comptoir.client.work import Jobs, Leases


class Client:
    """A connection to one server, as one user. Safe to share between threads.

    Args:
        url: The server; else `COMPTOIR_URL`, else the profile in use, else this machine.
        key: The API key; else `COMPTOIR_API_KEY`, else the key stored for that server.
        profile: A profile to use instead of the environment and the one in use.
        timeout_s: The longest wait for one answer.
        retries: How often a request that was not answered is repeated.
        deadline_s: When to stop repeating it.

    Raises:
        Invalid: `bad_url` or `bad_config`.
        NotFound: `no_profile`.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        profile: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 4,
        deadline_s: float = 60.0,
    ) -> None:
        target = resolve(url, key, profile)
        patience = Patience(retries, deadline_s)
        self._transport = Transport(target.url, target.key, timeout_s, patience)
        self.url = self._transport.url
        self.tenants = Tenants(self._transport)
        self.users = Users(self._transport)
        self.keys = Keys(self._transport)
        self.fleet = Fleet(self._transport)
        self.rebalances = Rebalances(self._transport)
        self.supply = Supply(self._transport)
        self.runtimes = Runtimes(self._transport)
        self.rate_cards = RateCards(self._transport)
        self.entitlements = Entitlements(self._transport)
        self.policy = Policy(self._transport)
        self.exports = Exports(self._transport)
        self.leases = Leases(self._transport)
        self.offers = OffersOfCapacity(self._transport)
        self.holds = Holds(self._transport)
        self.series = SeriesOfLeases(self._transport)
        self.jobs = Jobs(self._transport)
        self.contracts = Contracts(self._transport)
        self.credit = Credit(self._transport)
        self.usage = Usage(self._transport)
        self.ledger = Ledger(self._transport)
        self.periods = Periods(self._transport)
        self.invoices = Invoices(self._transport)
        self.entities = Entities(self._transport)
        self.admissions = Admissions(self._transport)
        self.credit_notes = CreditNotes(self._transport)
        self.budgets = Budgets(self._transport)
        self.payments = Payments(self._transport)
        self.openings = Openings(self._transport)
        self.disputes = Disputes(self._transport)
        self.approvals = Approvals(self._transport)
        self.dunning = DunningSteps(self._transport)
        self.feed = Feed(self._transport)
        self.subscriptions = Subscriptions(self._transport)
        self.settings = Settings(self._transport)
        self.clock = BookClock(self._transport)

    def health(self) -> dict[str, Any]:
        """Whether the server serves; needs no key."""
        return cast(dict[str, Any], self._transport.get("/healthz"))

    def status(self) -> dict[str, Any]:
        """What the server does now."""
        return cast(dict[str, Any], self._transport.get(path_of("status")))

    def whoami(self) -> dict[str, Any]:
        """Who this key is."""
        return cast(dict[str, Any], self._transport.get(path_of("whoami")))

    def events(
        self,
        *,
        after: int | None = None,
        subject: str | None = None,
        tenant: str | None = None,
    ) -> Iterator[Event]:
        """The numbered events of the book: newest first, or those after a number, oldest first."""
        return self._transport.pages(
            path_of("events"), PAGE, after=after, subject=subject, tenant=tenant
        )

    def run(
        self,
        command: Sequence[str],
        *,
        kind: str,
        accelerators: int = 1,
        lease_class: str = "on_demand",
        directory: str | os.PathLike[str] | None = None,
        keep_lease: bool = False,
        name: str | None = None,
        environment: Mapping[str, str] | None = None,
        runtime: str | None = None,
        **lease_words: Any,
    ) -> Job:
        """Lease, upload a directory if one is named, and put a command on the lease.

        The lease ends with the job unless `keep_lease`; if a step fails it is given back.
        Further words are those of `leases.request`. Follow the job with `follow`.
        """
        return start(
            self,
            command,
            kind=kind,
            accelerators=accelerators,
            lease_class=lease_class,
            directory=None if directory is None else Path(directory),
            keep_lease=keep_lease,
            name=name,
            environment=environment,
            runtime=runtime,
            **lease_words,
        )

    def follow(self, job_id: str, place: Place | None = None) -> Iterator[Step]:
        """What a job writes and how it moves, across attempts, until it is over."""
        return follow(self.jobs, self.leases, job_id, place)
