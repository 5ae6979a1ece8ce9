"""Serving an app: where it may be bound, and how it stops.

An API key sent in the clear is a key given away: outside loopback the server wants TLS
of its own, or a proxy that the operator says is there.
"""

import contextlib
import errno
import ipaddress
import signal
import socket
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from comptoir.units.errors import Conflict, Invalid

STOP_WITHIN_S = 10
BACKLOG = 1_024


def serve(
    app: ASGIApp,
    listening: socket.socket,
    *,
    behind_proxy: bool = False,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; open requests get a few seconds to finish.

    Raises:
        Invalid: `insecure_bind`.
    """
    host, port = listening.getsockname()[:2]
    server = make_server(
        app, host, port, behind_proxy=behind_proxy, tls_cert=tls_cert, tls_key=tls_key
    )
    _end_on_signals(server)
    server.run([listening])


def _end_on_signals(server: uvicorn.Server) -> None:
    """From here on a signal ends the serving, not the process: the post is to be closed first.

    The server takes the signals over when it runs and raises them again when it has stopped.
    One that comes before that is not lost: the server ends as soon as it has started.
    """

    def end(*_: object) -> None:
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def make_server(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    behind_proxy: bool = False,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
) -> uvicorn.Server:
    """A server that is not started yet; setting its `should_exit` stops it gracefully.

    Raises:
        Invalid: `insecure_bind`.
    """
    refuse_insecure_bind(host, behind_proxy=behind_proxy, tls=tls_cert is not None)
    return _Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_level="warning",
            server_header=False,
            proxy_headers=behind_proxy,
            ssl_certfile=tls_cert,
            ssl_keyfile=tls_key,
            backlog=BACKLOG,
            timeout_graceful_shutdown=STOP_WITHIN_S,
        )
    )


class _Server(uvicorn.Server):
    """Ends the streams of its app before it waits for answers to end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop gracefully."""
        end_streams = getattr(self.config.app, "end_streams", None)
        if end_streams is not None:
            end_streams()
        await super().shutdown(sockets)


def refuse_insecure_bind(host: str, *, behind_proxy: bool, tls: bool) -> None:
    """Let loopback pass, and others with TLS or a declared proxy.

    Raises:
        Invalid: `insecure_bind`.
    """
    if tls or behind_proxy or _is_loopback(host):
        return
    raise Invalid(
        "insecure_bind",
        f"{host or 'every address'} is not loopback: API keys would travel in the clear",
        "give --tls-cert and --tls-key, or --behind-proxy if a proxy speaks TLS for it",
        {"host": host},
    )


def claim_port(host: str, wanted: int) -> int:
    """`wanted` itself, which somebody asked for by number; 0 is any that is free.

    The port is not held: `listen_on` is what may serve, and may yet refuse.

    Raises:
        Conflict: `port_taken`.
        Invalid: `bad_host`.
    """
    try:
        return _bind(host, wanted)
    except OSError as error:
        raise _cannot_listen(host, wanted, error) from None


def listen_on(host: str, wanted: int, *, or_another: bool = False) -> socket.socket:
    """A socket that listens on `wanted`, so that nobody else can: 0 is any that is free.

    Two servers that start together both find a port free and both bind it; only one listens.

    Args:
        host: The address.
        wanted: The port.
        or_another: If it is taken, listen on one that is free.

    Raises:
        Conflict: `port_taken`.
        Invalid: `bad_host`.
    """
    listening = socket.socket(_family(host), socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, wanted))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        if or_another and wanted:
            return listen_on(host, 0)
        raise _cannot_listen(host, wanted, error) from None
    return listening


def _cannot_listen(host: str, wanted: int, error: OSError) -> Conflict | Invalid:
    if error.errno != errno.EADDRINUSE:
        return Invalid(
            "bad_host",
            f"{host}:{wanted} cannot be listened on: {error.strerror or error}",
            "give another --host or --port",
        )
    return Conflict(
        "port_taken",
        f"another program listens on {host}:{wanted}",
        "stop it, give another --port, or leave --port out to have a free one found",
        {"host": host, "port": wanted},
    )


def pick_port(host: str, wanted: int) -> int:
    """`wanted` if it is free, else a port that is."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError):
            return _bind(host, port)
    raise Invalid("bad_host", f"{host!r} is no address of this machine", "use 127.0.0.1")


def _bind(host: str, port: int) -> int:
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
