"""One POST to a URL that somebody else has named: bounded, pinned, and never inwards.

The host is resolved once, every address it has is judged, and the connection is made to the
judged address itself; the name is only said (Host, SNI) and checked (certificate). A second
look-up, which could answer otherwise, never happens. No redirect is followed, nothing of the
answer but its status and `Retry-After` is read, and all of it ends within a fixed time.
"""

import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from comptoir.units.addresses import is_loopback, refusal_of
from comptoir.units.errors import Invalid, Refused

WITHIN_S = 15.0
MOST_HEAD_BYTES = 16 << 10
MOST_ADDRESSES = 3
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: |\r|$)")
_RETRY_AFTER = re.compile(rb"\r\nretry-after:[ \t]*([0-9]{1,9})[ \t]*(?=\r)", re.IGNORECASE)


class PostFailed(Exception):
    """There is no answer; why, in words for the subscriber."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is read of an answer."""

    status: int
    retry_after_s: int


@dataclass(frozen=True, slots=True)
class Outside:
    """What may be called.

    Args:
        loopback: Also this machine's loopback, and there without TLS: for tests and
            development. A setting of the operator's, never of a subscriber's.
        trust: Which certificate authorities are trusted; the system's if None.
    """

    loopback: bool = False
    trust: ssl.SSLContext | None = None

    def judge(self, url: str, until: float | None = None) -> list[str]:
        """The addresses of a URL's host, if all of them may be called.

        Args:
            url: Where a webhook would be.
            until: When its name has to be looked up, on the monotonic clock; `WITHIN_S` from
                now if it is not said.

        Raises:
            Invalid: `webhook_not_https`.
            Refused: `host_unknown` or `address_refused`.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", port_of(parts)
        if parts.scheme != "https" and not self.loopback:
            raise _not_https(url)
        addresses = _resolve(host, port, time.monotonic() + WITHIN_S if until is None else until)
        for address in addresses:
            what = refusal_of(address)
            named = f"{host} is" if host == address else f"{host} is {address},"
            if what and not (self.loopback and is_loopback(address)):
                raise Refused(
                    "address_refused",
                    f"{named} {what}: a webhook is called on the public internet only",
                    "give the URL of a public server",
                    {"host": host, "address": address},
                )
        if parts.scheme != "https" and not all(map(is_loopback, addresses)):
            raise _not_https(url)
        return addresses

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """POST a body.

        Raises:
            PostFailed: no answer came, or none that can be read.
            Invalid, Refused: see `judge`.
        """
        until = time.monotonic() + WITHIN_S
        parts = urlsplit(url)
        request = _request(parts, headers, body)
        last: PostFailed | None = None
        for address in self.judge(url, until)[:MOST_ADDRESSES]:
            try:
                connection = _connect(address, port_of(parts), until)
            except PostFailed as error:
                last = error
                continue
            return self._ask(connection, parts, request, until)
        raise last or PostFailed("its name has no address")

    def _ask(
        self, connection: socket.socket, parts: SplitResult, request: bytes, until: float
    ) -> Answer:
        with contextlib.ExitStack() as stack:
            stack.enter_context(connection)
            timed_out = stack.enter_context(_ended_at(connection, until))
            try:
                spoken = connection
                if parts.scheme == "https":
                    context = self.trust or ssl.create_default_context()
                    spoken = context.wrap_socket(connection, server_hostname=parts.hostname)
                    stack.enter_context(spoken)
                spoken.sendall(request)
                return _read(spoken)
            except ssl.SSLCertVerificationError as error:
                raise PostFailed(f"its certificate is not good: {error.verify_message}") from None
            except OSError as error:
                if timed_out.is_set():
                    raise PostFailed(f"no answer within {WITHIN_S:.0f} s") from None
                raise PostFailed(f"the connection broke: {_said(error)}") from None


def port_of(parts: SplitResult) -> int:
    """The port of a URL."""
    return parts.port or (443 if parts.scheme == "https" else 80)


def _not_https(url: str) -> Invalid:
    return Invalid(
        "webhook_not_https",
        f"{urlsplit(url).scheme}://{urlsplit(url).hostname} is not https",
        "give an https URL: what happens to a tenant is not said in the clear",
    )


def _resolve(host: str, port: int, until: float) -> list[str]:
    """The addresses of a name. A look-up cannot be ended: one that is late is left to itself."""
    answer = Future[list[str]]()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.set_result(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=look_up, name=f"look-up-{host[:60]}", daemon=True).start()
    why = "has no address"
    try:
        return answer.result(max(until - time.monotonic(), 0.0))
    except TimeoutError:
        why = f"was not looked up within {WITHIN_S:.0f} s"
    except (OSError, UnicodeError):
        pass
    raise Refused(
        "host_unknown", f"the name {host[:100]} {why}", "check the URL", {"host": host}
    ) from None


def _connect(address: str, port: int, until: float) -> socket.socket:
    """A connection to the address itself: nothing is looked up any more."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(max(until - time.monotonic(), 0.001))
        connection.connect((address, port))
        connection.settimeout(None)  # from here on the watch ends it
    except OSError as error:
        connection.close()
        raise PostFailed(f"no connection: {_said(error)}") from None
    return connection


@contextlib.contextmanager
def _ended_at(connection: socket.socket, until: float) -> Iterator[threading.Event]:
    """End a connection at an instant, however slowly the other side speaks."""
    watched, timed_out = connection.dup(), threading.Event()

    def end() -> None:
        timed_out.set()
        with contextlib.suppress(OSError):
            watched.shutdown(socket.SHUT_RDWR)

    watch = threading.Timer(max(until - time.monotonic(), 0.0), end)
    watch.daemon = True
    watch.start()
    try:
        yield timed_out
    finally:
        watch.cancel()
        watch.join()
        watched.close()


def _request(parts: SplitResult, headers: Mapping[str, str], body: bytes) -> bytes:
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    named = host if parts.port is None else f"{host}:{parts.port}"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"POST {target} HTTP/1.1", f"Host: {named}", "Connection: close"]
    lines += [f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _read(connection: socket.socket) -> Answer:
    """The status of the final answer; its body is not read."""
    head = b""
    while True:
        while b"\r\n\r\n" not in head:
            if len(head) > MOST_HEAD_BYTES:
                raise PostFailed(f"its answer begins with more than {MOST_HEAD_BYTES:,} bytes")
            piece = connection.recv(4_096)
            if not piece:
                raise OSError("it closed without an answer")
            head += piece
        first, _, rest = head.partition(b"\r\n\r\n")
        status = _STATUS.match(first)
        if status is None:
            raise PostFailed("its answer is not HTTP")
        if int(status[1]) >= 200:
            asked = _RETRY_AFTER.search(first + b"\r\n")
            return Answer(int(status[1]), int(asked[1]) if asked else 0)
        head = rest


def _said(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "it timed out"
    return (error.strerror or str(error) or type(error).__name__).lower()[:200]
