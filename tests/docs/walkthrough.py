"""Plays a document: its commands are typed into one shell, and what it shows must come.

A fenced block `console` is a session. A line `$ ...` is typed (`> ...` continues it); the lines
below it are what a reader is promised: each must come, in that order; other lines may stand
between. Exit codes are 0 unless `[exit N]` is the last line shown. A block `console until`
types each command again until what is promised comes, for what takes a moment. A fenced
block of any language with a file's name, as in `toml fleet.toml`, is written to that file.

In what is shown, an id stands for the one that came in its place: from then on the document
may use it, in commands too. Instants and durations are any; `…` is anything within a line;
runs of spaces are one.
"""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue

ID = re.compile(
    r"\b(?:tn|us|ky|ls|jb|al|at|iv|il|nd|rt|rc|ra|en|ho|wh|nt|ch|bg|ct|cv|cb|ca|le|op|rb)_[0-9A-HJKMNP-TV-Z]{4,}\b"
)
INSTANT = (
    r"today \d\d:\d\d:\d\d \w+|\w{3} \d+ \w{3} \d\d:\d\d \w+|\d+ \w{3} \d{4} \d\d:\d\d \w+"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z| UTC)?"
)
DURATION = r"\d+ (?:s|min|h|d)\b(?: \d+ (?:min|h)\b)?"
_TOKEN = re.compile(rf"(?P<id>{ID.pattern})|(?P<instant>{INSTANT})|(?P<duration>{DURATION})"
                    r"|(?P<any>…)|(?P<space>\s+)")  # fmt: skip
_FENCE = re.compile(r"^```(\w*)(?: +(\S+))?$")
_EXIT = re.compile(r"\[exit (\d+)\]")
COMMAND_S = 60.0
UNTIL_S = 30.0


@dataclass(slots=True)
class Step:
    """A command with what it promises; or a file to write."""

    line: int
    command: str
    promised: list[str] = field(default_factory=list)
    until: bool = False
    file: str = ""


def steps_of(document: str) -> Iterator[Step]:
    """The commands and files of a document, in order."""
    language, word, body, start = "", "", [""], 0
    inside = False
    for number, line in enumerate(document.splitlines(), 1):
        fence = _FENCE.match(line)
        if fence and not inside:
            inside, language, word, body, start = True, fence[1], fence[2] or "", [], number
        elif line == "```" and inside:
            inside = False
            if language == "console":
                yield from _session(body, start, word == "until")
            elif word:
                yield Step(start, "", file=word, promised=body)
        elif inside:
            body.append(line)


def _session(lines: list[str], start: int, until: bool) -> Iterator[Step]:
    step: Step | None = None
    for number, line in enumerate(lines, start + 1):
        if line.startswith("$ "):
            if step is not None:
                yield step
            step = Step(number, line[2:], until=until)
        elif step is None:
            raise AssertionError(f"line {number}: a session begins with a command")
        elif line.startswith("> ") and not step.promised:
            step.command += "\n" + line[2:]
        elif line.strip():
            step.promised.append(line)
    if step is not None:
        yield step


class Shell:
    """One bash for a whole document, so that variables and directories last."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HOME": str(directory),
                "XDG_CONFIG_HOME": str(directory / "config"),
                "COLUMNS": "100",
                "LC_ALL": "C.UTF-8",
                "NO_COLOR": "1",
                **environment,
            },
        )
        self._said: Queue[str | None] = Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.put(line.rstrip("\n"))
        self._said.put(None)

    def type(self, command: str) -> tuple[list[str], int]:
        """Run a command; what it wrote, and its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\nprintf '\\n\\001%s\\n' $?\n")
        self._process.stdin.flush()
        said: list[str] = []
        deadline = time.monotonic() + COMMAND_S
        while True:
            try:
                line = self._said.get(timeout=max(deadline - time.monotonic(), 0.01))
            except Empty:
                raise AssertionError(f"no end after {COMMAND_S:.0f} s: {command}") from None
            assert line is not None, f"the shell ended: {command}"
            if line.startswith("\001"):
                return said, int(line[1:])
            said.append(line)

    def close(self) -> None:
        """End it and whatever it still runs in the foreground."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Walk:
    """A document played in a directory."""

    def __init__(self, name: str, shell: Shell, directory: Path) -> None:
        self.name, self.shell, self.directory = name, shell, directory
        self.ids: dict[str, str] = {}

    def play(self, document: str) -> int:
        """Every step; how many commands were typed."""
        typed = 0
        for step in steps_of(document):
            if step.file:
                (self.directory / step.file).write_text("\n".join(step.promised) + "\n")
                continue
            typed += 1
            self._keep(step)
        return typed

    def _keep(self, step: Step) -> None:
        deadline = time.monotonic() + (UNTIL_S if step.until else 0)
        while True:
            command = ID.sub(lambda found: self.ids.get(found[0], found[0]), step.command)
            said, code = self.shell.type(command)
            missing = self._missing(step.promised, said, code)
            if missing is None:
                return
            if time.monotonic() >= deadline:
                written = "\n".join(said)
                raise AssertionError(
                    f"{self.name}:{step.line}: $ {command}\n{missing}\nIt wrote:\n{written}"
                )
            time.sleep(0.2)

    def _missing(self, promised: list[str], said: list[str], code: int) -> str | None:
        """What was promised and did not come; what came is remembered if all did."""
        wanted = 0
        ids = dict(self.ids)
        rest = iter(said)
        for line in promised:
            told = _EXIT.fullmatch(line.strip())
            if told:
                wanted = int(told[1])
                continue
            if not any(_fits(line, one, ids) for one in rest):
                return f"This did not come (in its place): {line}"
        if code != wanted:
            return f"It ended with exit code {code}, not {wanted}."
        self.ids = ids
        return None


def _fits(shown: str, actual: str, ids: dict[str, str]) -> bool:
    """Whether a line is as it is shown; new ids are learned from it."""
    pattern, names, at = "", [], 0
    text = shown.strip()
    for token in _TOKEN.finditer(text):
        pattern += re.escape(text[at : token.start()])
        at = token.end()
        match token.lastgroup:
            case "id" if token[0] in ids:
                pattern += re.escape(ids[token[0]])
            case "id":
                pattern += f"({ID.pattern})"
                names.append(token[0])
            case "instant":
                pattern += f"(?:{INSTANT})"
            case "duration":
                pattern += f"(?:{DURATION})"
            case "any":
                pattern += ".*"
            case _:
                pattern += r"\s+"
    pattern += re.escape(text[at:])
    found = re.fullmatch(pattern, actual.strip())
    if found is None:
        return False
    ids.update(zip(names, found.groups(), strict=True))
    return True
