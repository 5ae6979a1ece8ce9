"""A small HTTP load: some connections, each asking as soon as it is answered.

Raw HTTP/1.1 over asyncio, so that the generator costs less than what it measures; it
runs in a process of its own.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """What to ask. `body` may hold `{n}`, which is numbered; empty is a GET."""

    port: int
    path: str
    key: str
    body: str
    connections: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What was answered: requests a second, latencies in milliseconds, answers not 2xx."""

    per_second: float
    p50_ms: float
    p99_ms: float
    failed: int


def main() -> None:
    """Read a `Load` as JSON from standard input, write a `Measured`."""
    load = Load(**json.loads(sys.stdin.read()))
    sys.stdout.write(json.dumps(asdict(asyncio.run(_run(load)))))


async def _run(load: Load) -> Measured:
    latencies: list[float] = []
    failures: list[int] = []
    end = time.monotonic() + load.seconds
    started = time.monotonic()
    await asyncio.gather(
        *(_ask(load, number, end, latencies, failures) for number in range(load.connections))
    )
    took = time.monotonic() - started
    latencies.sort()
    count = len(latencies)
    return Measured(
        count / took,
        1_000 * latencies[count // 2],
        1_000 * latencies[min(count - 1, count * 99 // 100)],
        len(failures),
    )


async def _ask(
    load: Load, number: int, end: float, latencies: list[float], failures: list[int]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    asked = 0
    while (began := time.monotonic()) < end:
        writer.write(_request(load, f"{number}-{asked}"))
        asked += 1
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 2"):
            failures.append(1)
        else:
            latencies.append(time.monotonic() - began)
    writer.close()


def _request(load: Load, numbered: str) -> bytes:
    verb = "POST" if load.body else "GET"
    body = load.body.replace("{n}", numbered)
    return (
        f"{verb} {load.path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {load.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
