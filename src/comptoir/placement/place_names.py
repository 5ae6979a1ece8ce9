"""The names of places: what people read of the nodes that a gang stands on."""

from collections.abc import Sequence

from comptoir.fleet.nodes import Node
from comptoir.leases.lease import Shape
from comptoir.placement.snapshot import place_of


def place_name(nodes: Sequence[Node]) -> tuple[Shape, str]:
    """The narrowest shape that holds all of some nodes, and its name.

    Nodes of several places are named by the first and the last of them: `paris-1/a/pod-0..3`.
    """
    for shape in (Shape.NODE, Shape.RACK, Shape.POD, Shape.CLUSTER):
        places = {place_of(node, shape) for node in nodes}
        if len(places) == 1:
            name = "/".join(places.pop())
            if shape is not Shape.CLUSTER:
                return shape, name
            return shape, f"{name}/{_range({node.pod for node in nodes})}"
    sites = {node.site for node in nodes}
    clusters = _range({node.cluster for node in nodes})
    return Shape.SITE, f"{'+'.join(sorted(sites))}/{clusters}"


def _range(names: set[str]) -> str:
    """`pod-0..3` for places that share a beginning, else all their names."""
    ordered = sorted(names, key=lambda name: (len(name), name))
    first, last = ordered[0], ordered[-1]
    if len(ordered) == 1:
        return first
    stem, dash, number = last.rpartition("-")
    if dash and all(name.startswith(f"{stem}-") for name in ordered):
        return f"{first}..{number}"
    return "+".join(ordered[:4]) + ("+..." if len(ordered) > 4 else "")
