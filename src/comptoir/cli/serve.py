"""`comptoir up`: open the trading post on a data directory and serve it until told to stop."""

import logging
import signal
import sys
from pathlib import Path

from comptoir.api.app import create_app
from comptoir.api.serving import claim_port, pick_port, refuse_insecure_bind, serve
from comptoir.assembly import OPERATOR_KEY_FILE, Settings, open_post

DEFAULT_PORT = 8420


def serve_forever(
    data: Path,
    host: str,
    port: int | None,
    database_url: str | None,
    behind_proxy: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> int:
    """Serve until SIGTERM or Ctrl-C; running jobs go on without us.

    Returns:
        The exit code.

    Raises:
        Conflict: another server has the data directory, or `port_taken`.
        Invalid: `insecure_bind`.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    refuse_insecure_bind(host, behind_proxy=behind_proxy, tls=tls_cert is not None)
    chosen = pick_port(host, DEFAULT_PORT) if port is None else claim_port(host, port)
    with open_post(Settings(data=data, database_url=database_url)) as post:
        url = f"http{'s' if tls_cert else ''}://{host}:{chosen}"
        _greet(url, data, first=post.first_key is not None)
        for name, engine in post.engines.items():
            health = engine.health()
            if not health.available:
                print(f"engine {name} takes no work: {health.reason}", file=sys.stderr)
        _close_before_ending()
        serve(
            create_app(post.queue, post.views, post.engines, post.sender),
            host,
            chosen,
            behind_proxy=behind_proxy,
            tls_cert=tls_cert,
            tls_key=tls_key,
        )
    return 0


def _close_before_ending() -> None:
    """From here on a signal ends the serving, not the process: the post is to be closed first.

    The API's server raises the signal again when it has stopped. Until it serves (while it
    stands by, or brings the schema up to date) a signal ends the process as it always does.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)


def _greet(url: str, data: Path, first: bool) -> None:
    print(f"comptoir serves {data} at {url}", file=sys.stderr)
    if first:
        key_file = data / OPERATOR_KEY_FILE
        print(f"a new book: the operator's key is in {key_file} (mode 0600)", file=sys.stderr)
        print(f"next: comptoir login {url} < {key_file}", file=sys.stderr)
