"""Accelerator kinds: types of chip with the facts that placement and prices rest on.

The facts themselves, each with its source, are in `catalogue.py`. A fact that was not found
is None, never a guess.
"""

from dataclasses import dataclass
from difflib import get_close_matches

from comptoir.fleet.catalogue import FACTS, Facts
from comptoir.units.errors import Invalid
from comptoir.units.values import Term


class Tenancy(Term):
    """Whether two tenants may stand on one node (never on one accelerator)."""

    EXCLUSIVE_NODE = "exclusive_node"
    SANDBOXED_SHARED = "sandboxed_shared"


@dataclass(frozen=True, slots=True)
class AcceleratorKind:
    """A type of chip.

    Args:
        name: How it is asked for: "h100-sxm".
        maker: Who makes it.
        memory_bytes: Its own memory; None: not found, or it has none of its own.
        power_watts: The most it draws; None: not found.
        interconnect_domain: How many are joined at the chips' own full bandwidth (NVLink,
            ICI, one chassis); None: not found.
        network_domain: How many a network has joined with full bisection (RoCE, InfiniBand) in
            a cluster that was published; None: none was found. What yours joins is the fleet
            file's to say: a pod.
        tenancy: Whether two tenants may share a node of it.
        announced: It was announced, and is not known to be in service.
        sources: Where each fact is from: (fact, source); see `catalogue.py`.
    """

    name: str
    maker: str
    memory_bytes: int | None
    power_watts: int | None
    interconnect_domain: int | None
    network_domain: int | None
    tenancy: Tenancy
    announced: bool
    sources: tuple[tuple[str, str], ...]


def _kind(name: str, facts: Facts) -> AcceleratorKind:
    sourced = {
        "memory_bytes": facts.memory_bytes,
        "power_watts": facts.watts,
        "interconnect_domain": facts.domain,
        "network_domain": facts.network,
    }
    return AcceleratorKind(
        name,
        facts.maker,
        facts.memory_bytes[0],
        facts.watts[0],
        facts.domain[0],
        facts.network[0],
        Tenancy.SANDBOXED_SHARED if facts.shared else Tenancy.EXCLUSIVE_NODE,
        facts.announced,
        tuple((fact, source) for fact, (_, source) in sourced.items()),
    )


CATALOGUE: dict[str, AcceleratorKind] = {name: _kind(name, facts) for name, facts in FACTS.items()}


def check_kind(name: str) -> str:
    """`name` itself if the catalogue has it.

    Raises:
        Invalid: `unknown_kind`.
    """
    if name not in CATALOGUE:
        near = get_close_matches(name.lower(), CATALOGUE, 3, 0.5)
        raise Invalid(
            "unknown_kind",
            f"{name[:64]!r} is not an accelerator kind of this catalogue",
            f"use {' or '.join(near)}, or " * bool(near) + "see `comptoir fleet kinds`",
        )
    return name
