"""The line of every value is right: paths are tomllib's, lines are where the text has them."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.units.toml_lines import lines_of

TEXT = '''\
# A file with every kind of value.
title = "a [not a table] \\" = #"   # a comment with [brackets]

[owner."quoted key"]
born.on = 1979-05-27 07:32:00-08:00
list = [ 1, 2,   # one a line
  3, ["x]", 'y[',
    """several
lines ] with quotes "" inside""", \'\'\'raw
\\ text\'\'\'' ] ]
point = { x = 1, "y.z" = { deep = [true,
  false] }, w.v = 2 }

[[inbound]]
name = "one"
[[inbound.nodes]]
pods = 8
[[inbound.nodes]]
pods = 9
[inbound.more]
a = 1
[[inbound]]
name = "two"
[[inbound.nodes]]
pods = 1_0
'''


def paths(value: Any, at: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    found = {at} if at else set()
    if isinstance(value, dict):
        for key, inside in value.items():
            found |= paths(inside, (*at, key))
    elif isinstance(value, list):
        for number, inside in enumerate(value):
            found |= paths(inside, (*at, number))
    return found


def test_every_path_that_tomllib_reads_has_its_line() -> None:
    lines = lines_of(TEXT)
    # A header's own prefix, such as `owner`, is no value with a place of its own.
    assert paths(tomllib.loads(TEXT)) - set(lines) == {("owner",)}
    wanted = {
        ("title",): "title =",
        ("owner", "quoted key", "born", "on"): "born.on",
        ("owner", "quoted key", "list", 2): "3, [",
        ("owner", "quoted key", "list", 3, 1): "3, [",
        ("owner", "quoted key", "list", 3, 2): '"""several',
        ("owner", "quoted key", "list", 3, 3): "lines ] with",
        ("owner", "quoted key", "point", "y.z", "deep", 1): "false]",
        ("owner", "quoted key", "point", "w", "v"): "false]",
        ("inbound", 0, "nodes", 1, "pods"): "pods = 9",
        ("inbound", 0, "more", "a"): "a = 1",
        ("inbound", 1, "name"): '"two"',
        ("inbound", 1, "nodes", 0, "pods"): "1_0",
    }
    split = TEXT.splitlines()
    for path, fragment in wanted.items():
        assert fragment in split[lines[path] - 1], (path, lines[path])


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_lines_are_counted_alike_whatever_ends_them(ending: str) -> None:
    text = 'a = 1\n# c\n[[b]]\nx = """\n\n"""\ny = 2\n'.replace("\n", ending)
    tomllib.loads(text)
    assert lines_of(text) == {
        ("a",): 1, ("b",): 3, ("b", 0): 3, ("b", 0, "x"): 4, ("b", 0, "y"): 7,
    }  # fmt: skip


words = st.text(st.sampled_from("ab[]{}#=,.'\" \n"), max_size=8)
scalars = st.one_of(st.integers(-9, 10**6), st.booleans(), words)
values = st.recursive(
    scalars,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(words, inside, max_size=3),
    max_leaves=8,
)
gaps = st.sampled_from(["", " ", "\n", "  # why ] } [ { \" '\n", "\n\n\t"])


class Writer:
    """Writes a document as TOML, one token at a time, and knows where each value went."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.text = ""
        self.lines: dict[tuple[str | int, ...], int] = {}

    def put(self, more: str) -> None:
        self.text += more

    def value(self, value: Any, path: tuple[str | int, ...]) -> None:
        self.lines.setdefault(path, self.text.count("\n") + 1)
        if isinstance(value, bool):
            self.put(str(value).lower())
        elif isinstance(value, int):
            self.put(str(value))
        elif isinstance(value, str):
            self.string(value)
        elif isinstance(value, list):
            self.put("[")
            for number, inside in enumerate(value):
                self.put(self.draw(gaps))
                self.value(inside, (*path, number))
                self.put(self.draw(gaps) + ",")
            self.put(self.draw(gaps) + "]")
        else:
            self.put("{")
            for number, (key, inside) in enumerate(value.items()):
                self.put(", " if number else " ")
                self.pair(key, inside, path)
            self.put(" }")

    def string(self, value: str) -> None:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        style = self.draw(st.sampled_from(["basic", "long", "literal"]))
        if style == "literal" and not set("'\n") & set(value):
            self.put(f"'{value}'")
        elif style == "long":
            self.put(f'"""\n{escaped}"""')
        else:
            self.put('"' + escaped.replace("\n", "\\n") + '"')

    def pair(self, key: str, value: Any, under: tuple[str | int, ...]) -> None:
        self.lines.setdefault((*under, key), self.text.count("\n") + 1)
        self.put('"' + key.replace('"', '\\"').replace("\n", "\\n") + '" = ')
        self.value(value, (*under, key))


@st.composite
def documents(draw: st.DrawFn) -> Writer:
    writer = Writer(draw)
    for key, value in draw(st.dictionaries(words, values, max_size=3)).items():
        writer.pair(key, value, ())
        writer.put(draw(st.sampled_from(["\n", "  # c\n", "\n\n"])))
    for number in range(draw(st.integers(0, 3))):
        for path in (("tables",), ("tables", number)):
            writer.lines.setdefault(path, writer.text.count("\n") + 1)
        writer.put("[[ tables ]]\n")
        for key, value in draw(st.dictionaries(words, values, max_size=2)).items():
            writer.pair(key, value, ("tables", number))
            writer.put("\n")
    return writer


@given(documents())
def test_any_document_that_tomllib_reads_is_followed_to_its_end(written: Writer) -> None:
    document = tomllib.loads(written.text)
    found = lines_of(written.text)
    assert set(found) == paths(document) == set(written.lines)
    assert found == written.lines
