"""The pure core reads no clock, draws no random number, and counts money in integers.

import-linter keeps the modules out; this finds what comes in by an allowed door, such as
`datetime.now`, and floating point where money and usage are counted.
"""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "comptoir"
CORE = (
    *("units", "fleet", "tenants", "ledger", "leases", "metering", "placement", "pricing"),
    *("sales", "billing", "planning"),
)
EXACT = ("ledger", "pricing", "sales", "billing", "metering", "leases")
IMPURE_CALLS = {
    *("now", "utcnow", "today", "fromtimestamp"),  # of datetime and date
    *("open", "input", "print", "exec", "eval", "__import__"),
}
# `datetime.fromtimestamp(instant, tz=UTC)` formats a given instant; without tz it asks the OS.
NEEDS_ZONE = "fromtimestamp"


def modules_of(*rooms: str) -> list[Path]:
    return [path for room in rooms for path in sorted((SOURCE / room).rglob("*.py"))]


MAKES_CODE = {"units/values.py": ["exec"]}
"""`exec` writes an `__init__` there, as the standard library's dataclasses do."""


def called_name(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def impure_calls(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or called_name(node) not in IMPURE_CALLS:
            continue
        has_zone = len(node.args) > 1 or any(word.arg == "tz" for word in node.keywords)
        if called_name(node) != NEEDS_ZONE or not has_zone:
            found.append(f"line {node.lineno}: {called_name(node)}()")
    return found


def floats(tree: ast.AST) -> list[str]:
    """Float literals, `float(...)` and true division, each with its line."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            found.append(f"line {node.lineno}: {node.value}")
        elif isinstance(node, ast.Call) and called_name(node) == "float":
            found.append(f"line {node.lineno}: float()")
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            found.append(f"line {node.lineno}: a true division")
    return found


def named(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", modules_of(*CORE), ids=named)
def test_core_reads_no_clock_and_no_world(path: Path) -> None:
    found = [call.split(": ")[1][:-2] for call in impure_calls(ast.parse(path.read_text()))]
    assert found == MAKES_CODE.get(named(path), [])


@pytest.mark.parametrize(
    "path", [*modules_of(*EXACT), SOURCE / "units/money.py", SOURCE / "units/time.py"], ids=named
)
def test_money_and_usage_are_integers(path: Path) -> None:
    assert floats(ast.parse(path.read_text())) == []


def test_the_search_finds_what_it_looks_for() -> None:
    assert len(impure_calls(ast.parse("datetime.now(UTC)\nd.fromtimestamp(3)\nopen('x')"))) == 3
    assert impure_calls(ast.parse("datetime.fromtimestamp(3, tz=UTC)")) == []
    assert len(floats(ast.parse("a = 1.5 + float(b) + c / d\ne /= 2"))) == 4
    assert floats(ast.parse("a = 3 // 2")) == []
