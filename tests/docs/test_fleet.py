"""docs/operate/fleet.md: every command in it works on a real server, and shows what it shows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.server import Server
from tests.docs.walkthrough import Shell, Walk, steps_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "operate" / "fleet.md"


def test_the_operators_walk_works_as_written(tmp_path: Path) -> None:
    server = Server(tmp_path / "post")
    server.start()
    desk = tmp_path / "desk"
    desk.mkdir()
    shell = Shell(desk, COMPTOIR_URL=server.url, COMPTOIR_API_KEY=server.operator_key)
    try:
        typed = Walk("docs/operate/fleet.md", shell, desk).play(DOCUMENT.read_text())
    finally:
        shell.close()
        server.stop()
    assert typed >= 20


# The walk itself: a document that promises what does not come is found out.

SESSION = """\
```toml some.toml
a = 1
```
text
```console
$ cat some.toml
a = 1
$ echo "made ls_7Q4M at 2026-11-28 06:00 UTC"; x=3
made ls_9AAA at 2026-11-27 05:00 UTC
$ echo ls_9AAA "$x"  y
ls_9AAA 3 …
$ for n in 1 2 3; do
>   echo "n $n"
> done
n 1
n 3
$ false
[exit 1]
```
```console until
$ echo x >> count; wc -l < count
3
```
"""


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    shell = Shell(tmp_path)
    yield Walk("x.md", shell, tmp_path)
    shell.close()


def test_a_true_document_is_played_to_its_end(walk: Walk) -> None:
    assert walk.play(SESSION) == 6
    assert walk.ids == {"ls_9AAA": "ls_7Q4M"}


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("n 1\nn 3", "n 3\nn 1"),
        ("ls_9AAA 3 …", "ls_8BBB 3 … z"),
        ("[exit 1]", "[exit 2]"),
        ("[exit 1]\n", ""),
        ("a = 1\n$", "a = 2\n$"),
        ("$ false\n[exit 1]", "$ sleep 0; false"),
    ],
)
def test_a_document_that_is_not_true_is_found_out(walk: Walk, was: str, now: str) -> None:
    assert SESSION.count(was) == 1
    with pytest.raises(AssertionError, match=r"x\.md:\d+: \$ "):
        walk.play(SESSION.replace(was, now))


def test_the_document_shows_what_an_operator_comes_for() -> None:
    text = DOCUMENT.read_text()
    commands = " ".join(step.command for step in steps_of(text))
    for shown in (
        "fleet check",
        "fleet apply",
        "fleet show",
        "fleet import",
        "eligibility",
        "entitlement set",
        "entitlement statement",
        "offers",
        "hold",
        "lease confirm",
        "lease why",
        "fleet fail",
        "fleet spare",
        "fleet repair",
        "lease breaches",
    ):
        assert f"comptoir {shown}" in commands or f"tenant {shown}" in commands, shown
