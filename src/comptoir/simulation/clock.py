"""Time and randomness that a seed decides."""

import random

START_MS = 1_790_000_000_000  # 2026-09-21T14:13:20Z
MONTH_END_MS = 1_790_812_790_000  # 2026-09-30T23:59:50Z


class VirtualClock:
    """One true time that only moves on, and the clock that the desk reads, which may be wrong."""

    def __init__(self, true_ms: int = START_MS) -> None:
        self.true_ms = true_ms
        self.skew_ms = 0

    def now_ms(self) -> int:
        """What the desk's machine says the time is."""
        return self.true_ms + self.skew_ms

    def advance(self, by_ms: int) -> None:
        """Let time pass."""
        self.true_ms += by_ms


class SeededEntropy:
    """Secrets that are the same every time; for simulation only."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def token_bytes(self, count: int) -> bytes:
        """Bytes that only look unpredictable."""
        return self._random.randbytes(count)
