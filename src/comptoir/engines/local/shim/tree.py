"""The processes of one sandbox, as the host sees them."""

import os

from .records import process_times

_TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGESIZE")


def children_of(pid: int) -> list[int]:
    """Ids of a process's children."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(text) for text in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        pass
    if os.path.exists("/proc/self/task") and os.path.exists(
        f"/proc/self/task/{os.getpid()}/children"
    ):
        return []  # the process is gone
    found = []  # a kernel without that file: look at everyone
    for name in os.listdir("/proc"):
        times = process_times(int(name)) if name.isdigit() else None
        if times is not None and times.parent == pid:
            found.append(int(name))
    return found


def _inner_pid(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("NSpid:"):
                    return int(line.split()[-1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def job_process(first: int) -> int | None:
    """The job's own process, given the sandbox's first process.

    Inside, bubblewrap is process 1 and the job is the process it forks next,
    number 2. Process 1 also adopts orphans, so its first child is not proof.
    """
    return next((pid for pid in children_of(first) if _inner_pid(pid) == 2), None)


def measure(first: int) -> tuple[int, int]:
    """Busy microseconds and resident bytes of a sandbox, by looking at each process.

    For machines without control groups. Time of processes that ended is counted
    once somebody has waited for them; what was never seen alive is lost.
    """
    try:
        space = os.readlink(f"/proc/{first}/ns/pid")
    except OSError:
        return 0, 0
    busy_ticks = resident = 0
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            if os.readlink(f"/proc/{name}/ns/pid") != space:
                continue
            with open(f"/proc/{name}/statm", encoding="ascii") as file:
                resident += int(file.read().split()[1]) * _PAGE
        except OSError:
            continue
        times = process_times(int(name))
        busy_ticks += 0 if times is None else times.busy_ticks
    return busy_ticks * _TICK_US, resident
