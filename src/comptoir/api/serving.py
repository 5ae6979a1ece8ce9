"""Serving an app: where it may be bound, and how it stops.

An API key sent in the clear is a key given away: outside loopback the server wants TLS
of its own, or a proxy that the operator says is there.
"""

import ipaddress
import socket
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from comptoir.units.errors import Invalid

STOP_WITHIN_S = 10
BACKLOG = 1_024


def serve(
    app: FastAPI,
    host: str,
    port: int,
    *,
    behind_proxy: bool = False,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; open requests get a few seconds to finish.

    Raises:
        Invalid: `insecure_bind`.
    """
    make_server(
        app, host, port, behind_proxy=behind_proxy, tls_cert=tls_cert, tls_key=tls_key
    ).run()


def make_server(
    app: FastAPI,
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
    return uvicorn.Server(
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


def pick_port(host: str, wanted: int) -> int:
    """`wanted` if it is free, else a port that is."""
    for port in (wanted, 0):
        with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Invalid("bad_host", f"{host!r} is no address of this machine", "use 127.0.0.1")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
