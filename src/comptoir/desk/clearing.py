"""Clearing: the files and logs of leases that ended long ago are removed from their engines.

Nothing of the book goes with them: leases, jobs and their exit codes stay. How long files are
kept is the setting `files_kept_s`. Neighbours: `assembly` calls this once an hour.
"""

from collections.abc import Callable

from comptoir.desk.engine_port import Engine
from comptoir.leases.lease import FINAL, Lease
from comptoir.units.ids import LeaseId
from comptoir.units.time import MS_PER_S

MOST_A_ROUND = 1_000


def clear_ended(
    engine: Engine, find: Callable[[LeaseId], Lease | None], now_ms: int, kept_s: int
) -> list[LeaseId]:
    """Remove what an engine keeps of leases that have been over for so long.

    Args:
        engine: Whose directories.
        find: A lease as committed, live or ended. What the book does not know is left alone.
        now_ms: The instant.
        kept_s: Seconds after a lease's end.

    Returns:
        The leases whose directories are gone, at most `MOST_A_ROUND`.
    """
    cleared: list[LeaseId] = []
    for lease_id in engine.list_directories():
        lease = find(lease_id)
        if lease is None or lease.state not in FINAL:
            continue
        if lease.state_since_ms + kept_s * MS_PER_S > now_ms:
            continue
        engine.delete_directory(lease_id)
        cleared.append(lease_id)
        if len(cleared) == MOST_A_ROUND:
            break
    return cleared
