"""docs/operate/rebalance.md: every command in it works on a real server, as it is shown."""

from pathlib import Path

from tests.chaos.server import Server
from tests.docs.walkthrough import Shell, Walk

DOCUMENT = Path(__file__).parents[2] / "docs" / "operate" / "rebalance.md"


def test_the_walk_to_whole_pods_works_as_written(tmp_path: Path) -> None:
    server = Server(tmp_path / "post")
    server.start()
    desk = tmp_path / "desk"
    desk.mkdir()
    shell = Shell(desk, COMPTOIR_URL=server.url, COMPTOIR_API_KEY=server.operator_key)
    try:
        typed = Walk("docs/operate/rebalance.md", shell, desk).play(DOCUMENT.read_text())
    finally:
        shell.close()
        server.stop()
    assert typed >= 12
