"""Reading a file that people wrote: its tables field by field, and every problem with its line.

Used for fleet files and contract files; the values themselves are judged by `fields.py`.
"""

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from comptoir.units.errors import Invalid
from comptoir.units.toml_lines import Path, lines_of

MOST_PROBLEMS = 20
SEE_DOCS = "see its format in docs/"
"""The next step of a value of the wrong type; the reading says where that is described."""
MOST_DEEP = 32
_DEEP = re.compile(
    rf"""(?<![A-Za-z0-9_-])(?:(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')\s*\.\s*){{{MOST_DEEP}}}"""
)
"""A key of so many parts: each is a table in a table, and a parser goes through all of them."""
_AT_LINE = re.compile(r" \(at line (\d+), column (\d+)\)$")
_REQUIRED = object()
Judge = Callable[[str, Any], Any]
"""How one value is judged: (its field, the value) -> what it means; or `Invalid`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a file, and where."""

    line: int
    field: str
    code: str
    message: str
    next: str


class Reading:
    """The problems of one file, as they are found."""

    def __init__(self, file: str, docs: str = "docs/") -> None:
        self.file, self.docs = file, docs
        self.problems: list[Problem] = []
        self.lines: dict[Path, int] = {}

    def read_toml(self, text: str, most_letters: int) -> dict[str, Any] | None:
        """What a TOML text says, its lines remembered; None where it has a problem."""
        try:
            if len(text) > most_letters:
                raise _syntax(f"it has {len(text):,} letters, at most {most_letters:,} are read")
            if deep := _DEEP.search(text):
                self.lines[()] = text.count("\n", 0, deep.start()) + 1
                raise _syntax(f"a key has more than {MOST_DEEP} parts")
            document = tomllib.loads(text, parse_float=str)  # digits as they are: never a float
            self.lines = lines_of(text)
        except tomllib.TOMLDecodeError as error:
            at = _AT_LINE.search(str(error))
            self.lines[()] = int(at[1]) if at else max(text.count("\n"), 1)
            what = _AT_LINE.sub(f", at column {at[2]}" if at else "", str(error))
            self.add((), _syntax(what))
            return None
        except ValueError:  # the parser's, of a whole number with thousands of digits
            self.add((), _syntax("a number is too long"))
            return None
        except (Invalid, RecursionError) as problem:
            no = problem if isinstance(problem, Invalid) else _syntax("it is nested too deep")
            self.add((), no)
            return None
        return document

    def line_of(self, path: Path) -> int:
        """The line of a value, or of the nearest thing around it that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def add(self, path: Path, error: Invalid) -> None:
        """Remember what is wrong with the value at a path."""
        field = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")
        self.problems.append(
            Problem(
                self.line_of(path),
                field,
                error.code,
                error.message,
                f"see {self.docs}" if error.next == SEE_DOCS else error.next,
            )
        )

    def raise_problems(self) -> None:
        """Say no, if there is a reason.

        Raises:
            Invalid: the first problem, with all of them in its facts.
        """
        raise_all((self,), MOST_PROBLEMS)


def raise_all(readings: Iterable[Reading], most: int) -> None:
    """Say no to one file or several that belong together, if there is a reason.

    Raises:
        Invalid: the first problem, with at most `most` of all in its facts.
    """
    found = [
        (reading.file, problem)
        for reading in readings
        for problem in sorted(reading.problems, key=lambda problem: problem.line)
    ]
    if not found:
        return
    (file, first), more = found[0], len(found) - 1
    also = f" (and {more} more)" if more else ""
    raise Invalid(
        first.code,
        ": ".join(filter(None, (f"{file}:{first.line}", first.field, first.message))) + also,
        first.next,
        {
            "file": file,
            "line": first.line,
            "field": first.field,
            "problems": [
                {"file": of, "line": p.line, "field": p.field, "code": p.code, "message": p.message}
                for of, p in found[:most]
            ],
        },
    )


class Table:
    """One table of a file: its fields are taken one by one, what is left is unknown."""

    def __init__(self, reading: Reading, path: Path, values: Any) -> None:
        self.reading, self.path = reading, path
        self.sound = isinstance(values, dict)
        self._values: dict[str, Any] = values if isinstance(values, dict) else {}
        self._known: list[str] = []
        if not self.sound:
            reading.add(path, bad_value(values, "a table"))

    def take(self, name: str, judge: Judge, default: Any = _REQUIRED) -> Any:
        """A field, judged; the default where it is not said, None where it is wrong."""
        self._known.append(name)
        if name not in self._values:
            if default is _REQUIRED:
                self._wrong(
                    (),
                    Invalid("file_missing_field", f"{name} is missing", f"add a line: {name} = "),
                )
                return None
            return default
        try:
            return judge(name, self._values[name])
        except Invalid as error:
            self._wrong((name,), error)
            return None

    def tables(self, name: str, needed: bool, most: int) -> "list[Table]":
        """An array of tables."""
        self._known.append(name)
        found = self._values.get(name, [])
        if not isinstance(found, list):
            self._wrong((name,), bad_value(found, f"an array of tables: write [[{name}]]"))
            return []
        if (needed and not found) or len(found) > most:
            bounds = f"1 to {most:,}" if needed else f"at most {most:,}"
            error = Invalid(
                "file_missing_field",
                f"it has {len(found):,} {name} tables, there must be {bounds}",
                f"write [[{name}]]",
            )
            self._wrong((name,) if found else (), error)
            return []
        return [Table(self.reading, (*self.path, name, n), one) for n, one in enumerate(found)]

    def table(self, name: str) -> "Table | None":
        """A table inside; None where it is not said."""
        self._known.append(name)
        if name not in self._values:
            return None
        return Table(self.reading, (*self.path, name), self._values[name])

    def close(self) -> bool:
        """Name the fields that nobody knows; whether all of the table is sound."""
        for name in self._values:
            if name in self._known:
                continue
            near = get_close_matches(name, self._known, 1)
            self._wrong(
                (name,),
                Invalid(
                    "file_unknown_field",
                    f"{name} is not a field here",
                    f"did you mean {near[0]}?" if near else f"there are {', '.join(self._known)}",
                ),
            )
        return self.sound

    def wrong(self, name: str, error: Invalid) -> None:
        """Something that is wrong with a field that was read."""
        self._wrong((name,) if name in self._values else (), error)

    def _wrong(self, under: Path, error: Invalid) -> None:
        self.sound = False
        self.reading.add((*self.path, *under), error)


def bad_value(value: Any, wanted: str) -> Invalid:
    """A value of another type than its field has."""
    shown = "a table" if isinstance(value, dict) else f"{value!r:.40}"
    if isinstance(value, bool):
        shown = str(value).lower()  # as the file writes it
    return Invalid("file_bad_value", f"{shown} is not {wanted}", SEE_DOCS)


def _syntax(what: str) -> Invalid:
    return Invalid("file_not_toml", what, "see https://toml.io")
