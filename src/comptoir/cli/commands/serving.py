"""`up` and `demo`: open a trading post here. The server is imported when one of them runs."""

from pathlib import Path

import click

from comptoir.cli.formats import Instant
from comptoir.cli.lazy import Session, leaf
from comptoir.cli.server_extra import server_room

DATA = Path("comptoir-data")


@leaf(
    "up",
    "comptoir up --data ./post",
    "comptoir up --data ./post --database-url postgresql://comptoir@db/comptoir",
    "comptoir up --data ./post --smtp-host mail.example.org --smtp-from comptoir@example.org",
    online=False,
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=DATA,
    show_default=True,
    help="The data directory; made on the first start, with one operator key.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="This one and no other; if not said, 8420, or a free one if that is taken.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--database-url", metavar="URL", help="PostgreSQL instead of the embedded SQLite.")
@click.option("--behind-proxy", is_flag=True, help="A proxy in front of it ends TLS.")
@click.option(
    "--tls-cert", type=click.Path(path_type=Path, dir_okay=False), help="Certificate, PEM."
)
@click.option("--tls-key", type=click.Path(path_type=Path, dir_okay=False), help="Its key, PEM.")
@click.option(
    "--smtp-host", envvar="COMPTOIR_SMTP_HOST", metavar="HOST", help="The mail server for notices."
)
@click.option(
    "--smtp-port",
    envvar="COMPTOIR_SMTP_PORT",
    type=click.IntRange(1, 65_535),
    help="Its port; 587, or 465 with tls, if not said.",
)
@click.option(
    "--smtp-security",
    envvar="COMPTOIR_SMTP_SECURITY",
    default="starttls",
    show_default=True,
    type=click.Choice(["starttls", "tls", "none"]),
    help="How it is spoken to.",
)
@click.option("--smtp-user", envvar="COMPTOIR_SMTP_USER", default="", help="Who logs in there.")
@click.option(
    "--smtp-password-file",
    envvar="COMPTOIR_SMTP_PASSWORD_FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with the password.",
)
@click.option(
    "--smtp-from", envvar="COMPTOIR_SMTP_FROM", metavar="ADDRESS", help="Whose mail it is."
)
@click.option(
    "--test-clock",
    type=Instant(),
    metavar="INSTANT",
    help="Make a new book to try things on, whose time stands here until `clock advance`.",
)
@click.option(
    "--webhooks-to-loopback",
    is_flag=True,
    help="Let webhooks be on this machine, there without TLS: for development.",
)
def up(
    cli: Session,
    data: Path,
    port: int | None,
    host: str,
    database_url: str | None,
    behind_proxy: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    smtp_host: str | None,
    smtp_port: int | None,
    smtp_security: str,
    smtp_user: str,
    smtp_password_file: Path | None,
    smtp_from: str | None,
    test_clock: str | None,
    webhooks_to_loopback: bool,
) -> int:
    """Open a trading post: the book, the HTTP API, the local engine.

    It stops gracefully on Ctrl-C or SIGTERM and leaves jobs running. An address that others
    can reach needs --tls-cert and --tls-key, or --behind-proxy. Mail is sent when --smtp-host
    and --smtp-from say how; the environment says each as COMPTOIR_SMTP_HOST and so on. A book
    with a test clock is one for good, and runs no jobs.
    """
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together")
    if (smtp_host is None) != (smtp_from is None):
        raise click.UsageError("--smtp-host and --smtp-from go together")
    serve = server_room("comptoir.cli.serve")
    mail = None
    if smtp_host and smtp_from:
        mail = serve.mail_settings(
            smtp_host, smtp_from, smtp_port, smtp_security, smtp_user, smtp_password_file
        )
    settings = serve.settings(data, database_url, mail, webhooks_to_loopback, test_clock)
    return int(serve.serve_forever(settings, host, port, behind_proxy, tls_cert, tls_key))


@leaf("demo", "comptoir demo", "comptoir demo --once --report facts.json", online=False)
@click.option("--once", is_flag=True, help="End after the main job, even at a terminal.")
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), help="Write the facts as JSON."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="The data directory; a new one that goes with the demo if not said.",
)
@click.option("--port", type=click.IntRange(0, 65_535), help="8420, or a free one if it is taken.")
def demo(cli: Session, once: bool, report: Path | None, data: Path | None, port: int | None) -> int:
    """Watch a trading post do its main job: train, reclaim, resume, meter, invoice.

    About a minute. The exit code is 0 only if every check in it held.
    """
    return int(server_room("comptoir.cli.demo").run_demo(once, report, data, port))
