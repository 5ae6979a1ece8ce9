"""Every error code of the source is explained in docs/errors.md, with its status."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from comptoir.api.problems import STATUS, STATUS_OF_CODE
from comptoir.units import errors

ROOT = Path(__file__).parents[2]
CLASSES = {kind.__name__: kind for kind in STATUS}
FACTORIES = {"too_large": errors.Invalid}
"""Functions that make an error of a code given to them first."""

ROW = re.compile(r"^\| `(\w+)` \| (\d+|-) \| ([^|]+) \| ([^|]+) \|$")


def codes_in_source() -> Iterator[tuple[str, type[errors.ComptoirError], str]]:
    for path in sorted((ROOT / "src" / "comptoir").rglob("*.py")):
        room = path.relative_to(ROOT / "src" / "comptoir").parts
        if room[0] == "simulation" and room[1] != "replay":
            continue  # its faults are seen by nobody but its own tests; a replay's by people
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            kind = CLASSES.get(name) or FACTORIES.get(name)
            first = node.args[0]
            if kind is None or not isinstance(first, ast.Constant):
                continue
            if isinstance(first.value, str):
                yield first.value, kind, f"{path.relative_to(ROOT)}:{node.lineno}"


def documented() -> dict[str, str]:
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    return {m[1]: m[2] for line in text.splitlines() if (m := ROW.match(line))}


def test_every_code_is_documented_with_its_status() -> None:
    known, places = documented(), dict[str, str]()
    statuses: dict[str, set[str]] = {}
    for code, kind, where in codes_in_source():
        status = str(STATUS_OF_CODE.get(code, STATUS[kind]))
        statuses.setdefault(code, {"-"}).add(status)
        places.setdefault(code, where)
    missing = {c: (s, places[c]) for c, s in statuses.items() if known.get(c) not in s}
    assert not missing, f"write these into docs/errors.md: {missing}"


def test_no_documented_code_is_dead() -> None:
    used = {code for code, _, _ in codes_in_source()} | {"internal_error", "invalid_request"}
    assert sorted(set(documented()) - used) == []


def test_codes_are_snake_case() -> None:
    assert [c for c, _, _ in codes_in_source() if not re.fullmatch(r"[a-z]+(_[a-z]+)*", c)] == []
