"""The hub of the feed, without a server: what a stream misses while it reads, it reads again."""

import asyncio

from comptoir.api.feed import Feed, Stream
from comptoir.desk.ports import Event


def quota_set(seq: int) -> Event:
    return Event(
        seq,
        0,
        "quota.set",
        "us_0000",
        None,
        "tn_0000",
        "tn_0000",
        {"accelerators": seq, "kind": "h100-sxm"},
    )


def test_what_is_missed_during_the_last_read_is_read_again() -> None:
    feed = Feed()
    stream = Stream(frozenset({"quota.set"}), "tn_0000", None, False, 0)
    durable: list[Event] = []
    reads = 0

    async def read(after: int, most: int) -> list[Event]:
        nonlocal reads
        reads += 1
        seen = [event for event in durable if event.seq > after][:most]
        if reads == 2:  # two commits while this read is under way; the first is not told
            durable.extend((quota_set(1), quota_set(2)))
            feed._take(2, 2, [durable[-1]])
        return seen

    async def first_said() -> bytes:
        pieces = feed.pieces(stream, read, lambda: None, False)
        with feed.joined(stream):
            return b"".join([piece async for piece in pieces])

    said = asyncio.run(first_said())
    assert said.count(b"data: ") == 2
    assert reads == 4
