"""The one-liner's steps: upload a directory, lease, put a command on the lease."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comptoir.client.archive import survey
from comptoir.client.records import Job

if TYPE_CHECKING:
    from comptoir.client.client import Client


def start(
    client: "Client",
    command: Sequence[str],
    *,
    kind: str,
    accelerators: int,
    lease_class: str,
    directory: Path | None,
    keep_lease: bool = False,
    name: str | None = None,
    environment: Mapping[str, str] | None = None,
    runtime: str | None = None,
    **lease_words: Any,
) -> Job:
    """Lease, upload, submit. If a later step fails the lease is given back.

    The directory is surveyed first, so that one too large costs nothing.
    """
    found = None if directory is None else survey(directory)
    lease = client.leases.request(kind, accelerators, lease_class, name=name, **lease_words)
    try:
        if directory is not None:
            client.leases.upload(lease["id"], directory, found=found)
        return client.jobs.submit(
            lease["id"],
            command,
            name=name,
            environment=environment,
            runtime=runtime,
            release_lease=not keep_lease,
        )
    except BaseException:
        give_back(client, lease["id"])
        raise


def give_back(client: "Client", lease_id: str) -> None:
    """Cancel a lease that has not started, or end it."""
    from comptoir.units.errors import ComptoirError

    for way in (client.leases.cancel, client.leases.end):
        try:
            way(lease_id)
        except ComptoirError:
            continue
        return
