"""The client's way to capacity: the fleet, the supply that brings it, and runtimes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from comptoir.client.parties import PAGE
from comptoir.client.records import (
    AcceleratorKind,
    FleetApplied,
    InboundLease,
    Node,
    NodeCheck,
    Runtime,
)
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

    def nodes(self, kind: str | None = None, state: str | None = None) -> Iterator[Node]:
        """Every node, or those of a kind and in a state."""
        return self._transport.pages(path_of("nodes"), PAGE, kind=kind, state=state)

    def node(self, node_id: str) -> Node:
        """One node."""
        return cast(Node, self._transport.get(path_of("nodes", node_id)))

    def drain(self, node_id: str) -> Node:
        """Give it no new leases; those it has run to their end."""
        return self._change(node_id, "drain")

    def resume(self, node_id: str) -> Node:
        """Let it take new leases again, or end its maintenance early."""
        return self._change(node_id, "resume")

    def fail(
        self, node_id: str, because: str, *, at: str | None = None, stopped: bool = False
    ) -> Node:
        """Report it dead since `at` (None: now): what stands there moves if it can.

        Args:
            node_id: The node.
            because: What is known of it.
            at: RFC 3339: when it really failed.
            stopped: Nothing runs there any more (the power is off): no need to wait for the
                fencing time.
        """
        return self._change(node_id, "fail", {"because": because, "at": at, "stopped": stopped})

    def repair(self, node_id: str) -> Node:
        """It works again and nothing of before runs there: checks if it has any, then service."""
        return self._change(node_id, "repair")

    def maintenance(
        self, node_id: str, starts_at: str | None, ends_at: str | None, because: str
    ) -> Node:
        """Plan work in a window; without a start, what was planned is called off."""
        body = {"starts_at": starts_at, "ends_at": ends_at, "because": because}
        return self._change(node_id, "maintenance", body)

    def spare(self, node_id: str, spare: bool = True) -> Node:
        """Keep it out of sale to replace nodes that fail, or put it back."""
        return self._change(node_id, "spare", {"spare": spare})

    def report_checks(
        self, node_id: str, checks: Sequence[Mapping[str, str]], at: str | None = None
    ) -> Node:
        """Report health checks.

        Args:
            node_id: The node.
            checks: Each with `name`, `outcome` (`passed` or `failed`) and `evidence`.
            at: RFC 3339: when it was checked; None is now.
        """
        return self._change(node_id, "checks", {"checks": [*checks], "at": at})

    def checks(self, node_id: str) -> Iterator[NodeCheck]:
        """The checks of a node with their evidence, newest first."""
        return self._transport.pages(path_of("nodes", node_id, "checks"), PAGE)

    def _change(self, node_id: str, verb: str, body: Mapping[str, Any] | None = None) -> Node:
        return cast(Node, self._transport.write("POST", path_of("nodes", node_id, verb), body))


class Supply:
    """Inbound leases."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def declare(self, declaration: Mapping[str, Any]) -> InboundLease:
        """Put an inbound lease and its nodes in the book.

        Args:
            declaration: `name`, `kind`, `nodes` (each with `name` and `accelerators`, and
                if wished `memory_bytes`, `cpus`, `engine`, `site`, `cluster`, `pod`, `rack`, and
                `spare`, `gated`, `fence_after_s`, `accept_within_s`), and if wished
                `partner`, `starts_at`, `ends_at`, `cost_per_accelerator_hour`,
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
