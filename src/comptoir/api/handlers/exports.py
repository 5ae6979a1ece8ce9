"""Exports: the book as files for other programs, each from one snapshot."""

import tempfile
from contextlib import ExitStack
from typing import Annotated, BinaryIO, cast

from fastapi import Query, Response
from fastapi.responses import StreamingResponse

from comptoir.api.door import Ask
from comptoir.api.exports import journal_of
from comptoir.api.handlers.files import IN_MEMORY_BYTES, chunks

Daily = Annotated[
    bool | None,
    Query(description="Each day's sums instead of each entry; by itself beyond 100,000 entries."),
]


async def get_journal(ask: Ask, daily: Daily = None) -> Response:
    """The whole ledger as a plain-text journal that Beancount reads."""
    door, now_ms = ask.door, ask.door.desk.clock.now_ms()

    def write() -> BinaryIO:
        """All of it before the first byte goes out: who reads slowly holds no snapshot."""
        with ExitStack() as undo:
            spool = undo.enter_context(
                tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, dir=door.spool_directory)
            )
            spool.writelines(piece.encode() for piece in journal_of(door.views, now_ms, daily))
            spool.seek(0)
            undo.pop_all()  # whoever sends it closes it
        return cast(BinaryIO, spool)

    file = await ask.work(write)
    return StreamingResponse(chunks(ask, file), media_type="text/plain; charset=utf-8")
