"""Accelerator kinds: types of chip with the facts that placement and prices rest on."""

from dataclasses import dataclass
from enum import StrEnum

from comptoir.units.errors import Invalid


class Tenancy(StrEnum):
    """Whether two tenants may stand on one node (never on one accelerator)."""

    EXCLUSIVE_NODE = "exclusive_node"
    SANDBOXED_SHARED = "sandboxed_shared"


@dataclass(frozen=True, slots=True)
class AcceleratorKind:
    """A type of chip. `interconnect_domain`: accelerators joined at full bandwidth."""

    name: str
    maker: str
    memory_bytes: int
    power_watts: int
    interconnect_domain: int
    tenancy: Tenancy
    source: str


_GB = 10**9
CATALOGUE: dict[str, AcceleratorKind] = {
    kind.name: kind
    for kind in (
        AcceleratorKind(
            "cpu-core", "any", 0, 0, 1, Tenancy.SANDBOXED_SHARED, "a core of a machine's own CPU"
        ),
        AcceleratorKind(
            "h100-sxm",
            "NVIDIA",
            80 * _GB,
            700,
            8,
            Tenancy.EXCLUSIVE_NODE,
            "NVIDIA H100 datasheet, SXM5",
        ),
        AcceleratorKind(
            "mi300x",
            "AMD",
            192 * _GB,
            750,
            8,
            Tenancy.EXCLUSIVE_NODE,
            "AMD Instinct MI300X datasheet",
        ),
        AcceleratorKind(
            "mtia-v2",
            "Meta",
            128 * _GB,
            90,
            72,
            Tenancy.EXCLUSIVE_NODE,
            "Meta, next-generation MTIA, April 2024",
        ),
    )
}


def check_kind(name: str) -> str:
    """`name` itself if the catalogue has it.

    Raises:
        Invalid: `unknown_kind`.
    """
    if name not in CATALOGUE:
        raise Invalid(
            "unknown_kind",
            f"{name!r} is not an accelerator kind of this catalogue",
            f"use one of {', '.join(CATALOGUE)}",
        )
    return name
