"""`comptoir demo`: the main job, for real, on this machine.

It opens a trading post of its own (`story.py` then acts only through its HTTP API),
shows what happens (`screen.py`), and judges the outcome (`facts.py`).
"""

import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from starlette.types import ASGIApp

from comptoir.api.app import create_app
from comptoir.api.serving import listen_on, make_server
from comptoir.assembly import OPERATOR_KEY_FILE, Settings, TradingPost, open_post
from comptoir.cli.demo import story
from comptoir.cli.demo.facts import Facts
from comptoir.cli.demo.screen import Screen
from comptoir.engines.local.engine import LocalEngine
from comptoir.units.errors import Unavailable

DEFAULT_PORT = 8420
HOST = "127.0.0.1"


def run_demo(
    once: bool,
    report: Path | None,
    data: Path | None,
    port: int | None,
    console: Console | None = None,
) -> int:
    """Run the main job.

    Args:
        once: End after it, even at a terminal.
        report: Where the facts go as JSON.
        data: The data directory; None is a new one that goes when the demo ends.
        port: The API's port; None is 8420, or a free one if that is taken.
        console: Where it is shown; None is standard output.

    Returns:
        0 if every check held, else 1.
    """
    console = console or Console(soft_wrap=not sys.stdout.isatty())
    stay = sys.stdin.isatty() and sys.stdout.isatty() and not once
    with ExitStack() as stack:
        if data is None:
            data = Path(tempfile.mkdtemp(prefix="comptoir-demo-"))
            stack.callback(shutil.rmtree, data, ignore_errors=True)
        post = stack.enter_context(open_post(Settings(data=data, meter_every_s=1.0)))
        health = post.engines["local"].health()
        if not health.available:
            raise Unavailable("engine_unavailable", f"no job can run here: {health.reason}")
        stack.callback(_retire, post)
        listening = listen_on(HOST, port or DEFAULT_PORT, or_another=True)
        app = create_app(post.queue, post.views, post.engines, post.sender, planner=post.planner)
        stack.enter_context(_serving(app, listening))
        url = f"http://{HOST}:{listening.getsockname()[1]}"
        facts = _play(console, post, url, data)
        if report is not None:
            facts.write(report)
        _last_screen(Screen(console), facts)
        if stay:
            _where_next(Screen(console), facts, url, data)
            _wait_for_interrupt(console)
        return 0 if facts.ok else 1


def _retire(post: TradingPost) -> None:
    """Give back what the local engine claimed of this machine; the demo's jobs are over."""
    local = post.engines["local"]
    if isinstance(local, LocalEngine):
        local.retire()


@contextmanager
def _serving(app: ASGIApp, listening: socket.socket) -> Iterator[None]:
    """The API on a thread of its own, until the block ends."""
    server = make_server(app, HOST, listening.getsockname()[1])
    thread = threading.Thread(target=server.run, args=([listening],), name="api", daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join(15.0)


def _play(console: Console, post: TradingPost, url: str, data: Path) -> Facts:
    node = post.engines["local"].nodes()[0]
    console.print("[b]comptoir[/]: a compute cloud is a book of leases\n", highlight=False)
    with Screen(console) as screen:
        screen.say("opened", f"{url}   book in {data}")
        cores = f"{node.accelerators} x {node.kind}"
        screen.say("supply", f"{node.name}: {cores}, an inbound lease, owned")
        key = (data / OPERATOR_KEY_FILE).read_text().strip()
        cast = story.prepare(url, key, screen)
        return story.play(cast, _examples(), screen)


def _examples() -> Path:
    """The examples: of the checkout, or as installed with the package."""
    here = Path(__file__).resolve()
    for parent in here.parents:
        if (parent / "examples" / "train_digits.py").exists():
            return parent / "examples"
    return here.parent / "examples"


def _last_screen(screen: Screen, facts: Facts) -> None:
    screen.line()
    screen.table(
        "use, in accelerator-milliseconds, and what it costs",
        ["tenant", "lease", "delivered", "occupied", "busy", "bill", "total"],
        [
            [
                row["tenant"],
                row["lease"],
                f"{row['accelerator_ms']:,}",
                f"{row['occupied_ms']:,}",
                f"{row['busy_ms']:,}",
                bill["number"],
                f"{bill['total']} {bill['currency']}",
            ]
            for row, bill in zip(facts.usage, facts.invoices, strict=True)
        ],
    )
    ledger = facts.ledger
    screen.line()
    screen.line(
        f"  ledger        {ledger['entries']} entries, "
        + ("every unit sums to zero" if ledger["balanced"] else "[red]OUT OF BALANCE[/]")
        + f"; posted = observed: {ledger['accelerator_ms_posted']:,} = "
        f"{ledger['accelerator_ms_observed']:,} accelerator-ms"
    )
    screen.line(f"  utilisation   {facts.utilisation:.1%} of this machine's cores, first to last")
    screen.line()
    for what, held in facts.checks:
        screen.line(f"  {'[green]ok ·[/]' if held else '[red]FAILED ·[/]'} {what}")
    screen.line(f"\n  {facts.duration_s:.0f} s. Next: README.md, `comptoir up`, docs/")


def _where_next(screen: Screen, facts: Facts, url: str, data: Path) -> None:
    number = facts.invoices[0]["number"]
    screen.line("  Look further while it is up:")
    screen.line(f"    export COMPTOIR_URL={url} COMPTOIR_API_KEY=$(cat {data / OPERATOR_KEY_FILE})")
    screen.line(f"    comptoir invoice show {number} · comptoir ledger proof · comptoir audit")


def _wait_for_interrupt(console: Console) -> None:
    console.print("\n  [dim]Ctrl-C closes the trading post.[/]")
    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()
