"""The client's way to capacity: the fleet, the supply that brings it, and runtimes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from comptoir.client.parties import PAGE
from comptoir.client.records import AcceleratorKind, FleetApplied, InboundLease, Node, Runtime
from comptoir.client.transport import Transport, path_of


class Fleet:
    """Accelerator kinds and nodes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def show(self, level: str = "rack") -> dict[str, Any]:
        """What there is, and how much of it is leased and free, by kind and place.

        Args:
            level: The smallest places shown: `site`, `cluster`, `pod` or `rack`.
        """
        return cast(dict[str, Any], self._transport.get(path_of("fleet"), level=level))

    def apply(self, file: str, text: str, *, dry_run: bool = False) -> FleetApplied:
        """Declare all that a fleet file says, in one act; again, it changes nothing.

        Args:
            file: The file's name, for what is said about it.
            text: Its TOML; see docs/operate/fleet.md.
            dry_run: Only say what it would change.

        Raises:
            Invalid: with the line and the field.
            Conflict: the book says otherwise.
        """
        body = {"file": file, "text": text, "dry_run": dry_run}
        return cast(FleetApplied, self._transport.write("POST", path_of("fleet", "apply"), body))

    def kinds(self) -> Iterator[AcceleratorKind]:
        """The catalogue of accelerator kinds."""
        return self._transport.pages(path_of("kinds"), PAGE)

    def nodes(self, kind: str | None = None) -> Iterator[Node]:
        """Every node."""
        return self._transport.pages(path_of("nodes"), PAGE, kind=kind)

    def node(self, node_id: str) -> Node:
        """One node."""
        return cast(Node, self._transport.get(path_of("nodes", node_id)))

    def drain(self, node_id: str) -> Node:
        """Give it no new leases; those it has run to their end."""
        return cast(Node, self._transport.write("POST", path_of("nodes", node_id, "drain")))

    def resume(self, node_id: str) -> Node:
        """Put it back in service."""
        return cast(Node, self._transport.write("POST", path_of("nodes", node_id, "resume")))


class Supply:
    """Inbound leases."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def declare(self, declaration: Mapping[str, Any]) -> InboundLease:
        """Put an inbound lease and its nodes in the book.

        Args:
            declaration: `name`, `kind`, `nodes` (each with `name` and `accelerators`, and
                if wished `memory_bytes`, `cpus`, `engine`, `site`, `cluster`, `pod`, `rack`),
                and if wished `partner`, `starts_at`, `ends_at`, `cost_per_accelerator_hour`,
                `currency`, `sold_to`, `selling_windows`, `grant`, `residency`.
        """
        path = path_of("supply")
        return cast(InboundLease, self._transport.write("POST", path, declaration))

    def list(self) -> Iterator[InboundLease]:
        """Every inbound lease."""
        return self._transport.pages(path_of("supply"), PAGE)

    def get(self, inbound_lease_id: str) -> InboundLease:
        """One inbound lease."""
        return cast(InboundLease, self._transport.get(path_of("supply", inbound_lease_id)))

    def end(self, inbound_lease_id: str, ends_at: str | None = None) -> InboundLease:
        """Give it an end, by default now; what stands on it is stopped by then."""
        path = path_of("supply", inbound_lease_id, "end")
        return cast(InboundLease, self._transport.write("POST", path, {"ends_at": ends_at}))


class Runtimes:
    """Read-only environments for jobs."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def declare(
        self, name: str, paths: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> Runtime:
        """Show host paths, read-only and at the same place, to the jobs that name it."""
        body = {"name": name, "paths": [*paths], "environment": dict(environment or {})}
        return cast(Runtime, self._transport.write("POST", path_of("runtimes"), body))

    def list(self) -> Iterator[Runtime]:
        """Every runtime."""
        return self._transport.pages(path_of("runtimes"), PAGE)

    def retire(self, runtime_id: str) -> Runtime:
        """No new job may name it."""
        path = path_of("runtimes", runtime_id, "retire")
        return cast(Runtime, self._transport.write("POST", path))
