"""What passes on a pool's nodes, accelerator by accelerator: one row each, compared at once.

Where several promises follow each other on one accelerator, counts do not say what is free over
a window: their masks do. Rows are kept for what ends by itself or has yet to start. What stands
now without an end has a row only if it shares an accelerator with such; else it is what is taken
and has no row. (Nodes with planned work are looked at by their own rows.) Neighbours: `pools.py`
feeds it, `windows.py` asks for the nodes on which counts are not enough.
"""

from array import array
from typing import Any

import numpy as np

from comptoir.units.ids import AllocationId
from comptoir.units.time import Window

Ints = np.ndarray[Any, np.dtype[np.int64]]

BITS = 62
"""Accelerators in one word of a mask."""
_WORD = (1 << BITS) - 1
_NODE, _WHICH, _MASK, _START, _END, _OWNER, _ROW = range(7)
"""Columns of a row; a start of -1 is handed over. `_ROW` is how many there are."""


class Passing:
    """The rows of one pool, by allocation; an unused row has an empty mask."""

    def __init__(self) -> None:
        self._rows = array("q")
        self._unused: list[int] = []
        self._of: dict[AllocationId, list[int]] = {}
        self._words = 1

    def put(
        self, id: AllocationId, node: int, mask: int, start_ms: int, end_ms: int, owner: int
    ) -> None:
        """An allocation passes, from `start_ms` (-1: it is there) to `end_ms`."""
        self.drop(id)
        rows: list[int] = []
        which = 0  # of words
        while mask:
            if mask & _WORD:
                rows.append(self._row([node, which, mask & _WORD, start_ms, end_ms, owner]))
            mask >>= BITS
            which += 1
        self._of[id] = rows
        self._words = max(self._words, which)

    def drop(self, id: AllocationId) -> None:
        """An allocation passes no more: it is gone, or stays."""
        for at in self._of.pop(id, ()):
            self._rows[at + _MASK] = 0
            self._unused.append(at)

    def free(
        self,
        nodes: list[int],
        sizes: Ints,
        taken: list[int],
        owner: int | None,
        window: Window,
        now_ms: int,
    ) -> Ints:
        """How many accelerators of some nodes are free for an owner over a window.

        Args:
            nodes: Their row numbers.
            sizes: How many accelerators each has.
            taken: What stands on each at any time, as bits.
            owner: Who asks, where tenants do not share a node; None where they do.
            window: From when to when.
            now_ms: The instant: what is handed over stands until after it.
        """
        width = self._words
        place = np.full(max(nodes) + 1, -1, np.int64)
        place[nodes] = np.arange(len(nodes))
        rows = np.frombuffer(self._rows, np.int64).reshape(-1, _ROW)
        rows = rows[(rows[:, _MASK] != 0) & (rows[:, _NODE] < len(place))]
        at = place[rows[:, _NODE]]
        rows, at = rows[at >= 0], at[at >= 0]
        there = rows[:, _START] < 0
        end = np.where(there, np.maximum(rows[:, _END], now_ms + 1), rows[:, _END])
        over = end > window.start_ms
        if window.end_ms is not None:
            over &= rows[:, _START] < window.end_ms
        cells = at * width + rows[:, _WHICH]
        ever, then = np.zeros(len(nodes) * width, np.int64), np.zeros(len(nodes) * width, np.int64)
        np.bitwise_or.at(ever, cells, rows[:, _MASK])
        np.bitwise_or.at(then, cells[over], rows[over, _MASK])
        endless = _in_words(taken, width) & ~ever
        held = np.bitwise_count(endless | then).reshape(-1, width).sum(1, dtype=np.int64)
        counts: Ints = sizes - held
        if owner is not None:
            foreign = rows[:, _OWNER] != owner
            counts[at[foreign & over]] = 0
            # What stands without an end on such a node is of the tenant of all that passes there.
            kept = endless.reshape(-1, width).any(1)
            strange = np.zeros(len(nodes), np.bool_)
            strange[at[foreign]] = True
            counts[kept & strange] = 0
        return counts

    def _row(self, values: list[int]) -> int:
        if self._unused:
            at = self._unused.pop()
            self._rows[at : at + _ROW] = array("q", values)
            return at
        at = len(self._rows)
        self._rows.extend(values)
        return at


def _in_words(masks: list[int], width: int) -> Ints:
    """Masks of any size as so many words each, the lowest accelerators first."""
    if width == 1:
        return np.array(masks, np.int64)
    return np.array([m >> BITS * word & _WORD for m in masks for word in range(width)], np.int64)
