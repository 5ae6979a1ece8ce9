"""A user id of its own for each tenant of each control plane on this machine.

Ids come from 1,900,000,000 to 1,900,999,999, which no distribution gives out
(systemd leaves everything above 1,879,048,191 unused); where a user namespace
does not reach so far, from 50,000 to 59,999. A claim is a file named by the id in
/run/comptoir/uids that says whose it is, made under a lock, so that two
control planes never share one. The table of one control plane is kept in its own
directory, because work directories outlive a reboot and /run does not.

Source: systemd, UIDS-GIDS.md.
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from comptoir.units.errors import Unavailable

_FIRST, _COUNT = 1_900_000_000, 1_000_000
_FIRST_NEAR, _COUNT_NEAR = 50_000, 10_000
REGISTRY = Path("/run/comptoir/uids")


def uid_range(uid_map: str) -> tuple[int, int]:
    """First id and number of ids to choose from, given /proc/self/uid_map."""
    for line in uid_map.splitlines():
        inside, _, count = (int(text) for text in line.split())
        if inside <= _FIRST and inside + count >= _FIRST + _COUNT:
            return _FIRST, _COUNT
    return _FIRST_NEAR, _COUNT_NEAR


class UserIds:
    """The claims of one control plane.

    Args:
        directory: The engine's directory; holds the table `uids.json`.
        instance: The control plane's id.
        registry: The machine's directory of claims.
    """

    def __init__(self, directory: Path, instance: str, registry: Path = REGISTRY) -> None:
        self._table_path = directory / "uids.json"
        self._mark = f"{instance}\n{os.path.realpath(directory)}"
        self._registry = registry
        self._range = uid_range(Path("/proc/self/uid_map").read_text())
        self._claimed: dict[str, int] = {}
        registry.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._clear_stale()

    def uid_of(self, tenant: str) -> int:
        """The tenant's id, claimed now if it was not yet.

        Raises:
            Unavailable: `no_user_id`: the range is used up.
        """
        if tenant in self._claimed:
            return self._claimed[tenant]
        table = self._table()
        first, count = self._range
        digest = hashlib.sha256(f"{self._mark}\n{tenant}".encode()).digest()
        start = int.from_bytes(digest[:8], "big") % count
        wanted = table.get(tenant, first + start)
        for step in range(count):
            uid = first + (wanted - first + step) % count
            if self._claim(uid, tenant):
                self._claimed[tenant] = uid
                if table.get(tenant) != uid:
                    self._keep(table | {tenant: uid})
                return uid
        raise Unavailable("no_user_id", f"all {count} user ids for jobs are claimed")

    def release_all(self) -> None:
        """Give every claim of this control plane back."""
        for uid in self._table().values():
            with contextlib.suppress(OSError):
                if (self._registry / str(uid)).read_text().startswith(self._mark + "\n"):
                    (self._registry / str(uid)).unlink()
        self._claimed.clear()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with open(self._registry / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _clear_stale(self) -> None:
        """Remove claims whose control plane's directory is gone for good."""
        with self._locked():
            for path in self._registry.glob("[0-9]*"):
                if self._holder(path) is None:
                    path.unlink(missing_ok=True)  # its holder may give it back meanwhile

    @staticmethod
    def _holder(path: Path) -> list[str] | None:
        """Instance, directory and tenant of a claim that still stands."""
        try:
            lines = path.read_text().splitlines()
        except FileNotFoundError:
            return None
        return lines if len(lines) == 3 and os.path.isdir(lines[1]) else None

    def _table(self) -> dict[str, int]:
        try:
            table = json.loads(self._table_path.read_text())
        except FileNotFoundError:
            return {}
        return {str(tenant): int(uid) for tenant, uid in table.items()}

    def _keep(self, table: dict[str, int]) -> None:
        temporary = self._table_path.with_suffix(".tmp")
        temporary.write_text(json.dumps(table))
        temporary.replace(self._table_path)

    def _claim(self, uid: int, tenant: str) -> bool:
        path = self._registry / str(uid)
        mine = f"{self._mark}\n{tenant}\n"
        with self._locked():
            holder = self._holder(path)
            if holder is not None:
                return holder == mine.splitlines()
            path.write_text(mine)
        return True
