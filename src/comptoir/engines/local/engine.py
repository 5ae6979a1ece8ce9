"""The local engine: the port, in terms of shims and their records.

It keeps nothing that a restart would lose: an attempt's intent is on disk before
its shim starts, and the shim's records are the truth from then on. A second
engine on the same directory sees what the first one started.

Invariant: nothing starts while the probes do not hold, and an attempt id starts
at most once.
"""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from comptoir.desk.engine_port import (
    AttemptSight,
    EngineHealth,
    EngineNode,
    EngineSettings,
    FileEntry,
    LogPage,
    Observation,
    StartOrder,
    StopNotice,
)
from comptoir.engines.local import archive as archives
from comptoir.engines.local import files, mounts, seccomp
from comptoir.engines.local.attempts import Attempt, load_attempts
from comptoir.engines.local.directories import Directories, plain
from comptoir.engines.local.probes import PREFIX, run_probes, sweep
from comptoir.engines.local.shim import records
from comptoir.engines.local.shim.cgroup import NO_CGROUP, Cgroup, find_cgroup
from comptoir.engines.local.uids import UserIds
from comptoir.units.errors import Refused, Unavailable
from comptoir.units.ids import AttemptId, LeaseId, TenantId

_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from shim.main import main; main()"
_CLAIM_PATIENCE_S = 10.0
_STAGE = "/run/comptoir/stage"
_LONGEST_COMMAND_BYTES = 100_000


def _wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


class LocalEngine:
    """Runs jobs in sandboxes on this machine.

    Args:
        directory: The engine's own directory, inside the data directory.
        instance: This control plane's id; part of every name it makes on the machine.
        settings: Limits.
        cores: Host cores it may use; all that this process may use when None.
        now_ms: The clock.
        bwrap: Path of bubblewrap; looked up when None.
    """

    name = "local"

    def __init__(
        self,
        directory: Path,
        instance: str,
        settings: EngineSettings,
        *,
        cores: Sequence[int] | None = None,
        now_ms: Callable[[], int] = _wall_clock_ms,
        bwrap: str | None = None,
    ) -> None:
        self.instance = plain(instance)
        self.settings = settings
        self.cores = tuple(cores if cores is not None else sorted(os.sched_getaffinity(0)))
        self.directories = Directories(directory)
        # The data directory holds the engine's: neither is ever a runtime.
        self.secrets: tuple[str, ...] = (str(directory.resolve().parent),)
        self.cgroup = find_cgroup(instance) if os.geteuid() == 0 else NO_CGROUP
        self.bwrap = bwrap or shutil.which("bwrap", path="/usr/bin:/bin:/usr/local/bin") or ""
        self._now_ms = now_ms
        self._boot = records.boot_id()
        self._uids: UserIds | None = None
        if os.geteuid() == 0:
            self._uids = UserIds(directory, instance)
            Path(_STAGE).mkdir(parents=True, exist_ok=True)
            for place in (Path(_STAGE).parent, Path(_STAGE)):
                place.chmod(0o755)  # whatever the umask is, a tenant's user passes through
        self._filter = str(directory / "seccomp.bpf")
        if seccomp.supported():
            seccomp.export_filter(self._filter, Cgroup(self.cgroup).has("cpuset"))
        self._lock = threading.Lock()  # over the table of attempts; never held for long
        self._probing = threading.Lock()
        self._starting = threading.Lock()  # over starting, some tens of milliseconds
        self._attempts = load_attempts(self.directories.attempts, self._boot, now_ms)
        self._nodes = (
            EngineNode(socket.gethostname(), "cpu-core", len(self.cores), memory_total_bytes()),
        )
        self._health = EngineHealth(available=False, reason="not probed")
        sweep(self)
        self.probe()

    def probe(self) -> EngineHealth:
        """Try whether a sandbox holds here; call it hourly. About half a second."""
        with self._probing:
            self._health = run_probes(self)
        return self._health

    def health(self) -> EngineHealth:
        """The last probe's verdict."""
        return self._health

    def nodes(self) -> Sequence[EngineNode]:
        """This machine."""
        return self._nodes

    def start(self, order: StartOrder) -> None:
        """Start an attempt, unless it was started before."""
        if order.attempt_id.startswith(PREFIX) or order.lease_id.startswith(PREFIX):
            raise Refused("bad_id", f"ids beginning with {PREFIX} are the engine's own")
        if self.attempt(order.attempt_id) is not None:
            return
        if not self._health.available:
            raise Unavailable(
                "engine_unavailable",
                f"the local engine starts nothing: {self._health.reason}",
                next="`comptoir doctor` says more; the engine is probed again every hour.",
                retry_after_s=60,
            )
        self._start(order, self.secrets)

    def start_probe(self, order: StartOrder) -> None:
        """Start an attempt although the probes have not passed: it is one of them.

        A probe may be shown this interpreter wherever it lies.
        """
        self._start(order, ())

    def _start(self, order: StartOrder, secrets: Sequence[str]) -> None:
        directory = self.directories.attempt(order.attempt_id)
        with self._starting:
            if self.attempt(order.attempt_id) is not None:
                return
            try:
                shim_order = self._shim_order(order, secrets)
                self._check_cores_are_free(shim_order)
                directory.mkdir(mode=0o700, exist_ok=True)
                self.directories.told(order.attempt_id).mkdir(exist_ok=True)
                self.directories.told(order.attempt_id).chmod(0o755)  # whatever the umask is
                records.write_record(str(directory), records.ORDER, shim_order, durable=True)
                self._spawn(directory)
            except OSError as error:
                raise Unavailable("engine_unavailable", f"no shim started: {error}") from error
            attempt = Attempt(directory, self._boot, self._now_ms)
            with self._lock:
                self._attempts[order.attempt_id] = attempt

    def _shim_order(self, order: StartOrder, secrets: Sequence[str]) -> records.Order:
        self._check(order)
        shown = mounts.check_mounts(order.mounts, secrets)
        uid = None if self._uids is None else self._uids.uid_of(order.tenant_id)
        work = self.directories.prepare(order.lease_id, uid)
        group = f"{self.cgroup['group']}/{order.attempt_id}"
        return records.Order(
            attempt=order.attempt_id,
            lease=order.lease_id,
            tenant=order.tenant_id,
            command=list(order.command),
            environment=[[name, value] for name, value in order.environment],
            mounts=shown,
            work=str(work),
            work_bytes=self.settings.work_directory_bytes,
            told=str(self.directories.told(order.attempt_id)),
            log=str(self.directories.log(order.lease_id, order.attempt_id)),
            log_bytes=self.settings.log_bytes,
            memory_bytes=order.memory_bytes,
            processes=self.settings.processes,
            cores=[self.cores[index] for index in order.accelerators],
            accelerators=len(order.accelerators),
            uid=uid,
            stage=_STAGE,
            cgroup=records.CgroupPlace(
                version=self.cgroup["version"], root=self.cgroup["root"], group=group
            ),
            bwrap=self.bwrap,
            seccomp=self._filter,
        )

    def _check_cores_are_free(self, wanted: records.Order) -> None:
        """A second wall behind the book's: no core ever runs two tenants' jobs at once."""
        with self._lock:
            attempts = list(self._attempts.values())
        for attempt in attempts:
            theirs = attempt.order
            shared = set(theirs["cores"]) & set(wanted["cores"])
            probing = PREFIX in (theirs["lease"][: len(PREFIX)], wanted["lease"][: len(PREFIX)])
            if not shared or probing or theirs["tenant"] == wanted["tenant"]:
                continue
            if attempt.observe().sight == AttemptSight.RUNNING:
                raise Unavailable(
                    "accelerators_busy",
                    f"cores {sorted(shared)} still run a job of another tenant",
                    facts={"attempt": attempt.id},
                )

    def _check(self, order: StartOrder) -> None:
        """Refuse what could never run here."""
        words = [*order.command, *(word for pair in order.environment for word in pair)]
        if not order.command or any("\0" in word for word in words):
            raise Refused("bad_command", "the command is empty or holds a zero byte")
        if sum(len(word.encode()) for word in words) > _LONGEST_COMMAND_BYTES:
            raise Refused(
                "bad_command",
                f"command and environment are over {_LONGEST_COMMAND_BYTES} bytes",
                next="Upload long arguments as a file.",
            )
        if any(not name or "=" in name for name, _ in order.environment):
            raise Refused("bad_command", "an environment name is empty or holds `=`")
        chosen = order.accelerators
        inside = all(0 <= index < len(self.cores) for index in chosen)
        if not chosen or not inside or len(set(chosen)) != len(chosen):
            raise Refused(
                "bad_accelerators",
                f"cores {list(chosen)} are not distinct ones of the {len(self.cores)} here",
            )
        if order.memory_bytes < 1 << 24:
            raise Refused("bad_memory", f"{order.memory_bytes} bytes: a sandbox needs 16 MiB")

    def _spawn(self, directory: Path) -> None:
        """Start a shim and wait until it, or one before it, has claimed the attempt."""
        answer, writer = os.pipe()
        local = os.path.dirname(os.path.abspath(__file__))
        interpreter = [sys.executable, "-I", "-S", "-c", _BOOT]
        try:
            with open(directory / "shim.err", "ab") as errors:
                starter = subprocess.Popen(
                    [*interpreter, local, str(directory), str(writer)],
                    env={},
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                    pass_fds=(writer,),
                    start_new_session=True,
                )
            os.close(writer)
            writer = -1
            starter.wait(_CLAIM_PATIENCE_S)
            if not select.select([answer], [], [], _CLAIM_PATIENCE_S)[0]:
                raise OSError("it did not answer in time")
            if not os.read(answer, 1):
                text = (directory / "shim.err").read_text(errors="replace")[-500:]
                raise OSError(f"it ended without a claim: {text.strip()}")
        except subprocess.TimeoutExpired as error:
            raise OSError("it did not answer in time") from error
        finally:
            os.close(answer)
            if writer >= 0:
                os.close(writer)

    def tell(self, attempt_id: AttemptId, notice: StopNotice) -> None:
        """Put a notice where the job finds it."""
        attempt = self.attempt(attempt_id)
        if attempt is None or attempt.observe().sight != AttemptSight.RUNNING:
            return
        told = self.directories.told(attempt_id)
        try:
            records.write_record(str(told), records.NOTICE, notice.document(), mode=0o644)
        except FileNotFoundError:
            return  # started by a version that had no place for it, or forgotten meanwhile
        except OSError as error:
            raise Unavailable("disk", f"the notice cannot be written: {error}") from error

    def stop(self, attempt_id: AttemptId) -> None:
        """Send SIGTERM to the job's own process."""
        self._signal(attempt_id, signal.SIGTERM)

    def kill(self, attempt_id: AttemptId) -> None:
        """End every process of the attempt."""
        self._signal(attempt_id, signal.SIGUSR1)

    def _signal(self, attempt_id: AttemptId, number: signal.Signals) -> None:
        attempt = self.attempt(attempt_id)
        if attempt is not None:
            attempt.signal(number)

    def attempt(self, attempt_id: AttemptId) -> Attempt | None:
        """One attempt, if it was started and not forgotten."""
        with self._lock:
            return self._attempts.get(attempt_id)

    def observe(self) -> Sequence[Observation]:
        """Every attempt, as it is now."""
        with self._lock:
            attempts = [a for a in self._attempts.values() if not a.id.startswith(PREFIX)]
        return [attempt.observe() for attempt in attempts]

    def forget(self, attempt_ids: Iterable[AttemptId]) -> None:
        """Drop the records of ended attempts; running ones are kept."""
        for attempt_id in attempt_ids:
            attempt = self.attempt(attempt_id)
            if attempt is None or attempt.observe().sight == AttemptSight.RUNNING:
                continue
            with self._starting, self._lock:
                self._attempts.pop(attempt_id, None)
                shutil.rmtree(self.directories.attempt(attempt_id), ignore_errors=True)
                if not self._attempts:
                    Cgroup(self.cgroup).remove(patience_s=0.0)

    def put_archive(self, lease_id: LeaseId, tenant_id: TenantId, archive: BinaryIO) -> int:
        """Unpack a tar.gz into the lease's directory, all of it or nothing."""
        uid = None if self._uids is None else self._uids.uid_of(tenant_id)
        work = self.directories.prepare(lease_id, uid)
        return archives.unpack(archive, work, self.settings, uid)

    def list_files(self, lease_id: LeaseId) -> Sequence[FileEntry]:
        """Regular files of the lease's directory."""
        return files.list_files(self.directories.work(lease_id))

    def open_file(self, lease_id: LeaseId, path: str) -> BinaryIO:
        """A regular file of the lease's directory, opened without following any link."""
        return files.open_file(self.directories.work(lease_id), path)

    def read_log(
        self, lease_id: LeaseId, attempt_id: AttemptId, offset: int, limit: int
    ) -> LogPage:
        """A piece of an attempt's log."""
        return files.read_log(self.directories.log(lease_id, attempt_id), offset, limit)

    def list_directories(self) -> Sequence[LeaseId]:
        """The leases that have a directory here."""
        return [LeaseId(entry.name) for entry in os.scandir(self.directories.leases)]

    def delete_directory(self, lease_id: LeaseId) -> None:
        """Remove the lease's directory and logs for good."""
        self.directories.remove(self.directories.lease(lease_id))

    def retire(self) -> None:
        """Give the machine back what carries this instance's name. No job may be running."""
        if self._uids is not None:
            self._uids.release_all()
        with contextlib.suppress(OSError):
            Cgroup(self.cgroup).remove(patience_s=0.0)


def memory_total_bytes() -> int:
    """The memory of this machine."""
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemTotal:"):
                return int(line.split()[1]) * 1024
    return 0
