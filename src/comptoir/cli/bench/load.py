"""A small HTTP load: some connections, each asking as soon as it is answered.

Plain sockets and one `epoll`, in a process of its own: a request costs the generator a tenth of
what it costs the server, so that the server is what is measured.
"""

import json
import select
import socket
import sys
import time
from dataclasses import asdict, dataclass

_ANSWER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Load:
    """What to ask, again and again. `body`: empty is a GET. `items`: how many it holds."""

    port: int
    path: str
    key: str
    body: str
    connections: int
    seconds: float
    items: int = 1


@dataclass(frozen=True, slots=True)
class Measured:
    """What was answered: items a second, latencies of requests in milliseconds, items refused."""

    per_second: float
    done: int
    p50_ms: float
    p99_ms: float
    failed: int


class _Connection:
    """One keep-alive connection with one request on its way."""

    def __init__(self, load: Load, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", load.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request
        self._heard = bytearray()
        self._length = 0
        self.asked_at = 0.0

    def ask(self) -> None:
        """Send the request."""
        self._heard.clear()
        self._length = 0
        self.asked_at = time.monotonic()
        self.socket.sendall(self._request)

    def answer(self) -> bytearray | None:
        """The whole answer, once it is there."""
        piece = self.socket.recv(_ANSWER_BYTES)
        if not piece:
            raise ConnectionError("the server closed the connection")
        self._heard += piece
        if not self._length:
            head = self._heard.find(b"\r\n\r\n")
            if head < 0:
                return None
            at = self._heard.find(b"content-length: ", 0, head) + 16
            end = self._heard.find(b"\r\n", at)
            self._length = head + 4 + int(self._heard[at:end])
        return self._heard if len(self._heard) >= self._length else None


def main() -> None:
    """Read a `Load` as JSON from standard input, write a `Measured`."""
    load = Load(**json.loads(sys.stdin.read()))
    sys.stdout.write(json.dumps(asdict(run(load))))


def run(load: Load) -> Measured:
    """Ask for `seconds`, then wait for what is on its way."""
    request = _request(load)
    connections = [_Connection(load, request) for _ in range(load.connections)]
    by_number = {connection.socket.fileno(): connection for connection in connections}
    ready = select.epoll()
    for number in by_number:
        ready.register(number, select.EPOLLIN)
    latencies: list[float] = []
    done = failed = 0
    started = time.monotonic()
    for connection in connections:
        connection.ask()
    on_their_way = len(connections)
    while on_their_way:
        for number, _ in ready.poll():
            connection = by_number[number]
            answer = connection.answer()
            if answer is None:
                continue
            now = time.monotonic()
            latencies.append(now - connection.asked_at)
            good = _good(load, answer)
            done += good
            failed += load.items - good
            if now < started + load.seconds:
                connection.ask()
            else:
                on_their_way -= 1
    took = time.monotonic() - started
    for connection in connections:
        connection.socket.close()
    latencies.sort()
    p50, p99 = (1_000 * latencies[len(latencies) * part // 100] for part in (50, 99))
    return Measured(done / took, done, p50, p99, failed)


def _good(load: Load, answer: bytearray) -> int:
    """How many items of an answer were done."""
    if not answer.startswith(b"HTTP/1.1 2"):
        return 0
    return answer.count(b'{"status":201,') if load.items > 1 else 1


def _request(load: Load) -> bytes:
    verb = "POST" if load.body else "GET"
    return (
        f"{verb} {load.path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {load.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(load.body)}\r\n\r\n{load.body}"
    ).encode()
