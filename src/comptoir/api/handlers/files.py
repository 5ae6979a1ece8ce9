"""A lease's directory: an archive in, files out. The engine guards against links and paths."""

import functools
import tempfile
from collections.abc import AsyncIterator
from typing import BinaryIO
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from comptoir.api.door import Ask, Asking, said, too_large
from comptoir.api.handlers.leases import one_lease
from comptoir.api.words import Id
from comptoir.desk.engine_port import Engine
from comptoir.leases.lease import Lease, refuse_over
from comptoir.store.views import totals
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import Conflict

CHUNK_BYTES = 256 << 10
IN_MEMORY_BYTES = 1 << 20


async def put_files(ask: Ask, lease: Id, request: Request) -> Response:
    """Unpack a tar.gz, the body, into the lease's directory. Twice is as good as once."""
    found = await one_lease(ask, lease)
    refuse_over(found)
    engine = await engine_of(ask, found)
    most = ask.door.limits.upload_bytes
    if int(request.headers.get("content-length") or 0) > most:
        raise too_large("upload_too_large", most)
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, dir=ask.door.spool_directory) as spool:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                raise too_large("upload_too_large", most)
            spool.write(chunk)
        spool.seek(0)
        put = functools.partial(engine.put_archive, found.id, found.tenant_id)
        written = await ask.work(put, spool)
    return said({"lease_id": found.id, "bytes_written": str(written)})


async def list_files(ask: Ask, lease: Id) -> Response:
    """The files of a lease's directory; links are left out."""
    found = await one_lease(ask, lease)
    engine = await engine_of(ask, found)
    entries = await ask.work(engine.list_files, found.id)
    return said({"items": [ask.encode(entry) for entry in entries]})


async def get_file(ask: Ask, lease: Id, path: str) -> Response:
    """One file of a lease's directory, as it is."""
    found = await one_lease(ask, lease)
    if "\0" in path or len(path) > 4_096:
        raise not_found(f"file {path[:100]!r} in {found.id}")
    engine = await engine_of(ask, found)
    file = await ask.work(engine.open_file, found.id, path)
    name = quote(path.rsplit("/", maxsplit=1)[-1], safe="")
    return StreamingResponse(
        chunks(ask, file),
        media_type="application/octet-stream",
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
    )


async def engine_of(ask: Asking, lease: Lease) -> Engine:
    """The engine that keeps a lease's directory: where it stands, or where it would.

    Raises:
        Conflict: `no_engine`: leases of this kind are handed over whole.
    """
    name = await ask.read(totals.engine_of, lease.id)
    names = [name] if name is not None else await ask.read(totals.engines_for, lease.kind)
    for candidate in names:
        if candidate in ask.door.engines:
            return ask.door.engines[candidate]
    raise Conflict(
        "no_engine",
        f"no engine here runs work on {lease.kind}: {lease.id} has no directory and no jobs",
        "use the accelerators as they were handed over",
    )


async def chunks(ask: Asking, file: BinaryIO) -> AsyncIterator[bytes]:
    """A file a piece at a time; it is closed at the end."""
    try:
        while chunk := await ask.work(file.read, CHUNK_BYTES):
            yield chunk
    finally:
        file.close()
