"""docs/import.md: every command in it works on a real server, and shows what it shows."""

import shutil
from pathlib import Path

from tests.chaos.server import Server
from tests.docs.walkthrough import Shell, Walk

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "import.md"


def test_the_walk_of_moving_in_works_as_written(tmp_path: Path) -> None:
    server = Server(tmp_path / "post")
    server.start()
    desk = tmp_path / "desk"
    shutil.copytree(ROOT / "examples" / "opening", desk / "opening")
    shell = Shell(desk, COMPTOIR_URL=server.url, COMPTOIR_API_KEY=server.operator_key)
    try:
        typed = Walk("docs/import.md", shell, desk).play(DOCUMENT.read_text())
    finally:
        shell.close()
        server.stop()
    assert typed >= 20
