"""What a fleet file says: inbound leases, the nodes they bring in blocks, fabrics.

Values only. A block is nodes alike, `pods` x `racks` x `nodes` of them, so that a cluster of
24,576 accelerators is a few lines. Neighbours: `read_file.py` makes these from TOML,
`inventory.py` from CSV, `write_file.py` writes them as TOML.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from comptoir.fleet.conditions import OPEN, Conditions
from comptoir.fleet.nodes import DEFAULT_FENCE_AFTER_S, NewNode
from comptoir.fleet.topology import Fabric
from comptoir.units.errors import Invalid

MOST_NODES = 1_000_000
MOST_ACCELERATORS_A_NODE = 1_024
MOST_MEMORY_BYTES = 1 << 50
MOST_CPUS = 65_536
MOST_FILE_LETTERS = 1 << 20
MOST_PLACES = 100_000
"""Pods of a cluster, racks of a pod, or nodes of a rack, in one block."""

DEFAULT_NODE_NAME = "{site}-{cluster}-{pod}-{rack}-{node}"
_FIELD = re.compile(r"\{(site|cluster|pod|rack|node)(?::([1-9]))?\}")
_SIZE = re.compile(r"([0-9]{1,9}) ?(GiB|TiB|MiB|GB|TB|MB)")
_UNITS = {
    "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "MB": 10**6, "GB": 10**9, "TB": 10**12,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """Places of one level, or nodes: numbered from `first` to `last`, or named."""

    first: int = 1
    last: int = 1
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names) or self.last - self.first + 1

    def __iter__(self) -> Iterator[str]:
        """A number or a name for each."""
        return iter(self.names or map(str, range(self.first, self.last + 1)))

    def full(self, level: str, one: str) -> str:
        """The whole name of one of them: `pod-3` for a number, a name as it is."""
        return one if self.names else f"{level}-{one}"


@dataclass(frozen=True, slots=True)
class Block:
    """Nodes alike in one cluster: so many in each of so many racks in each of so many pods.

    `node_name` says how numbered nodes are called: `{site}`, `{cluster}`, `{pod}`, `{rack}`
    and `{node}` stand for their names or numbers, `{rack:3}` for three digits at least.
    The last four are what `NewNode` says of every node.
    """

    site: str
    cluster: str
    accelerators_per_node: int
    pods: Span = Span()
    racks: Span = Span()
    nodes: Span = Span()
    memory_bytes: int = 0
    cpus: int = 0
    engine: str = ""
    node_name: str = DEFAULT_NODE_NAME
    spare: bool = False
    gated: bool | None = None
    fence_after_s: int = DEFAULT_FENCE_AFTER_S
    accept_within_s: int = 0

    @property
    def node_count(self) -> int:
        """How many nodes it has."""
        return len(self.pods) * len(self.racks) * len(self.nodes)

    @property
    def accelerators(self) -> int:
        """How many accelerators it has."""
        return self.node_count * self.accelerators_per_node

    def expand(self) -> Iterator[NewNode]:
        """Every node of it, pod by pod and rack by rack."""
        pattern = _parts(self.node_name)
        for pod in self.pods:
            pod_name = self.pods.full("pod", pod)
            for rack in self.racks:
                rack_name = self.racks.full("rack", rack)
                given = {"site": self.site, "cluster": self.cluster, "pod": pod, "rack": rack}
                before, after = _filled(pattern, given)
                for node in self.nodes:
                    name = node
                    if not self.nodes.names:
                        name = "".join([t + node.zfill(digits) for t, digits in before]) + after
                    yield NewNode(
                        name, self.accelerators_per_node, self.memory_bytes, self.engine,
                        self.site, self.cluster, pod_name, rack_name, self.cpus, self.spare,
                        self.gated, self.fence_after_s, self.accept_within_s,
                    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class FileLease:
    """An inbound lease as a file declares it. No start is the instant of its declaration."""

    name: str
    kind: str
    blocks: tuple[Block, ...]
    partner: str = "owned"
    starts_at_ms: int | None = None
    ends_at_ms: int | None = None
    cost_nanos: int = 0
    currency: str = "USD"
    conditions: Conditions = OPEN

    @property
    def node_count(self) -> int:
        """How many nodes it brings."""
        return sum(block.node_count for block in self.blocks)

    @property
    def accelerators(self) -> int:
        """How many accelerators it brings."""
        return sum(block.accelerators for block in self.blocks)

    def expand(self) -> Iterator[NewNode]:
        """Every node that it brings."""
        for block in self.blocks:
            yield from block.expand()


@dataclass(frozen=True, slots=True)
class FleetFile:
    """A whole fleet file, sound in itself; whether it fits a book is the desk's to say."""

    name: str
    leases: tuple[FileLease, ...]
    fabrics: tuple[Fabric, ...] = ()

    def fabrics_of_nothing(self) -> list[Fabric]:
        """Fabrics of clusters in which no node of the file stands."""
        blocks = [block for lease in self.leases for block in lease.blocks]
        there = {(block.site, block.cluster) for block in blocks}
        return [f for f in self.fabrics if (f.site, f.cluster) not in there]


def check_node_name(field: str, pattern: str) -> str:
    """`pattern` itself if it names nodes by fields that there are.

    Raises:
        Invalid: `bad_node_name`.
    """
    rest = _FIELD.sub("", pattern)
    if not pattern or len(pattern) > 64 or set("{}") & set(rest) or not rest.isprintable():
        raise Invalid(
            "bad_node_name",
            f"{field} {pattern[:64]!r} is not a pattern of at most 64 letters with the fields "
            "{site}, {cluster}, {pod}, {rack} and {node}",
            'write it like "gpu-{pod}-{rack:3}-{node}"',
            {"field": field},
        )
    return pattern


def parse_size(field: str, text: str) -> int:
    """Bytes of "2 TiB", "1536 GiB" or "80 GB".

    Raises:
        Invalid: `bad_size`.
    """
    found = _SIZE.fullmatch(text)
    size = int(found[1]) * _UNITS[found[2]] if found else -1
    if not 0 <= size <= MOST_MEMORY_BYTES:
        raise Invalid(
            "bad_size",
            f"{field} {text[:40]!r} is not a size of at most 1 PiB",
            'write it like "2 TiB" or "1536 GiB"',
            {"field": field},
        )
    return size


def _parts(pattern: str) -> list[tuple[str, str, int]]:
    """A pattern as (text before, field, least digits); the last has no field."""
    parts, at = [], 0
    for found in _FIELD.finditer(pattern):
        parts.append((pattern[at : found.start()], found[1], int(found[2] or 0)))
        at = found.end()
    return [*parts, (pattern[at:], "", 0)]


def _filled(
    pattern: list[tuple[str, str, int]], given: dict[str, str]
) -> tuple[list[tuple[str, int]], str]:
    """A pattern with all but the node: (text before it, its least digits) each, and the end."""
    parts, text = list[tuple[str, int]](), ""
    for before, field, digits in pattern:
        text += before
        if field == "node":
            parts.append((text, digits))
            text = ""
        else:
            text += given.get(field, "").zfill(digits)
    return parts, text
