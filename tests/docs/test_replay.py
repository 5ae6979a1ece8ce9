"""docs/replay.md: every command in it works, and shows what it shows."""

from pathlib import Path

from tests.docs.walkthrough import Shell, Walk

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "replay.md"


def test_the_walk_through_a_replay_works_as_written(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    shell = Shell(tmp_path)
    try:
        typed = Walk("docs/replay.md", shell, tmp_path).play(DOCUMENT.read_text())
    finally:
        shell.close()
    assert typed >= 3
    assert (tmp_path / "philly.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "philly.json").stat().st_size > 10_000
