"""Files and functions stay small enough to read, and every module says what it holds."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "comptoir"
FILE_LINES = 500
FUNCTION_LINES = 60

# Path, or path:function, and why it may be longer. An entry no longer needed fails.
LONG_BY_DESIGN: dict[str, str] = {}

MODULES = sorted(SOURCE.rglob("*.py"))


def long_things() -> dict[str, int]:
    """Every file and function above its limit, with its lines."""
    found = {}
    for path in MODULES:
        name, text = str(path.relative_to(SOURCE)), path.read_text()
        lines = len(text.splitlines())
        if lines > FILE_LINES:
            found[name] = lines
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION_LINES:
                    found[f"{name}:{node.name}"] = lines
    return found


def test_files_and_functions_stay_small() -> None:
    too_long = {name: n for name, n in long_things().items() if name not in LONG_BY_DESIGN}
    assert too_long == {}, "split it, or list it in LONG_BY_DESIGN with the reason"


def test_exceptions_are_still_needed() -> None:
    assert set(LONG_BY_DESIGN) - set(long_things()) == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_module_says_what_it_holds(path: Path) -> None:
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text)), "write its header"
