"""The client's way to entitlements, to shares of them now, and to the policy of each class."""

from collections.abc import Iterator, Sequence
from typing import cast

from comptoir.client.entitlement_records import (
    ClassPolicy,
    Entitlement,
    LenderCredit,
    LenderStatement,
    Share,
)
from comptoir.client.parties import PAGE
from comptoir.client.transport import Transport, path_of


class Entitlements:
    """What the house has given its teams, and who lends to whom."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def set(
        self,
        kind: str,
        accelerators: int,
        *,
        team: str | None = None,
        group: str | None = None,
        parent: str | None = None,
        site: str | None = None,
        starts_at: str | None = None,
        ends_at: str | None = None,
        lend_limit: int | None = None,
        borrow_limit: int | None = None,
        lender_share_bps: int | None = None,
    ) -> Entitlement:
        """Entitle a team or a group, beside what it has already.

        Args:
            kind: Accelerator kind.
            accelerators: How many.
            team: Whose, by slug or id; or
            group: whose, by a name of your own.
            parent: The group out of whose entitlement it is taken.
            site: Only there.
            starts_at: RFC 3339; None is now.
            ends_at: RFC 3339; None is open-ended.
            lend_limit: The most of what is idle that others may use; None is all.
            borrow_limit: The most that it may use above its own; None is all there is.
            lender_share_bps: What it earns of what its idle accelerators sell for, in
                hundredths of a percent; 5,000 if not said.

        Raises:
            Refused: `more_than_the_group_has`, `entitled_beyond_supply`, `sold_already`.
        """
        body = {
            "kind": kind,
            "accelerators": accelerators,
            "team": team,
            "group": group,
            "parent": parent,
            "site": site,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "lend_limit": lend_limit,
            "borrow_limit": borrow_limit,
            "lender_share_bps": lender_share_bps,
        }
        return cast(Entitlement, self._transport.write("POST", path_of("entitlements"), body))

    def list(self, tenant: str | None = None, kind: str | None = None) -> Iterator[Entitlement]:
        """Every entitlement that you may see, latest start first."""
        return self._transport.pages(path_of("entitlements"), PAGE, tenant=tenant, kind=kind)

    def get(self, entitlement_id: str) -> Entitlement:
        """One entitlement."""
        return cast(Entitlement, self._transport.get(path_of("entitlements", entitlement_id)))

    def end(self, entitlement_id: str, ends_at: str | None = None) -> Entitlement:
        """End it, by default now."""
        path = path_of("entitlements", entitlement_id, "end")
        return cast(Entitlement, self._transport.write("POST", path, {"ends_at": ends_at}))

    def statement(
        self, team: str, starts_at: str | None = None, ends_at: str | None = None
    ) -> Sequence[LenderStatement]:
        """What a team was entitled to, used, lent and earned, by kind; this month by default."""
        path = path_of("tenants", team, "lending")
        found = self._transport.get(path, **{"from": starts_at, "to": ends_at})
        return cast(Sequence[LenderStatement], found["items"])

    def credit(self, team: str, until: str | None = None) -> Sequence[LenderCredit]:
        """Post what it earned in whole months that are not yet credited."""
        path = path_of("tenants", team, "lending", "credits")
        found = self._transport.write("POST", path, {"until": until})
        return cast(Sequence[LenderCredit], found["items"])

    def shares(self, tenant: str | None = None, kind: str | None = None) -> Sequence[Share]:
        """Who has, uses, lends and borrows what now."""
        found = self._transport.get(path_of("shares"), tenant=tenant, kind=kind)
        return cast(Sequence[Share], found["items"])


class Policy:
    """Notice, minimum runtime and ageing of each class of lease."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def show(self) -> list[ClassPolicy]:
        """The settings of every class."""
        return cast(list[ClassPolicy], self._transport.get(path_of("policy"))["items"])

    def set(
        self,
        lease_class: str,
        *,
        notice_s: int | None = None,
        minimum_runtime_s: int | None = None,
        ageing_s: int | None = None,
    ) -> ClassPolicy:
        """Settle how leases of a class are treated from now on; None leaves a setting alone."""
        body = {
            "notice_s": notice_s,
            "minimum_runtime_s": minimum_runtime_s,
            "ageing_s": ageing_s,
        }
        return cast(ClassPolicy, self._transport.write("PUT", path_of("policy", lease_class), body))
