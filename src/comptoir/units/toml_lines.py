"""Where each value of a TOML text stands: its line, by its path.

`tomllib` reads TOML but forgets where it read; a person who mends a file needs the line. The
text has been read by `tomllib` before it comes here, so its grammar holds and this only has
to follow it: headers, keys, strings, arrays and inline tables. A test compares the paths
found here with those that `tomllib` finds.
"""

import re
import tomllib
from bisect import bisect_right

Path = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"[ \t]*")
_BETWEEN = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_PLAIN = re.compile(r"[^,\]}#\n]*")  # numbers, booleans, dates
_STRINGS = (
    (re.compile(r'"""(?:\\.|(?!""").)*"{3,5}', re.DOTALL), '"""'),
    (re.compile(r"'''(?:(?!''').)*'{3,5}", re.DOTALL), "'''"),
    (re.compile(r'"(?:\\.|[^"\\])*"'), '"'),
    (re.compile(r"'[^']*'"), "'"),
)


def lines_of(text: str) -> dict[Path, int]:
    """The line of every table, array, element and value, counted from 1.

    Args:
        text: TOML that `tomllib` has accepted.
    """
    return _Follower(text.replace("\r\n", "\n")).follow()


class _Follower:
    """Walks a text once, from its start to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ends = [found.start() for found in re.finditer("\n", text)]
        self._lines: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}  # arrays of tables: how many they have so far

    def follow(self) -> dict[Path, int]:
        """Every path with its line."""
        table: Path = ()
        self._skip(_BETWEEN)
        while self._at < len(self._text):
            if self._here("[["):
                table = self._array_header()
            elif self._here("["):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BETWEEN)
        return self._lines

    def _array_header(self) -> Path:
        self._at += 2
        keys = self._keys()
        self._at += 2  # the closing brackets
        array = (*self._within(keys[:-1]), keys[-1])
        number = self._tables.get(array, 0)
        self._tables[array] = number + 1
        self._mark(array)
        self._mark((*array, number))
        return (*array, number)

    def _header(self) -> Path:
        self._at += 1
        table = self._within(self._keys())
        self._at += 1
        self._mark(table)
        return table

    def _within(self, keys: list[str]) -> Path:
        """A header's path: a key that names an array of tables means the last of them."""
        path: Path = ()
        for key in keys:
            path = (*path, key)
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
        return path

    def _pair(self, table: Path) -> None:
        path = (*table, *self._keys(mark_under=table))
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _keys(self, mark_under: Path | None = None) -> list[str]:
        """A dotted key up to what follows it; the tables that it implies are marked."""
        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            keys.append(self._key())
            if mark_under is not None:
                self._mark((*mark_under, *keys))
            self._skip(_SPACE)
            if not self._here("."):
                return keys
            self._at += 1

    def _key(self) -> str:
        if self._text[self._at] not in "\"'":
            return self._take(_BARE_KEY)
        quoted = self._string()
        return str(tomllib.loads(f"key = {quoted}")["key"])

    def _value(self, path: Path) -> None:
        self._mark(path)
        if self._here("["):
            self._array(path)
        elif self._here("{"):
            self._inline_table(path)
        elif self._text[self._at] in "\"'":
            self._string()
        else:
            self._take(_PLAIN)

    def _array(self, path: Path) -> None:
        self._at += 1
        number = 0
        self._skip(_BETWEEN)
        while not self._here("]"):
            self._value((*path, number))
            number += 1
            self._skip(_BETWEEN)
            if self._here(","):
                self._at += 1
                self._skip(_BETWEEN)
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        self._skip(_BETWEEN)
        while not self._here("}"):
            self._pair(path)
            self._skip(_BETWEEN)
            if self._here(","):
                self._at += 1
                self._skip(_BETWEEN)
        self._at += 1

    def _string(self) -> str:
        for pattern, opening in _STRINGS:
            if self._here(opening):
                return self._take(pattern)
        raise AssertionError("a string opens with a quote")

    def _mark(self, path: Path) -> None:
        self._lines.setdefault(path, bisect_right(self._ends, self._at - 1) + 1)

    def _here(self, word: str) -> bool:
        return self._text.startswith(word, self._at)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        self._take(pattern)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        assert found is not None, f"not TOML at {self._at}"
        self._at = found.end()
        return found[0]
