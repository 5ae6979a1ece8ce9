"""A fleet file, written: a `FleetFile` as TOML that `read_file.py` reads back the same."""

import json
from collections.abc import Iterator
from typing import Any

from comptoir.fleet.conditions import SoldTo
from comptoir.fleet.files import DEFAULT_NODE_NAME, Block, FileLease, FleetFile, Span
from comptoir.fleet.nodes import DEFAULT_FENCE_AFTER_S
from comptoir.fleet.topology import Fabric
from comptoir.units.durations import format_duration_s
from comptoir.units.money import format_price
from comptoir.units.recurrence import format_recurrence
from comptoir.units.time import format_instant

_NAMES_A_LINE = 6


def write_fleet_file(file: FleetFile, header: str = "") -> str:
    """The TOML of a file.

    Args:
        file: What it says.
        header: Lines of comment before it.
    """
    lines = [f"# {line}".rstrip() for line in header.splitlines()]
    for lease in file.leases:
        lines += ["", "[[inbound]]", *_lease(lease)]
        for block in lease.blocks:
            lines += ["", "[[inbound.nodes]]", *_block(block)]
    for fabric in file.fabrics:
        lines += ["", "[[cluster]]", *_fabric(fabric)]
    return "\n".join(lines).lstrip("\n") + "\n"


def _lease(lease: FileLease) -> Iterator[str]:
    conditions = lease.conditions
    windows = [format_recurrence(window) for window in conditions.selling_windows]
    yield from _said("name", lease.name)
    yield from _said("kind", lease.kind)
    yield from _said("partner", lease.partner, "owned")
    for name, instant_ms in (("starts", lease.starts_at_ms), ("ends", lease.ends_at_ms)):
        if instant_ms is not None:
            yield f"{name} = {format_instant(instant_ms)}"
    yield from _said("cost", format_price(lease.cost_nanos), format_price(0))
    yield from _said("currency", lease.currency, "USD")
    yield from _said("sold_to", str(conditions.sold_to), str(SoldTo.EVERYBODY))
    yield from _said("selling_windows", windows, [])
    yield from _said("grant", conditions.grant, "")
    yield from _said("residency", conditions.residency, "")


def _block(block: Block) -> Iterator[str]:
    yield from _said("site", block.site)
    yield from _said("cluster", block.cluster)
    for name, span in (("pods", block.pods), ("racks", block.racks), ("nodes", block.nodes)):
        if span != Span():
            yield f"{name} = {_span(span)}"
    yield from _said("accelerators_per_node", block.accelerators_per_node)
    if block.memory_bytes:
        yield f"memory = {json.dumps(_size(block.memory_bytes))}"
    yield from _said("cpus", block.cpus, 0)
    yield from _said("engine", block.engine, "")
    yield from _said("node_name", block.node_name, DEFAULT_NODE_NAME)
    yield from _said("spare", block.spare, False)
    yield from _said("gated", block.gated)
    for name, seconds, default in (
        ("fence_after", block.fence_after_s, DEFAULT_FENCE_AFTER_S),
        ("accept_within", block.accept_within_s, 0),
    ):
        yield from _said(name, format_duration_s(seconds), format_duration_s(default))


def _fabric(fabric: Fabric) -> Iterator[str]:
    yield from _said("site", fabric.site)
    yield from _said("name", fabric.cluster)
    yield from _said("fabric", fabric.name)
    yield from _said("gbps", fabric.gbps, 0)
    yield from _said("between_racks", fabric.between_racks, "")
    yield from _said("between_pods", fabric.between_pods, "")


def _said(name: str, value: Any, default: Any = None) -> Iterator[str]:
    """A line, unless it would only say the default. JSON's text and lists are TOML's too."""
    if value != default:
        yield f"{name} = {json.dumps(value, ensure_ascii=False)}"


def _span(span: Span) -> str:
    if not span.names:
        return str(span.last) if span.first == 1 else f'"{span.first}-{span.last}"'
    names = [json.dumps(name, ensure_ascii=False) for name in span.names]
    if len(names) <= _NAMES_A_LINE:
        return f"[{', '.join(names)}]"
    lines = [
        "  " + ", ".join(names[at : at + _NAMES_A_LINE]) + ","
        for at in range(0, len(names), _NAMES_A_LINE)
    ]
    return "\n".join(["[", *lines, "]"])


def _size(size_bytes: int) -> str:
    """Bytes in the largest unit that says them exactly, as `parse_size` reads them."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("GB", 10**9), ("MB", 10**6)):
        if size_bytes % size == 0:
            return f"{size_bytes // size} {unit}"
    raise ValueError(f"{size_bytes} bytes are no whole number of MB or MiB")
