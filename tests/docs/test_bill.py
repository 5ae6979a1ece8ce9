"""docs/bill.md: every command in it works on a real server, and shows what it shows."""

from pathlib import Path

from tests.chaos.server import Server
from tests.docs.walkthrough import Shell, Walk, steps_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "bill.md"


def test_the_walk_to_a_bill_works_as_written(tmp_path: Path) -> None:
    server = Server(tmp_path / "post", "--test-clock", "2026-10-01T00:00:00Z")
    server.start()
    desk = tmp_path / "desk"
    desk.mkdir()
    shell = Shell(desk, COMPTOIR_URL=server.url, COMPTOIR_API_KEY=server.operator_key)
    try:
        typed = Walk("docs/bill.md", shell, desk).play(DOCUMENT.read_text())
    finally:
        shell.close()
        server.stop()
    assert typed >= 20


def test_the_document_shows_what_a_biller_comes_for() -> None:
    commands = " ".join(step.command for step in steps_of(DOCUMENT.read_text()))
    for shown in (
        "admission admit",
        "admission credit",
        "budget set",
        "contract check",
        "contract propose",
        "contract approve",
        "commitment show",
        "clock advance",
        "fleet fail",
        "period close",
        "invoice finalise",
        "payment import",
    ):
        assert f"comptoir {shown}" in commands, shown
