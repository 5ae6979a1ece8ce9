"""The engine port: what runs the work of a lease.

An engine is told what to start and stop and is asked what it sees. It decides
nothing. Every call is idempotent, because the desk stores its intent first and
repeats the call until an observation confirms it; an answer may be lost and a
call may arrive twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, BinaryIO, Protocol

from comptoir.units.ids import AttemptId, JobId, LeaseId, NodeId, TenantId
from comptoir.units.wire import instant


class NodeSight(StrEnum):
    """What an engine can see of a node."""

    WELL = "well"
    UNKNOWN = "unknown"
    """It does not answer; what ran there may run on."""
    FAILED = "failed"
    """It is dead, and what ran there with it: the engine knows it. One that was restarted has
    failed too, until its operator says that it is repaired."""


@dataclass(frozen=True, slots=True)
class EngineNode:
    """A node that the engine can run work on, as it sees it now.

    `since_ms` is when it was last known to be well, for one that is not; for one that came back,
    when it did, if that is known.
    """

    name: str
    kind: str
    accelerators: int
    memory_bytes: int
    sight: NodeSight = NodeSight.WELL
    since_ms: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """Whether the engine may be given work, and what it checked to say so."""

    available: bool
    reason: str = ""
    """Why not, as `sandbox (probe name)`; empty when available."""
    notes: tuple[str, ...] = ()
    """What is weaker here than it could be: "memory limit is per process: no cgroup"."""


@dataclass(frozen=True, slots=True)
class StartOrder:
    """All an engine needs to run one attempt of a job.

    `mounts` are host directories shown read-only at the same path inside (the
    runtime's); `environment` is complete: nothing of the server's is added to it
    but what the engine says about the place (PATH default, HOME, TMPDIR, thread
    counts). `memory_bytes` and `accelerators` are limits.
    """

    attempt_id: AttemptId
    job_id: JobId
    lease_id: LeaseId
    tenant_id: TenantId
    attempt_number: int
    node_id: NodeId
    accelerators: tuple[int, ...]
    """Indexes on the node; for `cpu-core` the n-th core this engine may use."""
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    mounts: tuple[str, ...] = ()
    memory_bytes: int = 1 << 30


class AttemptSight(StrEnum):
    """What an engine can see of an attempt."""

    RUNNING = "running"
    EXITED = "exited"
    LOST = "lost"
    """It was started and has vanished without an exit code (the node rebooted)."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What an engine sees of one attempt now. Times are milliseconds UTC.

    `busy_ms` is accelerator-milliseconds of real work so far, never more than
    accelerators x (ended or now - started); it only grows.
    """

    attempt_id: AttemptId
    sight: AttemptSight
    started_at_ms: int
    ended_at_ms: int | None = None
    exit_code: int | None = None
    """0-255; 128 + n when ended by signal n."""
    busy_ms: int = 0
    detail: str = ""
    """Why the engine itself ended it: "out of memory (1 GiB)", "work directory over 1 GiB"."""


class StopKind(StrEnum):
    """Why a job is stopped, in a word that its code can branch on."""

    RECLAIM = "reclaim"
    """Its accelerators are taken back for somebody else, or leave with their supply."""
    ENDING = "ending"
    """Its lease ends: the window is over, or its holder or the operator has ended it."""
    CANCEL = "cancel"
    """The job alone was cancelled; its lease goes on."""


@dataclass(frozen=True, slots=True)
class StopNotice:
    """What a job is told before it is signalled, where it finds it by itself.

    `resumes`: its lease waits for accelerators again and the job will run once more, in the
    same directory: a checkpoint will be found.
    """

    kind: StopKind
    reason: str
    lease_id: LeaseId
    job_id: JobId
    attempt_number: int
    told_at_ms: int
    kill_at_ms: int
    resumes: bool

    @property
    def notice_s(self) -> int:
        """Whole seconds from the telling to the end."""
        return max(self.kill_at_ms - self.told_at_ms, 0) // 1_000

    def document(self) -> dict[str, Any]:
        """The notice as JSON: the words of docs/local-engine.md."""
        return {
            "version": 1,
            "kind": self.kind,
            "reason": self.reason,
            "lease": self.lease_id,
            "job": self.job_id,
            "attempt": self.attempt_number,
            "told_at": instant(self.told_at_ms),
            "kill_at": instant(self.kill_at_ms),
            "notice_s": self.notice_s,
            "resumes": self.resumes,
        }


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a lease's directory; `path` is relative and uses `/`."""

    path: str
    size_bytes: int
    modified_at_ms: int


@dataclass(frozen=True, slots=True)
class LogPage:
    """A piece of an attempt's log (stdout and stderr as they came)."""

    data: bytes
    next_offset: int
    truncated: bool = False
    """Whether the log reached its cap and later output was dropped."""


class Engine(Protocol):
    """What runs the work. All calls are idempotent and return promptly (well under 1 s)."""

    @property
    def name(self) -> str:
        """`local`, `slurm`, `kubernetes`."""
        ...

    def health(self) -> EngineHealth:
        """The last probe's verdict; cheap. Probes run at start and hourly."""
        ...

    def probe(self) -> EngineHealth:
        """Run the probes again and return their verdict; may take some seconds."""
        ...

    def nodes(self) -> Sequence[EngineNode]:
        """The nodes found at start, each as it is seen now; cheap."""
        ...

    def start(self, order: StartOrder) -> None:
        """Start an attempt; a second call with the same attempt id does nothing.

        Raises:
            Unavailable: the engine cannot start work now; nothing was started.
            Refused: this order can never run here (a mount that does not exist).
        """
        ...

    def tell(self, attempt_id: AttemptId, notice: StopNotice) -> None:
        """Put a notice where the job finds it, whole or not at all; it replaces the last one.

        The job knows the place as `COMPTOIR_NOTICE_FILE`. Unknown or ended attempts: nothing.

        Raises:
            Unavailable: `disk`: it could not be written.
        """
        ...

    def stop(self, attempt_id: AttemptId) -> None:
        """Send SIGTERM to the job's own process. Unknown or ended attempts: nothing."""
        ...

    def kill(self, attempt_id: AttemptId) -> None:
        """End every process of the attempt. Unknown or ended attempts: nothing."""
        ...

    def observe(self) -> Sequence[Observation]:
        """Every attempt this engine was started with and not told to forget."""
        ...

    def forget(self, attempt_ids: Iterable[AttemptId]) -> None:
        """Drop what is kept to observe these ended attempts. Logs stay with the lease."""
        ...

    def put_archive(self, lease_id: LeaseId, tenant_id: TenantId, archive: BinaryIO) -> int:
        """Unpack a tar.gz into the lease's directory; returns the bytes written.

        Raises:
            Invalid: `bad_archive` (not a tar.gz, an absolute path, a link that leaves, a device),
                `upload_too_large` (unpacked size over the cap: nothing is kept).
        """
        ...

    def list_files(self, lease_id: LeaseId) -> Sequence[FileEntry]:
        """Regular files of the lease's directory, links left out, at most 10,000."""
        ...

    def open_file(self, lease_id: LeaseId, path: str) -> BinaryIO:
        """A regular file of the lease's directory, opened without following any link.

        Raises:
            NotFound: no such regular file, or the path leaves the directory.
        """
        ...

    def read_log(
        self, lease_id: LeaseId, attempt_id: AttemptId, offset: int, limit: int
    ) -> LogPage:
        """A piece of an attempt's log from byte `offset`, at most `limit` bytes."""
        ...

    def list_directories(self) -> Sequence[LeaseId]:
        """The leases of which files or logs are kept here."""
        ...

    def delete_directory(self, lease_id: LeaseId) -> None:
        """Remove the lease's directory and logs for good; missing ones: nothing."""
        ...


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Limits that an operator sets for an engine; bytes and seconds."""

    work_directory_bytes: int = 1 << 30
    log_bytes: int = 16 << 20
    upload_bytes: int = 256 << 20
    processes: int = 512
