"""Sizes: how many accelerators each place has, whatever stands there and whenever.

What no waiting can make possible is refused by these (`plan.refuse_impossible`). They are kept
true node by node: counted over a fleet of 76,800 they held the desk for 40 ms, again after
every change of a node. A place lies in nodes of one kind, cluster and supply; only a site
combines them. Neighbours: `snapshot.py` feeds them.
"""

from collections.abc import Iterable

from comptoir.fleet.nodes import Node
from comptoir.leases.lease import Shape

_Tally = dict[int, int]
"""How many places have so many accelerators: size -> places."""


class Sizes:
    """The places of one cluster that share their supply and its conditions."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.total = 0
        self._racks: dict[str, dict[str, int]] = {}
        """By pod and rack."""
        self._pods: dict[str, int] = {}
        self._tallies: dict[Shape, _Tally] = {Shape.NODE: {}, Shape.RACK: {}, Shape.POD: {}}

    def change(self, node: Node, sign: int) -> None:
        """A node that may be waited for came (`sign` 1) or went (-1)."""
        size = sign * node.accelerators
        self.total += size
        _count(self._tallies[Shape.NODE], node.accelerators, sign)
        _grow(self._pods, node.pod, size, self._tallies[Shape.POD])
        racks = self._racks.setdefault(node.pod, {})
        _grow(racks, node.rack, size, self._tallies[Shape.RACK])
        if not racks:
            del self._racks[node.pod]

    def largest(self, shape: Shape) -> int:
        """The accelerators of the largest place of a shape within the cluster, or its all."""
        tally = self._tallies.get(shape)
        return self.total if tally is None else max(tally, default=0)

    def contents(self) -> dict[str, object]:
        """All that is counted: two of one fleet say the same."""
        return {"total": self.total, "racks": self._racks, "tallies": self._tallies}


def total_and_largest(parts: Iterable[Sizes], shape: Shape) -> tuple[int, int]:
    """The accelerators of all places, and of the largest of a shape."""
    sites: dict[str, int] = {}
    largest = 0
    for sizes in parts:
        sites[sizes.site] = sites.get(sizes.site, 0) + sizes.total
        largest = max(largest, sizes.largest(shape))
    if shape is Shape.SITE:
        largest = max(sites.values(), default=0)
    return sum(sites.values()), largest


def _grow(places: dict[str, int], place: str, by: int, tally: _Tally) -> None:
    before = places.get(place, 0)
    if before:
        _count(tally, before, -1)
    if before + by:
        places[place] = before + by
        _count(tally, before + by, 1)
    else:
        del places[place]


def _count(tally: _Tally, size: int, sign: int) -> None:
    places = tally.get(size, 0) + sign
    if places:
        tally[size] = places
    else:
        del tally[size]
