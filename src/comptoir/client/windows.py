"""The client's way to windows: holds, recurring requests, and the settings of the book."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from comptoir.client.parties import PAGE
from comptoir.client.records import Lease, Series, Setting
from comptoir.client.transport import Transport, path_of


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
