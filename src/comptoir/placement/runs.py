"""Runs of good buckets: the search at the bottom of the calendar, for two back ends.

A bucket is good while no more than `most` accelerators are held in it. `first_run` looks
backwards for the *last* bad bucket of a window and jumps past it, so that no bucket is read
twice: 5 us over a year when compiled. As plain Python that is slow, and numpy does better
forwards, chunk by chunk: `first_run_in_chunks`. A test holds both to one answer.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int32]

_FIRST_CHUNK = 2_048
_LARGEST_CHUNK = 16_384


def first_run(held: Any, first: int, last: int, width: int, most: int) -> int:
    """The first bucket from which `width` buckets are good.

    Args:
        held: Accelerators held in each bucket; any flat table of integers.
        first: The earliest bucket to begin at.
        last: The latest one; `last + width` is at most the table's length.
        width: How many buckets in a row, at least 1.
        most: A bucket that holds more is bad.

    Returns:
        The bucket, or -1.

    Source: Boyer and Moore (1977), "A fast string searching algorithm": the jump.
    """
    start = first
    good_until = first
    while start <= last:
        at = start + width - 1
        while at >= good_until and held[at] <= most:
            at -= 1
        if at < good_until:
            return start
        good_until = start + width
        start = at + 1
    return -1


def first_run_in_chunks(held: Counts, first: int, last: int, width: int, most: int) -> int:
    """As `first_run`, with numpy: bad buckets of a chunk at once, and the gaps between them."""
    start, at, chunk = first, first, _FIRST_CHUNK
    end = last + width
    while at < end and start <= last:
        until = min(at + chunk, end)
        bad = np.flatnonzero(held[at:until] > most)
        if bad.size:
            edges = np.concatenate(([start - at - 1], bad))
            wide = np.flatnonzero(np.diff(edges) > width)
            if wide.size:
                return min_start(int(edges[wide[0]]) + at + 1, last)
            start = at + int(bad[-1]) + 1
        if start <= last and until - start >= width:
            return start
        at, chunk = until, min(2 * chunk, _LARGEST_CHUNK)
    return -1


def min_start(start: int, last: int) -> int:
    """A run that begins too late is none."""
    return start if start <= last else -1


def last_bad(held: Counts, first: int, most: int) -> int:
    """The last bucket from `first` on that is bad, or `first - 1`: for what has no end."""
    end = held.size
    while end > first:
        begin = max(first, end - _LARGEST_CHUNK)
        bad = np.flatnonzero(held[begin:end] > most)
        if bad.size:
            return begin + int(bad[-1])
        end = begin
    return first - 1
