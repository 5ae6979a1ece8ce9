"""The client's way to windows: offers, holds, recurring requests; the book's settings and clock."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from comptoir.client.parties import PAGE
from comptoir.client.records import Lease
from comptoir.client.transport import Transport, path_of
from comptoir.client.window_records import Clock, Offers, Series, Setting


class OffersOfCapacity:
    """When, where and at what price capacity could be had."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        kind: str,
        accelerators: int,
        duration_s: int,
        *,
        lease_classes: Sequence[str] = (),
        shape: str | None = None,
        preferred_shape: str | None = None,
        alternatives: Sequence[str] = (),
        starts_at: str | None = None,
        latest_start: str | None = None,
        tenant: str | None = None,
        residency: str | None = None,
        explain: bool = False,
    ) -> Offers:
        """The next feasible starts: a look, nothing is promised.

        Args:
            kind: Accelerator kind.
            accelerators: How many.
            duration_s: For how long.
            lease_classes: Only these; empty is every class that the tenant may have.
            shape: All in one of these.
            preferred_shape: Also look for starts in this narrower shape.
            alternatives: Other ways, such as `mi300x:512` or `mi300x:512:pod`.
            starts_at: RFC 3339; None is from now on.
            latest_start: RFC 3339; None is 90 days ahead.
            tenant: For house users: for whom.
            residency: Where its data must stay.
            explain: Also what is missing at the instant asked for.
        """
        found = self._transport.get(
            path_of("offers"),
            kind=kind,
            accelerators=accelerators,
            duration_s=duration_s,
            lease_class=lease_classes,
            shape=shape,
            preferred_shape=preferred_shape,
            alternative=alternatives,
            starts_at=starts_at,
            latest_start=latest_start,
            tenant=tenant,
            residency=residency,
            explain="true" if explain else None,
        )
        return cast(Offers, found)


class Holds:
    """Windows that are kept for a while, until you say yes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def make(self, wanted: Mapping[str, Any], hold_s: int, *, firm: bool = False) -> Lease:
        """Keep accelerators for a window.

        Args:
            wanted: The words of `leases.request`: `kind`, `accelerators`, `lease_class` and,
                if wished, `shape`, `starts_at`, `ends_at` or `duration_s`, `tenant` ...
            hold_s: For how long.
            firm: Whether it keeps others away; a soft hold gives way to a firm request.

        Raises:
            Refused: `hold_not_free`, or as `leases.request`.
        """
        body = {**wanted, "hold_s": hold_s, "firm": firm}
        return cast(Lease, self._transport.write("POST", path_of("holds"), body))

    def confirm(self, lease_id: str) -> Lease:
        """Say yes: the window is yours."""
        return cast(Lease, self._transport.write("POST", path_of("holds", lease_id, "confirm")))

    def release(self, lease_id: str) -> Lease:
        """Let it go."""
        return cast(Lease, self._transport.write("POST", path_of("holds", lease_id, "release")))


class SeriesOfLeases:
    """Recurring requests: one bounded lease for every window, all or none."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def request(self, wanted: Mapping[str, Any], every: str, until: str) -> Series:
        """Ask for every window of a recurrence.

        Args:
            wanted: The words of `leases.request`, without an end.
            every: Such as `weekdays 20:00 to 08:00 Europe/Paris`.
            until: RFC 3339: windows that begin before it.

        Raises:
            Refused: `series_not_free`, or as `leases.request`.
        """
        body = {**wanted, "every": every, "until": until}
        return cast(Series, self._transport.write("POST", path_of("series"), body))

    def cancel(self, series: str) -> Series:
        """Withdraw every occurrence that has not started; the answer lists those."""
        return cast(Series, self._transport.write("POST", path_of("series", series, "cancel")))


class BookClock:
    """What time it is in the book."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def show(self) -> Clock:
        """Where it stands, and whether it stands until it is moved on."""
        return cast(Clock, self._transport.get(path_of("clock")))

    def advance(self, to: str) -> Clock:
        """Move a test clock on, for about a second; ask again until `now` is `to`.

        Raises:
            Conflict: `no_test_clock`.
            Invalid: `clock_backwards` or `clock_too_far`.
        """
        return cast(Clock, self._transport.write("POST", path_of("clock", "advance"), {"to": to}))


class Settings:
    """What an operator may set for the whole book."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> Iterator[Setting]:
        """Every setting, with its value and its bounds."""
        return self._transport.pages(path_of("settings"), PAGE)

    def set(self, name: str, value: int) -> Setting:
        """Give a setting its value from now on."""
        path = path_of("settings", name)
        return cast(Setting, self._transport.write("PUT", path, {"value": str(value)}))
