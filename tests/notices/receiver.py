"""A receiver of webhooks on loopback: it keeps what it was sent, and answers as it is told.

`verify` checks a signature by the specification, with none of the sender's code.
"""

import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOLERANCE_S = 300


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def notice(self) -> Any:
        return json.loads(self.body)


def verify(secret: str, got: Got, now_s: float | None = None) -> bool:
    """Whether a request was signed with a secret, a short while ago."""
    at = int(got.headers["webhook-timestamp"])
    if abs((time.time() if now_s is None else now_s) - at) > TOLERANCE_S:
        return False
    key = base64.b64decode(secret.split("_", 1)[1], validate=True)
    signed = f"{got.id}.{at}.".encode() + got.body
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    given = [word.split(",", 1) for word in got.headers["webhook-signature"].split(" ")]
    return any(kind == "v1" and hmac.compare_digest(said, expected) for kind, said in given)


class Receiver(ThreadingHTTPServer):
    """Answers each request with what `answers` says of it, 204 by itself."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.scheme = "http"
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"
        self.got: list[Got] = []
        self.answers: Callable[[Got], tuple[int, dict[str, str]]] = lambda _: (204, {})
        self._heard = threading.Condition()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/hook?a=b"

    def take(self, got: Got) -> tuple[int, dict[str, str]]:
        with self._heard:
            self.got.append(got)
            self._heard.notify_all()
        return self.answers(got)

    def wait(self, count: int, seconds: float = 15.0) -> list[Got]:
        """Wait for so many requests."""
        with self._heard:
            assert self._heard.wait_for(lambda: len(self.got) >= count, seconds), self.ids
            return list(self.got)

    @property
    def ids(self) -> list[str]:
        return [got.id for got in self.got]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, more = self.server.take(Got(self.path, headers, body))
        self.send_response(status)
        for name, value in {"Content-Length": "0", **more}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def receiving(port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver(port, tls)
    thread = threading.Thread(target=receiver.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        receiver.server_close()
        thread.join(5)


@contextmanager
def speaking(*words: bytes, every_s: float = 0.0, keep: bool = False) -> Iterator[int]:
    """A server that says these words, whatever it is asked, one by one; gives its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65_536)
                    for word in words:
                        connection.sendall(word)
                        done.wait(every_s)
                    if keep:
                        done.wait(30)
                except OSError:
                    pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        done.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)
