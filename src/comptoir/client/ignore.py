"""What an upload leaves out: `.comptoirignore`, in the manner of git's ignore files.

One pattern a line; `#` starts a comment; `!` takes back what an earlier line left out; a
trailing `/` means directories only; a `/` anywhere else ties the pattern to the top, and
without one it matches at any depth. `*` and `?` stay within a name, `**` crosses
directories, `[abc]` is one of those. The last line that matches decides. What lies in an
ignored directory stays out. Source: gitignore(5), without its escapes by backslash.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

FILE_NAME = ".comptoirignore"
ALWAYS = (
    ".git/", "__pycache__/", ".venv/", "node_modules/", "*.pyc", ".DS_Store",
    "*.key", "*.pem", ".env", ".netrc", ".ssh/",
)  # fmt: skip
"""What is rebuilt, and what is secret: a `!pattern` line takes one back in."""


@dataclass(frozen=True, slots=True)
class _Rule:
    expression: re.Pattern[str]
    keeps: bool
    directories_only: bool


class Ignore:
    """Says which paths stay at home.

    Args:
        lines: Patterns, the defaults of `ALWAYS` coming before them.
    """

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._rules = [
            rule for line in (*ALWAYS, *lines) if (rule := _parse(line.strip())) is not None
        ]

    def leaves_out(self, path: str, is_directory: bool) -> bool:
        """Whether `path` (relative, with `/`) is left out; its parents were not."""
        out = False
        for rule in self._rules:
            if rule.directories_only and not is_directory:
                continue
            if rule.expression.fullmatch(path):
                out = not rule.keeps
        return out


def _parse(line: str) -> _Rule | None:
    if not line or line.startswith("#"):
        return None
    keeps = line.startswith("!")
    pattern = line[1:] if keeps else line
    directories_only = pattern.endswith("/")
    pattern = pattern.rstrip("/")
    if not pattern:
        return None
    anchored = "/" in pattern
    text = _expression(pattern.lstrip("/"))
    return _Rule(
        re.compile(text if anchored else f"(?:.*/)?{text}", re.DOTALL), keeps, directories_only
    )


def _expression(pattern: str) -> str:
    out = ""
    at = 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif pattern.startswith("**", at):
            out, at = out + ".*", at + 2
        elif pattern[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif pattern[at] == "?":
            out, at = out + "[^/]", at + 1
        elif pattern[at] == "[" and (end := pattern.find("]", at + 2)) > 0:
            inside = pattern[at + 1 : end].replace("\\", r"\\").replace("[", r"\[")
            negated = inside[0] in "!^"
            out += f"(?!/)[{'^' if negated else ''}{inside[1:] if negated else inside}]"
            at = end + 1
        else:
            out, at = out + re.escape(pattern[at]), at + 1
    return out
