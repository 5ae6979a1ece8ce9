"""The kernel's closed loop: one fleet kept at an occupancy, request after request.

What `comptoir bench placement` measures and what the tests replay on both back ends. While less
is held than the target, the next request of a stream is placed: on untouched accelerators, or
by a reclaim, or not at all; otherwise a lease drawn by a linear congruence is released. Every
placement and every victim goes into a running hash, so that one number says whether two
replays did the same. Leases are open-ended: windows are `windows.py`'s and the planner's.
"""

from comptoir.placement.kernel import (
    FREE_LEASE,
    L_FIRST,
    L_OWNER,
    L_RANK,
    L_SINCE,
    L_SIZE,
    MS_PER_S,
    Ints,
)
from comptoir.placement.kernel_find import find_up_to
from comptoir.placement.kernel_gang import free_gang, hold_gang
from comptoir.placement.kernel_reclaim import reclaim
from comptoir.placement.kernel_settle import settle

WANTED, LEVEL, TENANT, STRENGTH, WEAKNESS = range(5)
REQUEST_ROW = 5
"""Of a request: accelerators, level, owner's number, strength, and its rank as a victim."""

NEXT_REQUEST, DRAW, HELD, TARGET, NOW, HASH, LIVE, ROWS = range(8)
PLACED, REFUSED, RECLAIMS, VICTIMS, RELEASED = range(8, 13)
STATE_SIZE = 13
"""Of a replay: the next request, the last draw, what is held and what is to be, the instant, the
hash, how many leases stand, the unused rows of `held`; and counts, which are also the names of
what a step did."""

STEP_MS = 1_000
_PRIME, _FACTOR = (1 << 31) - 1, 1_000_003


def run(
    node: Ints,
    held: Ints,
    pool: Ints,
    wide: Ints,
    window: Ints,
    out: Ints,
    state: Ints,
    requests: Ints,
    live: Ints,
    steps: int,
) -> int:
    """So many steps at once; returns the hash."""
    for _ in range(steps):
        step(node, held, pool, wide, window, out, state, requests, live)
    return state[HASH]


def step(
    node: Ints,
    held: Ints,
    pool: Ints,
    wide: Ints,
    window: Ints,
    out: Ints,
    state: Ints,
    requests: Ints,
    live: Ints,
) -> int:
    """One placement or one release; returns what it was.

    Args:
        live: Handles of the leases that were placed and not yet drawn, the first `state[LIVE]`.
    """
    state[NOW] += STEP_MS
    did = RELEASED
    if state[HELD] >= state[TARGET]:
        release(node, held, pool, wide, window, state, live)
    else:
        row = state[NEXT_REQUEST]
        state[NEXT_REQUEST] = (row + REQUEST_ROW) % len(requests)
        did = place(node, held, pool, wide, window, out, state, requests, row, live)
    settle(pool, wide)
    state[did] += 1
    return did


def place(
    node: Ints,
    held: Ints,
    pool: Ints,
    wide: Ints,
    window: Ints,
    out: Ints,
    state: Ints,
    requests: Ints,
    row: int,
    live: Ints,
) -> int:
    """Place one request; returns PLACED, RECLAIMS or REFUSED."""
    wanted, level, owner = requests[row + WANTED], requests[row + LEVEL], requests[row + TENANT]
    now_ms, strength = state[NOW], requests[row + STRENGTH]
    did = PLACED
    pairs = find_up_to(node, pool, wide, out, level, wanted, owner)
    if pairs == 0 and strength > 0:
        victims = reclaim(node, held, pool, wide, window, level, wanted, owner, strength, now_ms)
        for victim in victims:
            take_back(node, held, pool, wide, window, state, victim)
        if len(victims):
            settle(pool, wide)
            pairs = find_up_to(node, pool, wide, out, level, wanted, owner)
            did = RECLAIMS
    if pairs == 0 or pairs > state[ROWS] or pool[FREE_LEASE] < 0:
        return REFUSED
    lease = pool[FREE_LEASE]
    pool[FREE_LEASE] = pool[lease + L_FIRST]
    pool[lease + L_OWNER] = owner
    pool[lease + L_RANK] = requests[row + WEAKNESS]
    pool[lease + L_FIRST] = -1
    pool[lease + L_SIZE] = wanted
    pool[lease + L_SINCE] = now_ms // MS_PER_S
    value = state[HASH]
    for i in range(pairs):
        value = (value * _FACTOR + out[2 * i] * 2_048 + out[2 * i + 1]) % _PRIME
    state[HASH] = value
    hold_gang(node, held, pool, wide, out, pairs, lease)
    state[ROWS] -= pairs
    live[state[LIVE]] = lease
    state[LIVE] += 1
    state[HELD] += wanted
    return did


def take_back(
    node: Ints, held: Ints, pool: Ints, wide: Ints, window: Ints, state: Ints, victim: int
) -> None:
    """A lease is reclaimed; its row is kept, with size 0, until it is drawn."""
    state[VICTIMS] += 1
    state[HASH] = (state[HASH] * _FACTOR + victim) % _PRIME
    state[HELD] -= pool[victim + L_SIZE]
    state[ROWS] += free_gang(node, held, pool, wide, window, victim)
    pool[victim + L_SIZE] = 0


def release(
    node: Ints, held: Ints, pool: Ints, wide: Ints, window: Ints, state: Ints, live: Ints
) -> None:
    """Draw a lease that stands, and end it."""
    size = 0
    while size == 0:
        state[DRAW] = (state[DRAW] * 48_271) % _PRIME
        state[LIVE] -= 1
        at = state[DRAW] % (state[LIVE] + 1)
        lease = live[at]
        live[at] = live[state[LIVE]]
        size = pool[lease + L_SIZE]
        state[HELD] -= size
        state[ROWS] += free_gang(node, held, pool, wide, window, lease)
        pool[lease + L_FIRST] = pool[FREE_LEASE]
        pool[FREE_LEASE] = lease
