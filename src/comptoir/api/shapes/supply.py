"""Kinds, inbound leases, nodes, places, runtimes."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from comptoir.api.shapes.common import (
    Answer,
    Body,
    Count,
    Currency,
    CurrencyIn,
    Decimal,
    Flag,
    Instant,
    InstantIn,
    Line,
    Long,
    LongIn,
    Positive,
    PriceIn,
    RecurrenceIn,
    Residency,
)
from comptoir.fleet.conditions import MOST_SELLING_WINDOWS, SoldTo
from comptoir.fleet.files import MOST_FILE_LETTERS
from comptoir.fleet.kinds import Tenancy
from comptoir.fleet.nodes import DEFAULT_FENCE_AFTER_S, NodeState
from comptoir.leases.inbound import InboundState

MOST_NODES = 20_000
EngineName = Annotated[str, StringConstraints(max_length=32, pattern="^[a-z0-9_-]*$")]
Variables = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=256)],
        Annotated[str, StringConstraints(max_length=32_768)],
    ],
    Field(max_length=1_000),
]


class Kind(Answer):
    """A type of accelerator; a fact that was not found is null.

    `interconnect_domain` are joined at the chips' own bandwidth; `network_domain` by a network
    with full bisection, in a cluster that was published: what yours joins is a pod.

    A source begins with `P` (the maker's own word), `S` (press or analysts), `T` (a third
    party's copy), `=` (arithmetic) or `-` (not found).
    """

    name: str
    maker: str
    memory_bytes: Long | None
    power_watts: int | None
    interconnect_domain: int | None
    network_domain: int | None
    tenancy: Tenancy
    announced: bool
    sources: dict[str, str]


class NodeBody(Body):
    """A node that an inbound lease brings. Without `engine`, leases on it have no jobs.

    `gated`: it is sold only after its checks; left out, as its kind and engine say. What stands
    on it when it fails is fenced `fence_after_s` later at the latest; its holder may send it back
    unbilled within `accept_within_s`.
    """

    name: Line
    accelerators: Positive
    memory_bytes: LongIn = "0"
    engine: EngineName = ""
    site: Line = "site-1"
    cluster: Line = "a"
    pod: Line = "pod-1"
    rack: Line = "rack-1"
    cpus: Count = 0
    spare: Flag = False
    gated: Flag | None = None
    fence_after_s: Count = DEFAULT_FENCE_AFTER_S
    accept_within_s: Count = 0


class SupplyBody(Body):
    """An inbound lease, its nodes, and its conditions.

    `selling_windows`: when it may be sold to customers; left out, always. `grant`: only
    tenants that hold it. `residency`: the country, part of one, or region that it is in.
    """

    name: Line
    kind: Line = Field(examples=["cpu-core"])
    nodes: Annotated[list[NodeBody], Field(min_length=1, max_length=MOST_NODES)]
    partner: Line = "owned"
    starts_at: InstantIn | None = None
    ends_at: InstantIn | None = None
    cost_per_accelerator_hour: PriceIn = "0"
    currency: CurrencyIn = "USD"
    sold_to: SoldTo = SoldTo.EVERYBODY
    selling_windows: Annotated[list[RecurrenceIn], Field(max_length=MOST_SELLING_WINDOWS)] = Field(
        default_factory=list
    )
    grant: Line = ""
    residency: Residency = ""


class EndSupplyBody(Body):
    """When an inbound lease ends; left out, now."""

    ends_at: InstantIn | None = None


class Supply(Answer):
    """An inbound lease: capacity we hold."""

    id: str
    name: str
    partner: str
    kind: str
    starts_at: Instant
    ends_at: Instant | None
    cost_per_accelerator_hour: Decimal
    currency: Currency
    state: InboundState
    sold_to: SoldTo
    selling_windows: list[str]
    grant: str
    residency: str


class Node(Answer):
    """A machine with accelerators of one kind, and its place."""

    id: str
    name: str
    inbound_lease_id: str
    kind: str
    accelerators: int
    memory_bytes: Long
    engine: str
    site: str
    cluster: str
    pod: str
    rack: str
    state: NodeState
    cpus: int
    state_since: Instant
    because: str
    drained: bool
    spare: bool
    gated: bool
    fence_after_s: int
    accept_within_s: int
    fence_at: Instant | None
    maintenance_from: Instant | None
    maintenance_until: Instant | None
    owes_checks: bool
    failed_checks: list[str]


class Place(Answer):
    """A rack, pod, cluster or site, with its accelerators by kind; smaller places inside."""

    name: str
    nodes: int
    kinds: list["PlaceKind"]
    places: list["Place"]


class PlaceKind(Answer):
    """Accelerators of a kind in a place: handed over now, not in service, kept as spares, free."""

    kind: str
    nodes: int
    accelerators: int
    allocated: int
    out_of_service: int
    spare: int
    free: int


class Cluster(Answer):
    """What joins the nodes of a cluster; an empty word or 0 is not stated."""

    site: str
    cluster: str
    name: str
    gbps: int
    between_racks: str
    between_pods: str


class Entitled(Answer):
    """Accelerators of a kind that teams are entitled to now, at a site; empty: at any."""

    kind: str
    site: str
    accelerators: int


class Fleet(Answer):
    """The fleet by site, cluster, pod and rack; `level`: the smallest places shown."""

    level: str
    kinds: list[PlaceKind]
    entitled: list[Entitled]
    sites: list[Place]
    clusters: list[Cluster]


class FleetBody(Body):
    """A fleet file: its name, for what is said about it, and its TOML."""

    file: Line = Field(examples=["fleet.toml"])
    text: Annotated[str, StringConstraints(max_length=MOST_FILE_LETTERS)]
    dry_run: Flag = False


class AppliedLease(Answer):
    """What came of one inbound lease of the file; no id in a dry run."""

    name: str
    kind: str
    action: Literal["declare", "unchanged"]
    inbound_lease_id: str | None
    nodes: int
    accelerators: int


class AppliedFabric(Answer):
    """What came of one cluster of the file."""

    site: str
    cluster: str
    action: Literal["set", "change", "unchanged"]


class FleetApplied(Answer):
    """What a fleet file changed, or would change; the counts are of what is new."""

    dry_run: bool
    nodes: int
    accelerators: int
    leases: list[AppliedLease]
    clusters: list[AppliedFabric]


class RuntimeBody(Body):
    """Host paths shown read-only, at the same place, inside the sandbox."""

    name: Line
    paths: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=4_096)]],
        Field(max_length=16),
    ]
    environment: Variables = Field(default_factory=dict)


class Runtime(Answer):
    """An environment for jobs. `paths` and `environment` are null to tenants."""

    id: str
    name: str
    retired: bool
    created_at: Instant
    paths: list[str] | None
    environment: dict[str, str] | None
