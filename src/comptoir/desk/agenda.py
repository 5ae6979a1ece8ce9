"""The agenda: which rows the next turn has to look at, so that an idle turn looks at none.

A row is looked at when it was touched (any change of it or of what hangs on it, an undo
included) or when the instant that it asked to be reminded of has come. The turn looks, acts,
and says when to look again. A look too many costs microseconds and changes nothing; so
nothing here needs to be undone: whatever is restored was touched by that.
"""

import heapq
from typing import Generic, TypeVar

K = TypeVar("K", bound=str)


class Agenda(Generic[K]):
    """Keys to look at, now or at an instant. Order is the order of asking, then of time."""

    def __init__(self) -> None:
        self._touched: dict[K, None] = {}
        self._heap: list[tuple[int, K]] = []
        self._at: dict[K, int] = {}

    def touch(self, key: K) -> None:
        """Look at it in the next turn."""
        self._touched[key] = None

    def remind(self, key: K, at_ms: int | None) -> None:
        """Look at it once `at_ms` has come, and not at an earlier instant asked for before."""
        if at_ms is None:
            self._at.pop(key, None)
        elif self._at.get(key) != at_ms:
            self._at[key] = at_ms
            heapq.heappush(self._heap, (at_ms, key))

    def take(self, now_ms: int, most: int) -> list[K]:
        """The next keys to look at, at most `most`; what is left stays for the next take."""
        while self._heap and self._heap[0][0] <= now_ms:
            at_ms, key = heapq.heappop(self._heap)
            if self._at.get(key) == at_ms:
                del self._at[key]
                self._touched[key] = None
        if len(self._touched) <= most:
            taken = list(self._touched)
            self._touched.clear()
            return taken
        taken = [key for key, _ in zip(self._touched, range(most), strict=False)]
        for key in taken:
            del self._touched[key]
        return taken

    def next_ms(self, after_ms: int) -> int | None:
        """The next instant past `after_ms` that a reminder was asked for; None: there is none.

        What is touched, or was due by then and is looked at in every turn, is not waited for.
        """
        passed: list[tuple[int, K]] = []
        found = None
        while self._heap and found is None:
            at_ms, key = self._heap[0]
            if self._at.get(key) == at_ms and at_ms > after_ms:
                found = at_ms
                continue
            heapq.heappop(self._heap)
            if self._at.get(key) == at_ms:
                passed.append((at_ms, key))
        for reminder in passed:
            heapq.heappush(self._heap, reminder)
        return found

    def __len__(self) -> int:
        return len(self._touched)
