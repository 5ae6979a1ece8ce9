"""What a shim writes down, and how a process is recognised again.

Every attempt has a directory:

    order.json   the intent, written by the engine before anything runs
    lock         held by the shim while it lives; taken once to claim the attempt
    shim.json    the claim: the shim's identity and the start
    job.json     the identity of the sandbox's first process
    told/        what the job is told before it is stopped; it sees this directory, read-only
    busy         busy microseconds so far, sampled when there is no cgroup
    exit.json    the end, written whole or not at all

A process is its id, its start time and the boot it lives in: an id alone may
have been given to another process since.
"""

import json
import os
from typing import NamedTuple, TypedDict, cast

ORDER, LOCK, CLAIM, JOB, BUSY, EXIT = (
    "order.json",
    "lock",
    "shim.json",
    "job.json",
    "busy",
    "exit.json",
)
NOTICE = "notice.json"


class CgroupPlace(TypedDict):
    """Where this machine's control groups are; `version` 0 means nowhere."""

    version: int
    root: str
    group: str


class Order(TypedDict):
    """Everything a shim needs, as the engine wrote it."""

    attempt: str
    lease: str
    tenant: str
    command: list[str]
    environment: list[list[str]]
    mounts: list[str]
    work: str
    work_bytes: int
    told: str
    log: str
    log_bytes: int
    memory_bytes: int
    processes: int
    cores: list[int]
    accelerators: int
    uid: int | None
    stage: str
    cgroup: CgroupPlace
    bwrap: str
    seccomp: str


class Identity(TypedDict):
    """One process, for ever: no other process has the same three values."""

    pid: int
    start: int
    boot: str


class Claim(Identity):
    """A shim's identity and when it claimed its attempt."""

    started_at_ms: int


class Exit(TypedDict):
    """How an attempt ended. `clean` says that nothing of it was left behind."""

    exit_code: int
    started_at_ms: int
    ended_at_ms: int
    busy_us: int
    detail: str
    clean: bool


class ProcessTimes(NamedTuple):
    """One line of /proc/<pid>/stat, as far as needed."""

    state: str
    parent: int
    start: int
    busy_ticks: int
    """User and system time, with that of the children waited for."""


def boot_id() -> str:
    """The id of this boot of the kernel."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def process_times(pid: int) -> ProcessTimes | None:
    """What /proc says of a process, or None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return ProcessTimes(
        state=fields[0].decode(),
        parent=int(fields[1]),
        start=int(fields[19]),
        busy_ticks=sum(int(value) for value in fields[11:15]),
    )


def identify(pid: int, boot: str) -> Identity | None:
    """The identity of a living process."""
    times = process_times(pid)
    return None if times is None else Identity(pid=pid, start=times.start, boot=boot)


def is_alive(identity: Identity, boot: str) -> bool:
    """Whether that very process still runs (a zombie does not)."""
    if identity["boot"] != boot:
        return False
    times = process_times(identity["pid"])
    return times is not None and times.start == identity["start"] and times.state not in "ZX"


def signal_process(identity: Identity, number: int, boot: str) -> bool:
    """Send a signal to that very process and no other; whether it was there."""
    import signal

    if identity["boot"] != boot:
        return False
    try:
        handle = os.pidfd_open(identity["pid"])
    except OSError:
        return False
    try:
        # The handle is open: from here the id cannot pass to another process unseen.
        if not is_alive(identity, boot):
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def write_record(
    directory: str, name: str, value: object, durable: bool = False, mode: int = 0o600
) -> None:
    """Write a record whole or not at all; `durable` survives a power cut."""
    path = os.path.join(directory, name)
    temporary = f"{path}.{os.getpid()}.tmp"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            json.dump(value, file)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_record(directory: str, name: str) -> object | None:
    """A record, or None when it has not been written."""
    try:
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            return cast(object, json.load(file))
    except FileNotFoundError:
        return None


def read_order(directory: str) -> Order | None:
    """The engine's intent."""
    return cast(Order | None, read_record(directory, ORDER))


def read_claim(directory: str) -> Claim | None:
    """The shim's claim."""
    return cast(Claim | None, read_record(directory, CLAIM))


def read_job(directory: str) -> Identity | None:
    """The first process of the sandbox."""
    return cast(Identity | None, read_record(directory, JOB))


def read_exit(directory: str) -> Exit | None:
    """How it ended."""
    return cast(Exit | None, read_record(directory, EXIT))
