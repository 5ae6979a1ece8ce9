"""A fleet file, read: TOML text in, a sound `FleetFile` out, or every problem with its line.

A problem names the file, the line and the field, so that a person can mend it; all that can
be found at once are told at once. `docs/operate/fleet.md` describes the format.
"""

from comptoir.fleet import fields
from comptoir.fleet.conditions import Conditions, SoldTo
from comptoir.fleet.files import (
    DEFAULT_NODE_NAME,
    MOST_ACCELERATORS_A_NODE,
    MOST_CPUS,
    MOST_FILE_LETTERS,
    MOST_NODES,
    MOST_PLACES,
    Block,
    FileLease,
    FleetFile,
    Span,
)
from comptoir.fleet.nodes import (
    DEFAULT_FENCE_AFTER_S,
    MOST_ACCEPT_WITHIN_S,
    MOST_FENCE_AFTER_S,
)
from comptoir.fleet.topology import MOST_GBPS, Fabric
from comptoir.units import fields as common
from comptoir.units.errors import Invalid
from comptoir.units.reading import MOST_PROBLEMS, Reading, Table
from comptoir.units.time import Window, format_instant
from comptoir.units.toml_lines import Path

MOST_LEASES = 1_000
MOST_ACCELERATORS = 10**9


def read_fleet_file(name: str, text: str, now_ms: int = 0) -> FleetFile:
    """Read a fleet file.

    Args:
        name: The file's, for its problems.
        text: Its TOML.
        now_ms: When; what has ended by then is a problem.

    Raises:
        Invalid: the code of the first problem; `facts` has `file`, `line`, `field`, and all
            `problems`.
    """
    reading = Reading(name, "docs/operate/fleet.md: The file, field by field")
    found = _read(reading, name, text, now_ms)
    reading.raise_problems()
    assert found is not None, "a file that could not be read has a problem"
    return found


def _read(reading: Reading, name: str, text: str, now_ms: int) -> FleetFile | None:
    document = reading.read_toml(text, MOST_FILE_LETTERS)
    if document is None:
        return None
    root = Table(reading, (), document)
    leases = [_lease(table, now_ms) for table in root.tables("inbound", True, MOST_LEASES)]
    fabrics = [_fabric(table) for table in root.tables("cluster", False, MOST_PLACES)]
    root.close()
    _check_unique(reading, leases, fabrics)
    return FleetFile(
        name,
        tuple(lease for lease in leases if lease is not None),
        tuple(fabric for fabric in fabrics if fabric is not None),
    )


def _lease(table: Table, now_ms: int) -> FileLease | None:
    name, kind = table.take("name", common.text(100)), table.take("kind", fields.kind)
    partner = table.take("partner", common.text(100), "owned")
    starts = table.take("starts", common.instant, None)
    ends = table.take("ends", common.instant, None)
    cost = table.take("cost", common.price, 0)
    currency = table.take("currency", common.currency, "USD")
    conditions = Conditions(
        table.take("sold_to", fields.sold_to, SoldTo.EVERYBODY),
        table.take("selling_windows", fields.selling_windows, ()),
        table.take("grant", fields.grant, ""),
        table.take("residency", fields.residency, ""),
    )
    if ends is not None:
        _check_end(table, starts, ends, now_ms)
    blocks = [_block(inner) for inner in table.tables("nodes", True, MOST_PLACES)]
    sound = [block for block in blocks if block is not None]
    stated = table.take("accelerators", common.whole(1, MOST_ACCELERATORS), None)
    if stated is not None and len(sound) == len(blocks):
        held = sum(block.accelerators for block in sound)
        _check_stated(table, stated, held, f"its {len(sound):,} blocks of nodes")
    if not table.close() or len(sound) != len(blocks):
        return None
    return FileLease(name, kind, tuple(sound), partner, starts, ends, cost, currency, conditions)


def _check_end(table: Table, starts_ms: int | None, ends_ms: int, now_ms: int) -> None:
    """An end lies after the start, and after now: nothing can be supplied in the past."""
    try:
        Window(starts_ms or 0, ends_ms)
    except Invalid as error:
        table.wrong("ends", error)
        return
    if ends_ms <= now_ms:
        passed = f"{format_instant(ends_ms)} has passed"
        step = "give a later end, or take this inbound lease out of the file"
        table.wrong("ends", Invalid("end_in_the_past", passed, step))


def _block(table: Table) -> Block | None:
    block = Block(
        site=table.take("site", common.text(64)),
        cluster=table.take("cluster", common.text(64)),
        pods=table.take("pods", fields.span, Span()),
        racks=table.take("racks", fields.span, Span()),
        nodes=table.take("nodes", fields.span, Span()),
        accelerators_per_node=table.take(
            "accelerators_per_node", common.whole(1, MOST_ACCELERATORS_A_NODE)
        ),
        memory_bytes=table.take("memory", fields.size, 0),
        cpus=table.take("cpus", common.whole(0, MOST_CPUS), 0),
        engine=table.take("engine", common.text(32), ""),
        node_name=table.take("node_name", fields.node_name, DEFAULT_NODE_NAME),
        spare=table.take("spare", common.flag, False),
        gated=table.take("gated", common.flag, None),
        fence_after_s=table.take(
            "fence_after", common.duration(MOST_FENCE_AFTER_S), DEFAULT_FENCE_AFTER_S
        ),
        accept_within_s=table.take("accept_within", common.duration(MOST_ACCEPT_WITHIN_S), 0),
    )
    stated = table.take("accelerators", common.whole(1, MOST_ACCELERATORS), None)
    if not table.close():
        return None
    if block.node_count > MOST_NODES:
        many = f"it has {block.node_count:,} nodes, at most {MOST_NODES:,} are taken"
        table.wrong("nodes", Invalid("fleet_counts", many, "split the file"))
    if stated is not None:
        counts = (len(block.pods), len(block.racks), len(block.nodes), block.accelerators_per_node)
        what = "{:,} pods x {:,} racks x {:,} nodes x {:,} accelerators".format(*counts)
        _check_stated(table, stated, block.accelerators, what)
    return block if table.sound else None


def _check_stated(table: Table, stated: int, held: int, what: str) -> None:
    if stated != held:
        table.wrong(
            "accelerators",
            Invalid(
                "fleet_counts",
                f"{what} make {held:,}, not {stated:,}",
                "mend the counts, or leave accelerators out",
            ),
        )


def _fabric(table: Table) -> Fabric | None:
    fabric = Fabric(
        table.take("site", common.text(64)),
        table.take("name", common.text(64)),
        table.take("fabric", common.text(100)),
        table.take("gbps", common.whole(0, MOST_GBPS), 0),
        table.take("between_racks", fields.ratio, ""),
        table.take("between_pods", fields.ratio, ""),
    )
    return fabric if table.close() else None


def _check_unique(
    reading: Reading, leases: list[FileLease | None], fabrics: list[Fabric | None]
) -> None:
    """Names of leases, clusters and nodes, each given once."""
    leases_at: dict[str, Path] = {}
    nodes_at: dict[str, Path] = {}
    clusters_at: dict[str, Path] = {}
    many = sum(lease.node_count for lease in leases if lease is not None)
    if many > MOST_NODES:
        told = f"the file has {many:,} nodes, at most {MOST_NODES:,} are taken"
        reading.add(("inbound",), Invalid("fleet_counts", told, "split the file"))
        return
    for number, lease in enumerate(leases):
        if lease is not None:
            here: Path = ("inbound", number)
            _first(reading, leases_at, lease.name, (*here, "name"), "inbound lease")
            _name_nodes(reading, nodes_at, lease, here)
    for number, fabric in enumerate(fabrics):
        if fabric is not None:
            place = f"{fabric.site}/{fabric.cluster}"
            _first(reading, clusters_at, place, ("cluster", number, "name"), "cluster")


def _name_nodes(reading: Reading, nodes_at: dict[str, Path], lease: FileLease, here: Path) -> None:
    for at, block in enumerate(lease.blocks):
        told = "nodes" if block.node_name == DEFAULT_NODE_NAME else "node_name"
        field: Path = (*here, "nodes", at, "nodes" if block.nodes.names else told)
        names = len(block.nodes.names)
        for number, node in enumerate(block.expand()):
            mine = (*field, number % names) if names else field
            if node.name not in nodes_at:
                nodes_at[node.name] = mine
                continue
            _twice(reading, node.name, mine, nodes_at[node.name])
            if not names or len(reading.problems) >= MOST_PROBLEMS:
                break  # numbered nodes that meet once meet again and again


def _twice(reading: Reading, name: str, mine: Path, other: Path) -> None:
    line = reading.line_of(other)
    if other[:2] == mine[:2]:
        error = Invalid(
            "fleet_duplicate_name",
            f"node {name!r} is named twice, first in line {line}",
            "give each node a name of its own; node_name may hold {pod}, {rack} and {node}",
        )
    else:
        error = Invalid(
            "fleet_node_in_two_leases",
            f"node {name!r} is also in the inbound lease of line {line}",
            "leave it in one of them",
        )
    reading.add(mine, error)


def _first(reading: Reading, seen: dict[str, Path], name: str, at: Path, what: str) -> None:
    other = seen.setdefault(name, at)
    if other != at:
        line = reading.line_of(other)
        said = f"{what} {name!r} is named twice, first in line {line}"
        reading.add(at, Invalid("fleet_duplicate_name", said, "choose another name"))
