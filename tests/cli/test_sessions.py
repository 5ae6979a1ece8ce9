"""Golden sessions: what an operator and a customer type, and every word they read.

A session is `sessions/*.txt`. `$ comptoir ...` is typed; `$ approver: comptoir ...` by that
person of `tests.api.world` (the operator if not said); `! finish 0` ends running attempts
with that exit code, a little later; `! file NAME TEXT` makes a file (\\n: a line);
`! running JOB` waits until the engine has been seen to run it. What follows is what
was read, with ids numbered as they appear and times, sizes and amounts left open. After a
change that was meant: run this file with `COMPTOIR_UPDATE_SESSIONS=1`, and read the diff.
"""

import contextlib
import io
import os
import re
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from comptoir.cli.main import main
from tests.api.world import World, open_world

SESSIONS = sorted((Path(__file__).parent / "sessions").glob("*.txt"))
ID = re.compile(
    r"\b(tn|us|ky|ls|se|jb|al|at|iv|il|nd|rt|rc|ra|br|en|sb)_([0-9A-HJKMNP-TV-Z]{4,})\b"
)
LOOSE = [
    (re.compile(r"ck_[a-z0-9]+_[\w-]{43}"), "<key>"),
    (re.compile(r"whsec_[\w+/=]{44}"), "<secret>"),
    (re.compile(r"\bnt_\d+"), "nt_<n>"),
    (re.compile(r"^\d\d:\d\d:\d\d", re.M), "<clock>"),
    (re.compile(r"(?<![\d.])\d+ ms\b"), "<n> ms"),
    (re.compile(r"http://127\.0\.0\.1:\d{2,}"), "<url>"),
    (re.compile(r"today \d\d:\d\d:\d\d \w+"), "<time>"),
    (re.compile(r"\w{3} \d+ \w{3} \d\d:\d\d \w+"), "<time>"),
    (re.compile(r"\d+ \w{3} \d{4} \d\d:\d\d \w+"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"-?[\d,]+ acc-ms"), "<n> acc-ms"),
    (re.compile(r"[\d,]+ (observed|posted)\b"), r"<n> \1"),
    (re.compile(r"-?\$\d+\.\d{2,6}(?! per| net)(?=\s|$|,)"), "<money>"),
    (re.compile(r"longest batch [\d.]+ ms"), "longest batch <n> ms"),
    (re.compile(r"\b\d+ s$", re.M), "<n> s"),
    (re.compile(r"for \d+ s\b"), "for <n> s"),
    (re.compile(r"(ACME|ADS)-\d{4}-"), r"\1-<year>-"),
    (re.compile(r"^ *\d+(?=  +<time>)", re.M), "<seq>"),
    (re.compile(r"total [\d.]+$", re.M), "total <money>"),
    (re.compile(r"^-- \S+ (is queued|running) on .*\n", re.M), ""),  # as fast as the machine is
    (re.compile(r"(?<=\S) {2,}"), "  "),
    (re.compile(r" +$", re.M), ""),
    # A bill that happens to come out even leaves nothing to round.
    (re.compile(r"^rounding  .*\n", re.M), ""),
    (re.compile(r"moved, [46] postings"), "moved, <n> postings"),
]


class Transcript:
    """Plays a session and writes down what was read."""

    def __init__(self, world: World, place: Path) -> None:
        self.world = world
        self.place = place
        self.names: dict[str, str] = {}

    def play(self, text: str) -> str:
        """The session as it went this time."""
        out: list[str] = []
        for line in text.splitlines():
            if line.startswith("#"):
                out.append(line)
            elif line.startswith("! "):
                out.append(line)
                self._direct(*line[2:].split(maxsplit=2))
            elif line.startswith("$ "):
                out.append(("\n" if out else "") + line)
                out.append(self._type(line[2:]))
        return "\n".join(out).rstrip("\n") + "\n"

    def _type(self, line: str) -> str:
        person = "operator"
        if ": comptoir" in line:
            person, line = line.split(": ", 1)
        words = shlex.split(self._known(line))
        secret = self.world.people[person].secret
        assert words[0] == "comptoir"
        assert secret is not None
        raw = io.BytesIO()
        screen = io.TextIOWrapper(raw, "utf-8", write_through=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COMPTOIR_URL", self.world.url)
            patch.setenv("COMPTOIR_API_KEY", secret)
            patch.setattr(sys, "stdin", io.StringIO())
            with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen):
                code = main(words[1:])
        said = self._named(raw.getvalue().decode())
        return said.rstrip("\n") + (f"\n[exit {code}]" if code else "")

    def _direct(self, verb: str, *words: str) -> None:
        if verb == "finish":
            threading.Timer(0.4, self._finish, [int(words[0])]).start()
        elif verb == "running":
            path = f"/v1/jobs/{self._known(words[0])}"
            while self.world.operator.get(path).ok()["attempt_list"][-1:][0]["state"] != "running":
                time.sleep(0.02)
        elif verb == "wait":
            self.world.wait(self._known(words[0]), "operator", **dict([words[1].split("=")]))
        else:
            assert verb == "file"
            (self.place / words[0]).write_text(words[1].replace("\\n", "\n") + "\n")

    def _finish(self, code: int) -> None:
        for _ in range(200):
            running = [a for a, seen in self.world.engine.running.items() if not seen.ended_at_ms]
            for attempt in running:
                self.world.engine.finish(attempt, code)
            if running:
                return
            time.sleep(0.05)

    def _known(self, line: str) -> str:
        """The placeholders of a line as the ids they stand for."""
        for id, name in self.names.items():
            line = line.replace(name, id)
        return line

    def _named(self, said: str) -> str:
        def name(found: re.Match[str]) -> str:
            kind = found[1]
            taken = sum(1 for other in self.names.values() if other.startswith(f"{kind}_<"))
            return self.names.setdefault(found[0], f"{kind}_<{taken + 1}>")

        said = ID.sub(name, said)
        for pattern, instead in LOOSE:
            said = pattern.sub(instead, said)
        return said


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("post")) as opened:
        yield opened


@pytest.mark.parametrize("session", SESSIONS, ids=lambda path: path.stem)
def test_a_session_reads_as_it_is_written_down(
    session: Path, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "100")
    expected = session.read_text()
    actual = Transcript(world, tmp_path).play(expected)
    if os.environ.get("COMPTOIR_UPDATE_SESSIONS"):
        session.write_text(actual)
    assert actual == expected
