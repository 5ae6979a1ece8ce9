"""`comptoir up`: open the trading post on a data directory and serve it until told to stop."""

import logging
import sys
from pathlib import Path

from comptoir.api.app import create_app
from comptoir.api.serving import claim_port, listen_on, refuse_insecure_bind, serve
from comptoir.assembly import OPERATOR_KEY_FILE, Settings, open_post
from comptoir.desk.test_clock import StandingClock
from comptoir.notices.mailing import MailSettings
from comptoir.units.errors import Invalid
from comptoir.units.time import format_instant, parse_instant

DEFAULT_PORT = 8420


def settings(
    data: Path,
    database_url: str | None,
    mail: MailSettings | None,
    webhooks_to_loopback: bool,
    test_clock: str | None,
) -> Settings:
    """What the operator chose, as the assembly takes it."""
    return Settings(
        data=data,
        database_url=database_url,
        mail=mail,
        webhooks_to_loopback=webhooks_to_loopback,
        test_clock_ms=None if test_clock is None else parse_instant(test_clock),
    )


def mail_settings(
    host: str,
    sender: str,
    port: int | None,
    security: str,
    user: str,
    password_file: Path | None,
) -> MailSettings:
    """The mail server; the password is read from its file.

    Raises:
        Invalid: `bad_file` or `mail_in_the_clear`.
    """
    chosen = port or (465 if security == "tls" else 587)
    password = "" if password_file is None else _password(password_file)
    found = MailSettings(host, sender, chosen, security, user, password)
    found.check()
    return found


def _password(path: Path) -> str:
    try:
        return path.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(
            "bad_file", f"{path} cannot be read: {error}", "name the file with the password"
        ) from None


def serve_forever(
    chosen_settings: Settings,
    host: str,
    port: int | None,
    behind_proxy: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> int:
    """Serve until SIGTERM or Ctrl-C; running jobs go on without us.

    Until it serves (while it stands by, or brings the schema up to date) a signal ends the
    process as it always does.

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
    claim_port(host, port or 0)  # a refusal before the book is opened, not after
    data = chosen_settings.data
    with open_post(chosen_settings) as post:
        listening = listen_on(host, DEFAULT_PORT if port is None else port, or_another=port is None)
        url = f"http{'s' if tls_cert else ''}://{host}:{listening.getsockname()[1]}"
        _greet(url, data, first=post.first_key is not None)
        if isinstance(post.desk.clock, StandingClock):
            stands = format_instant(post.desk.clock.now_ms())
            print(f"a test clock: it is {stands} until `comptoir clock advance`", file=sys.stderr)
        for name, engine in post.engines.items():
            health = engine.health()
            if not health.available:
                print(f"engine {name} takes no work: {health.reason}", file=sys.stderr)
        serve(
            create_app(post.queue, post.views, post.engines, post.sender, planner=post.planner),
            listening,
            behind_proxy=behind_proxy,
            tls_cert=tls_cert,
            tls_key=tls_key,
        )
    return 0


def _greet(url: str, data: Path, first: bool) -> None:
    print(f"comptoir serves {data} at {url}", file=sys.stderr)
    if first:
        key_file = data / OPERATOR_KEY_FILE
        print(f"a new book: the operator's key is in {key_file} (mode 0600)", file=sys.stderr)
        print(f"next: comptoir login {url} < {key_file}", file=sys.stderr)
