"""Control groups of one attempt: limits, busy time, the last word on ending it.

Version 1 (a directory per controller) and version 2 (one directory) are found
under `/sys/fs/cgroup`. Groups are `comptoir-<instance>/<attempt>`, so that two
control planes on one machine never touch each other's.

Source: Linux Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.
"""

import contextlib
import os
import signal
import time

from .records import CgroupPlace

V1_CONTROLLERS = ("memory", "cpu", "cpuacct", "cpuset", "pids")
V2_CONTROLLERS = ("memory", "cpu", "cpuset", "pids")
_PERIOD_US = 100_000
NO_CGROUP = CgroupPlace(version=0, root="", group="")


def _write(path: str, value: object) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))


def _try_write(path: str, value: object) -> bool:
    try:
        _write(path, value)
    except OSError:
        return False
    return True


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _value(path: str, key: str) -> int:
    for line in _read(path).splitlines():
        name, _, number = line.partition(" ")
        if name == key:
            return int(number)
    return 0


class Cgroup:
    """The control groups of one attempt; version 0 does nothing, politely."""

    def __init__(self, place: CgroupPlace) -> None:
        self.version = place["version"]
        self._root = place["root"]
        self._group = place["group"]
        names = V1_CONTROLLERS if self.version == 1 else ("",) if self.version == 2 else ()
        bases = {name: os.path.join(self._root, name) for name in names}
        self._bases = {name: base for name, base in bases.items() if os.path.isdir(base)}
        self._paths = {name: os.path.join(base, self._group) for name, base in self._bases.items()}

    def has(self, controller: str) -> bool:
        """Whether a controller limits this attempt."""
        if self.version == 2:
            return controller in _read(f"{self._root}/cgroup.controllers").split()
        return controller in self._paths

    def create(self, memory_bytes: int, processes: int, cores: list[int]) -> None:
        """Make the groups and set their limits.

        Raises:
            OSError: a limit that this machine has a controller for did not take.
        """
        cpus = ",".join(str(core) for core in cores)
        if self.version == 1:
            self._create_v1(memory_bytes, processes, cpus, len(cores))
        elif self.version == 2:
            self._create_v2(memory_bytes, processes, cpus, len(cores))

    def _create_v1(self, memory_bytes: int, processes: int, cpus: str, cores: int) -> None:
        for path in self._paths.values():
            os.makedirs(path, exist_ok=True)
        if "cpuset" in self._paths:
            base, path = self._bases["cpuset"], self._paths["cpuset"]
            parent = os.path.dirname(path)
            # A new set is empty, and a child may only hold what its parent holds.
            for directory, wanted in ((parent, _read(f"{base}/cpuset.cpus")), (path, cpus)):
                _write(f"{directory}/cpuset.mems", _read(f"{base}/cpuset.mems"))
                _write(f"{directory}/cpuset.cpus", wanted)
        if "memory" in self._paths:
            path = self._paths["memory"]
            _write(f"{path}/memory.limit_in_bytes", memory_bytes)
            _try_write(f"{path}/memory.memsw.limit_in_bytes", memory_bytes)
        if "cpu" in self._paths:
            _try_write(f"{self._paths['cpu']}/cpu.cfs_period_us", _PERIOD_US)
            _try_write(f"{self._paths['cpu']}/cpu.cfs_quota_us", cores * _PERIOD_US)
        if "pids" in self._paths:
            _write(f"{self._paths['pids']}/pids.max", processes)

    def _create_v2(self, memory_bytes: int, processes: int, cpus: str, cores: int) -> None:
        path = self._paths[""]
        parent = os.path.dirname(path)
        os.makedirs(path, exist_ok=True)
        for name in V2_CONTROLLERS:
            if self.has(name):
                _try_write(f"{self._root}/cgroup.subtree_control", f"+{name}")
                _try_write(f"{parent}/cgroup.subtree_control", f"+{name}")
        if self.has("memory"):
            _write(f"{path}/memory.max", memory_bytes)
            _try_write(f"{path}/memory.swap.max", 0)
            _try_write(f"{path}/memory.oom.group", 1)
        if self.has("cpu"):
            _try_write(f"{path}/cpu.max", f"{cores * _PERIOD_US} {_PERIOD_US}")
        if self.has("pids"):
            _write(f"{path}/pids.max", processes)
        if self.has("cpuset"):
            _write(f"{path}/cpuset.cpus", cpus)

    def join(self, pid: int) -> None:
        """Move a process, and all it will start, into the groups."""
        for path in self._paths.values():
            _write(f"{path}/cgroup.procs", pid)

    def busy_us(self) -> int | None:
        """Processor microseconds used so far, or None when nothing counts them."""
        if self.version == 1 and "cpuacct" in self._paths:
            text = _read(f"{self._paths['cpuacct']}/cpuacct.usage")
            return int(text) // 1000 if text else None
        if self.version == 2:
            return _value(f"{self._paths['']}/cpu.stat", "usage_usec") or None
        return None

    def out_of_memory(self) -> bool:
        """Whether the kernel ended something in the groups for want of memory."""
        if self.version == 1 and "memory" in self._paths:
            return _value(f"{self._paths['memory']}/memory.oom_control", "oom_kill") > 0
        return self.version == 2 and (_value(f"{self._paths['']}/memory.events", "oom_kill") > 0)

    def members(self) -> set[int]:
        """Ids of the processes in the groups."""
        text = " ".join(_read(f"{path}/cgroup.procs") for path in self._paths.values())
        return {int(pid) for pid in text.split()}

    def kill(self) -> None:
        """End every process in the groups."""
        if self.version == 2 and _try_write(f"{self._paths['']}/cgroup.kill", 1):
            return
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def remove(self, patience_s: float = 2.0) -> bool:
        """End what is left and remove the groups; whether they are gone."""
        deadline = time.monotonic() + patience_s
        while True:
            left = [path for path in self._paths.values() if not _removed(path)]
            if not left:
                break
            self.kill()
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True


def _removed(path: str) -> bool:
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def find_cgroup(instance: str, root: str = "/sys/fs/cgroup") -> CgroupPlace:
    """Where this process may make control groups for `instance`, or nowhere."""
    group = f"comptoir-{instance}"
    if os.path.exists(f"{root}/cgroup.controllers"):
        usable = os.access(root, os.W_OK) and os.access(f"{root}/cgroup.subtree_control", os.W_OK)
        return CgroupPlace(version=2, root=root, group=group) if usable else NO_CGROUP
    present = [name for name in V1_CONTROLLERS if os.path.isdir(f"{root}/{name}")]
    usable = "memory" in present and all(os.access(f"{root}/{n}", os.W_OK) for n in present)
    return CgroupPlace(version=1, root=root, group=group) if usable else NO_CGROUP
