"""The client's way to work: leases, the files in their directories, and jobs."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from comptoir.client.archive import (
    MOST_UPLOAD_BYTES,
    Found,
    packed,
    safe_target,
    survey,
    survey_files,
)
from comptoir.client.parties import PAGE
from comptoir.client.records import (
    Breach,
    File,
    Job,
    JobDetail,
    Lease,
    LeaseAnswer,
    LeaseDetail,
    Why,
)
from comptoir.client.transport import Transport, path_of

ARCHIVE = "application/gzip"
_CHUNK_BYTES = 256 << 10


class Leases:
    """Outbound leases: k accelerators of a kind over a window."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def request(
        self,
        kind: str,
        accelerators: int,
        lease_class: str,
        *,
        shape: str | None = None,
        starts_at: str | None = None,
        ends_at: str | None = None,
        notice_s: int | None = None,
        on_reclaim: str | None = None,
        name: str | None = None,
        tenant: str | None = None,
        residency: str | None = None,
        recall: bool | None = None,
        latest_start: str | None = None,
        duration_s: int | None = None,
        preferred_shape: str | None = None,
        alternatives: Sequence[Mapping[str, Any]] = (),
        project: str | None = None,
    ) -> Lease:
        """Ask for accelerators; the answer is `scheduled` or `waiting`.

        Args:
            kind: Accelerator kind, such as `h100-sxm`.
            accelerators: How many.
            lease_class: `internal`, `reserved`, `on_demand` or `spot`.
            shape: All in one `node`, `rack`, `pod`, `cluster` or `site` (the default).
            starts_at: RFC 3339; None is now.
            ends_at: RFC 3339; None is open-ended.
            notice_s: How long a stop is announced, in seconds.
            on_reclaim: What a reclaimed lease does next: `wait` (the default) or `end`.
            name: For people.
            tenant: For house users: whose lease, by id or slug.
            residency: Where its data must stay: "FR", "US-VA", "EU".
            recall: For house users: a sold window that may be called back with its notice.
            latest_start: RFC 3339; any start up to then will do, for `duration_s` each.
            duration_s: How long, instead of `ends_at`.
            preferred_shape: A narrower shape, tried before `shape`.
            alternatives: Other complete ways, in order: `kind`, `accelerators`, maybe `shape`.
            project: Whose budget it counts against.

        Raises:
            Refused: quota, shape, class, price, credit, a condition of the supply.
        """
        body = {
            "kind": kind, "accelerators": accelerators, "lease_class": lease_class,
            "shape": shape, "starts_at": starts_at, "ends_at": ends_at, "notice_s": notice_s,
            "on_reclaim": on_reclaim, "name": name, "tenant": tenant, "residency": residency,
            "recall": recall, "latest_start": latest_start, "duration_s": duration_s,
            "preferred_shape": preferred_shape, "alternatives": [*alternatives],
            "project": project,
        }  # fmt: skip
        return cast(Lease, self._transport.write("POST", path_of("leases"), body))

    def request_many(self, items: Iterable[Mapping[str, Any]]) -> Iterator[LeaseAnswer]:
        """Ask for accelerators many times, a hundred in one request and one commit.

        Args:
            items: What `request` takes, by name; `idempotency_key` too, if you keep your own.

        Returns:
            One answer an item, in their order: a lease, or the problem that `request` would raise.
        """
        return self._transport.each(path_of("batch", "leases"), items)

    def end_many(self, lease_ids: Iterable[str]) -> Iterator[LeaseAnswer]:
        """End many early, a hundred in one request; one answer each, in their order."""
        items = ({"lease_id": lease_id} for lease_id in lease_ids)
        return self._transport.each(path_of("batch", "lease-ends"), items)

    def list(
        self,
        *,
        states: Sequence[str] = (),
        tenant: str | None = None,
        kind: str | None = None,
        lease_class: str | None = None,
        series: str | None = None,
    ) -> Iterator[Lease]:
        """Leases, newest request first."""
        return self._transport.pages(
            path_of("leases"),
            PAGE,
            state=states,
            tenant=tenant,
            kind=kind,
            lease_class=lease_class,
            series=series,
        )

    def get(self, lease_id: str) -> LeaseDetail:
        """One lease with its allocations."""
        return cast(LeaseDetail, self._transport.get(path_of("leases", lease_id)))

    def why(self, lease_id: str) -> Why:
        """Why it stands where it does, and until when."""
        return cast(Why, self._transport.get(path_of("leases", lease_id, "why")))

    def cancel(self, lease_id: str) -> Lease:
        """Withdraw one that has not started."""
        return cast(Lease, self._transport.write("POST", path_of("leases", lease_id, "cancel")))

    def end(self, lease_id: str) -> Lease:
        """End one early: its jobs get their notice first."""
        return cast(Lease, self._transport.write("POST", path_of("leases", lease_id, "end")))

    def extend(self, lease_id: str, ends_at: str) -> Lease:
        """Move the end of a bounded lease, later or sooner."""
        path = path_of("leases", lease_id, "extend")
        return cast(Lease, self._transport.write("POST", path, {"ends_at": ends_at}))

    def shrink(
        self, lease_id: str, *, accelerators: int | None = None, nodes: Sequence[str] = ()
    ) -> Lease:
        """Give accelerators back early: down to a number, or the nodes that are named."""
        body = {"accelerators": accelerators, "nodes": [*nodes]}
        return cast(
            Lease, self._transport.write("POST", path_of("leases", lease_id, "shrink"), body)
        )

    def breaches(
        self,
        lease_id: str | None = None,
        *,
        tenant: str | None = None,
        open: bool | None = None,
    ) -> Iterator[Breach]:
        """What was promised and not delivered, of one lease or of all, latest first.

        Args:
            lease_id: Only this lease's.
            tenant: For house users: only this tenant's.
            open: Only those that still grow, or only those that do not.
        """
        path = path_of("breaches")
        return self._transport.pages(path, PAGE, lease=lease_id, tenant=tenant, open=open)

    def accept(self, lease_id: str, node_id: str | None = None) -> Lease:
        """Accept what was handed over, on one node or on all, before it is deemed accepted."""
        path = path_of("leases", lease_id, "accept")
        return cast(Lease, self._transport.write("POST", path, {"node": node_id}))

    def reject_node(self, lease_id: str, node_id: str, because: str) -> Lease:
        """Send a node back: another takes its place when there is one."""
        path = path_of("leases", lease_id, "reject-node")
        body = {"node": node_id, "because": because}
        return cast(Lease, self._transport.write("POST", path, body))

    def upload(
        self,
        lease_id: str,
        source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        most_bytes: int = MOST_UPLOAD_BYTES,
        found: Found | None = None,
    ) -> Found:
        """Fill the lease's directory from a local one, or with single files.

        Args:
            lease_id: The lease.
            source: A directory, less what its `.comptoirignore` names; or files, which
                arrive under their own names.
            most_bytes: The most that may be uploaded.
            found: What `client.archive.survey` found there, if it was asked before.

        Raises:
            Invalid: `upload_too_large`, before anything is sent.
        """
        if found is None:
            if isinstance(source, str | os.PathLike):
                found = survey(Path(source), most_bytes)
            else:
                found = survey_files(source, most_bytes)
        with packed(found) as archive:
            self._transport.send_file("PUT", path_of("leases", lease_id, "files"), archive, ARCHIVE)
        return found

    def files(self, lease_id: str) -> Sequence[File]:
        """The files of the lease's directory, by path; at most 10,000."""
        found = self._transport.get(path_of("leases", lease_id, "files"))
        return cast("Sequence[File]", found["items"])

    def read_file(self, lease_id: str, path: str) -> Iterator[bytes]:
        """One file of the lease's directory, piece by piece."""
        route = path_of("leases", lease_id, "files", *path.split("/"))
        with self._transport.stream(route) as response:
            yield from response.stream(_CHUNK_BYTES)

    def pull(
        self,
        lease_id: str,
        directory: str | os.PathLike[str],
        paths: Sequence[str] | None = None,
    ) -> Iterator[tuple[str, int]]:
        """Copy files of the lease's directory here, each whole or not at all.

        Args:
            lease_id: The lease.
            directory: Where to; made if missing. Files there are replaced.
            paths: Which; None is all.

        Returns:
            Path and size in bytes of each file, as it arrives.
        """
        wanted = [file["path"] for file in self.files(lease_id)] if paths is None else [*paths]
        Path(directory).mkdir(parents=True, exist_ok=True)
        for path in wanted:
            target = safe_target(Path(directory), path)
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.partial")
            try:
                with partial.open("wb") as file:
                    for piece in self.read_file(lease_id, path):
                        file.write(piece)
                    size = file.tell()
                shutil.move(partial, target)
            finally:
                partial.unlink(missing_ok=True)
            yield path, size


@dataclass(frozen=True, slots=True)
class LogPage:
    """A piece of an attempt's log. `truncated`: it reached its cap, later output was dropped."""

    data: bytes
    next_offset: int
    attempt: int
    truncated: bool


class Jobs:
    """Commands run on leases."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def submit(
        self,
        lease_id: str,
        command: Sequence[str],
        *,
        name: str | None = None,
        environment: Mapping[str, str] | None = None,
        runtime: str | None = None,
        release_lease: bool = False,
    ) -> Job:
        """Put a command on a lease; it starts when the lease is active and its turn has come.

        Args:
            lease_id: The lease.
            command: The program and its arguments; no shell is involved.
            name: For people.
            environment: Variables for the command.
            runtime: A declared runtime, by id or name.
            release_lease: End the lease when the job is done.
        """
        body: dict[str, Any] = {
            "lease_id": lease_id,
            "command": [*command],
            "name": name,
            "environment": dict(environment or {}),
            "runtime": runtime,
            "release_lease": release_lease,
        }
        return cast(Job, self._transport.write("POST", path_of("jobs"), body))

    def list(
        self,
        *,
        states: Sequence[str] = (),
        lease_id: str | None = None,
        tenant: str | None = None,
    ) -> Iterator[Job]:
        """Jobs, newest first."""
        path = path_of("jobs")
        return self._transport.pages(path, PAGE, state=states, lease=lease_id, tenant=tenant)

    def get(self, job_id: str) -> JobDetail:
        """One job with its attempts."""
        return cast(JobDetail, self._transport.get(path_of("jobs", job_id)))

    def cancel(self, job_id: str) -> Job:
        """Take it off its lease: at once if queued, with the lease's notice if it runs."""
        return cast(Job, self._transport.write("POST", path_of("jobs", job_id, "cancel")))

    def log(self, job_id: str, attempt: int | None = None, offset: int = 0) -> LogPage:
        """A piece of an attempt's log (the last attempt's if not said) from a byte on."""
        path = path_of("jobs", job_id, "logs")
        body, headers = self._transport.get_bytes(path, attempt=attempt, offset=offset)
        return LogPage(
            body,
            int(headers.get("x-next-offset", offset + len(body))),
            int(headers.get("x-attempt", attempt or 0)),
            headers.get("x-log-truncated") == "true",
        )

    def logs(
        self, job_id: str, attempt: int | None = None, *, follow: bool = False
    ) -> Iterator[bytes]:
        """What an attempt (the last if not said) has written until now.

        With `follow`, all attempts from the first on, until the job is over.
        """
        if follow:
            from comptoir.client.following import Said
            from comptoir.client.following import follow as following

            for step in following(self, Leases(self._transport), job_id):
                if isinstance(step, Said):
                    yield step.data
            return
        offset = 0
        while True:
            page = self.log(job_id, attempt, offset)
            if not page.data:
                return
            attempt, offset = page.attempt, page.next_offset
            yield page.data
