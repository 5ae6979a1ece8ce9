"""HTTP: one request out, one value or one of our errors back.

Writes get an idempotency key, so that a lost answer can be asked for again. The key of a
profile is sent to that profile's server only: no redirect is followed. Neighbours:
`retry` decides when to ask again, `problems` reads what comes back.
"""

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import IO, Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    SSLError,
)

from comptoir.client.problems import IN_FLIGHT, error_of, parse_json
from comptoir.client.retry import Patience, retrying
from comptoir.units.errors import Conflict, Invalid, Unavailable

CONNECT_TIMEOUT_S = 5.0
A_BATCH = 100
"""Items sent in one body: the server takes up to 256."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def check_url(url: str) -> str:
    """The server's address without a trailing slash.

    Raises:
        Invalid: `bad_url`.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise Invalid(
            "bad_url",
            f"{url!r} is not the address of a server",
            "write it as http://127.0.0.1:8420 or https://comptoir.example.org",
        )
    return url.rstrip("/")


def path_of(*segments: str) -> str:
    """A path under /v1 with each segment escaped: ids come from people.

    Raises:
        Invalid: `bad_id`, for a segment that would not stay one.
    """
    for segment in segments:
        if segment in ("", ".", ".."):
            raise Invalid("bad_id", f"{segment!r} is not an id", "check the id")
    return "/v1/" + "/".join(quote(segment, safe="") for segment in segments)


class Transport:
    """A pool of connections to one server, acting with one key."""

    def __init__(self, url: str, key: str | None, timeout_s: float, patience: Patience) -> None:
        self.url = check_url(url)
        self.patience = patience
        self._key = key
        self._timeout = urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, timeout_s), read=timeout_s)
        self._pool = _pool(self.url)

    def get(self, path: str, **query: Any) -> Any:
        """Read a value."""
        return self._ask("GET", path, query, None, {})

    def get_bytes(self, path: str, **query: Any) -> tuple[bytes, dict[str, str]]:
        """Read bytes as they are, with the answer's headers (names in lower case)."""

        def attempt(_: int) -> tuple[bytes, dict[str, str]]:
            response = self._send("GET", path, query, None, {}, preload=True)
            headers = _lower(response)
            if response.status >= 300:
                raise error_of(response.status, headers, response.data, self.url)
            return response.data, headers

        return retrying(attempt, self.patience)

    def write(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        """Change something, once, however often it has to be asked. None fields are left out."""
        sent = {name: value for name, value in (body or {}).items() if value is not None}
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": idempotency_key or new_idempotency_key(),
        }
        return self._ask(method, path, {}, lambda: json.dumps(sent).encode(), headers)

    def each(self, path: str, items: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
        """Change many things, each once, some at a time; an answer an item, in their order."""
        left = iter(items)
        while some := [*islice(left, A_BATCH)]:
            sent = [{n: v for n, v in item.items() if v is not None} for item in some]
            yield from self.write("POST", path, {"items": sent})["items"]

    def send_file(self, method: str, path: str, file: IO[bytes], content_type: str) -> Any:
        """Send a file from its start; every further try starts over."""
        size = file.seek(0, 2)

        def from_the_start() -> IO[bytes]:
            file.seek(0)
            return file

        headers = {
            "Content-Type": content_type,
            "Content-Length": str(size),
            "Idempotency-Key": new_idempotency_key(),
        }
        return self._ask(method, path, {}, from_the_start, headers)

    def pages(self, path: str, page_size: int, **query: Any) -> Iterator[Any]:
        """Every item of a list, page after page."""
        cursor: str | None = None
        while True:
            page = self.get(path, limit=page_size, cursor=cursor, **query)
            yield from page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                return

    @contextmanager
    def stream(self, path: str, **query: Any) -> Iterator[urllib3.BaseHTTPResponse]:
        """An answer whose body is read piece by piece."""
        response = retrying(lambda _: self._open(path, query), self.patience)
        try:
            yield response
        except HTTPError as error:
            raise unreachable(self.url, error) from None
        finally:
            response.close()

    def _open(self, path: str, query: Mapping[str, Any]) -> urllib3.BaseHTTPResponse:
        response = self._send("GET", path, query, None, {}, preload=False)
        if response.status >= 300:
            body = response.read(1 << 20)
            raise error_of(response.status, _lower(response), body, self.url)
        return response

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: Callable[[], bytes | IO[bytes]] | None,
        headers: Mapping[str, str],
    ) -> Any:
        def attempt(number: int) -> Any:
            response = self._send(method, path, query, body and body(), headers, preload=True)
            if response.status < 300:
                if response.status == 204 or not response.data:
                    return None
                return parse_json(_lower(response), response.data, self.url)
            error = error_of(response.status, _lower(response), response.data, self.url)
            if isinstance(error, Conflict) and error.code == IN_FLIGHT and number:
                # Our own first try is still at work: its answer will come.
                raise Unavailable(error.code, error.message, error.next, error.facts, 0)
            raise error

        return retrying(attempt, self.patience)

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: bytes | IO[bytes] | None,
        headers: Mapping[str, str],
        *,
        preload: bool,
    ) -> urllib3.BaseHTTPResponse:
        known = {name: _text(value) for name, value in query.items() if value is not None}
        target = f"{self.url}{path}" + (f"?{urlencode(known, doseq=True)}" if known else "")
        try:
            return self._pool.request(
                method,
                target,
                body=body,
                headers={**self._headers(), **headers},
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=preload,
            )
        except HTTPError as error:
            raise unreachable(self.url, error) from None

    def _headers(self) -> dict[str, str]:
        from comptoir import __version__

        headers = {"Accept": "application/json", "User-Agent": f"comptoir/{__version__}"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        return headers


def new_idempotency_key() -> str:
    """A key no other write has."""
    return secrets.token_hex(16)


def unreachable(url: str, error: HTTPError) -> Unavailable:
    """What a failed connection means to a person."""
    cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    if isinstance(cause, SSLError):
        return Unavailable(
            "tls_failed",
            f"{url} has no certificate that this machine trusts",
            "check the name in the URL; SSL_CERT_FILE names a file of further authorities",
            retry_after_s=0,
        )
    if isinstance(cause, NewConnectionError | ConnectTimeoutError):
        return Unavailable(
            "server_unreachable",
            f"{url} is not answering",
            "start it with `comptoir up`, or check the URL",
            {"url": url},
            retry_after_s=0,
        )
    return Unavailable(
        "connection_lost",
        f"{url} stopped answering in the middle of a request",
        "try again; `comptoir status` says whether the server is up",
        {"url": url},
        retry_after_s=0,
    )


def _text(value: Any) -> str | list[str]:
    if isinstance(value, bool):
        return "true" if value else "false"
    return [str(item) for item in value] if isinstance(value, list | tuple) else str(value)


def _lower(response: urllib3.BaseHTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _pool(url: str) -> urllib3.PoolManager:
    """Straight to the server, or through the proxy that the environment names for it."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    host = parts.hostname or ""
    proxy = getproxies().get(parts.scheme)
    if proxy and host not in LOOPBACK and not proxy_bypass(host):
        return urllib3.ProxyManager(proxy, num_pools=2, maxsize=8)
    return urllib3.PoolManager(num_pools=2, maxsize=8)
