"""The one retry helper: what is unavailable now is asked again, within a deadline.

Only `Unavailable` is retried: a no is final. Reads may always be repeated; writes carry
an idempotency key, so a repeated one is answered with what the first one did.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from comptoir.units.errors import Unavailable

T = TypeVar("T")
FINAL_CODES = frozenset({"internal_error", "not_comptoir", "tls_failed"})
"""Unavailable, and asking again at once would not help."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to keep asking: at most `retries` times more, never past `deadline_s`."""

    retries: int = 4
    deadline_s: float = 60.0
    first_pause_s: float = 0.1
    longest_pause_s: float = 5.0


def retrying(
    attempt: Callable[[int], T],
    patience: Patience,
    *,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    jitter: Callable[[], float] = random.random,
) -> T:
    """Call `attempt(0)`, then `attempt(1)` ... until one succeeds or patience ends.

    The pause doubles from `first_pause_s`, with up to a quarter of jitter, and is never
    shorter than the server's `Retry-After`.

    Raises:
        Unavailable: the last one, when no further try fits.
    """
    gives_up_at = clock() + patience.deadline_s
    number = 0
    while True:
        try:
            return attempt(number)
        except Unavailable as error:
            backoff = min(patience.first_pause_s * 2**number, patience.longest_pause_s)
            wait_s = max(float(error.retry_after_s), backoff * (1 + jitter() / 4))
            if (
                number >= patience.retries
                or error.code in FINAL_CODES
                or clock() + wait_s > gives_up_at
            ):
                raise
        pause(wait_s)
        number += 1
