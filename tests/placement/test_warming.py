"""Warm kernels: held to the plain ones first, and then nothing is compiled while somebody waits."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.placement import calendar
from comptoir.placement.backend import PLAIN, Backend, compiled, desk_functions
from comptoir.placement.calendar import fastest_search
from comptoir.placement.kernel import add_holding
from comptoir.placement.runs import first_run_in_chunks
from comptoir.placement.warming import prove, warmed
from comptoir.units.errors import InvariantBroken
from tests.placement.test_plans import lived, nodes, steps


def compiled_forms(backend: Backend) -> dict[str, int]:
    """For how many types of arguments each function is compiled."""
    functions: list[Any] = desk_functions(backend)
    return {function.py_func.__name__: len(function.signatures) for function in functions}


def test_warm_kernels_are_compiled_for_one_kind_of_arguments_each() -> None:
    """In a process of its own: other tests call the same functions with other tables."""
    asked = (
        "from tests.placement.test_warming import compiled_forms; "
        "from comptoir.placement.warming import warmed; "
        "print(sorted(set(compiled_forms(warmed()).values())))"
    )
    said = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, timeout=300
    )
    assert said.stdout == "[1]\n", said.stderr[-2_000:]


@settings(max_examples=40, deadline=None)
@given(st.lists(nodes, min_size=1, max_size=8), st.lists(steps, max_size=25))
def test_what_is_warm_is_never_compiled_again(
    made: list[tuple[Any, ...]], history: list[tuple[str, Any]]
) -> None:
    backend = warmed()
    before = compiled_forms(backend)
    lived(made, history, backend)
    assert compiled_forms(backend) == before


@settings(max_examples=40, deadline=None)
@given(st.lists(nodes, min_size=1, max_size=8), st.lists(steps, max_size=25), st.integers(0, 25))
def test_a_book_may_change_its_back_end_at_any_moment(
    made: list[tuple[Any, ...]], history: list[tuple[str, Any]], at: int
) -> None:
    plain, changing = lived(made, history), lived(made, history[:at])
    changing.snapshot.use(compiled())
    for what, given_ in history[at:]:
        getattr(changing, what)(given_)
    assert changing.allocations == plain.allocations
    assert changing.snapshot.contents() == plain.snapshot.contents()
    changing.snapshot.use(PLAIN)
    changing.add_node("h100-sxm", 8, None)
    plain.add_node("h100-sxm", 8, None)
    assert changing.snapshot.contents() == plain.snapshot.contents()


@pytest.mark.parametrize("name", [function.__name__ for function in desk_functions(PLAIN)])
def test_kernels_that_answer_otherwise_are_not_taken(name: str) -> None:
    """Leave out what any one of them does: that is noticed."""

    def idle(*arguments: Any) -> Any:
        if name == "hold":  # half of it: a row, and no count
            return add_holding(*arguments[:3], *arguments[4:7])
        return {"gathered": (0, []), "find": 0}.get(name, [])

    with pytest.raises(InvariantBroken, match="answer"):
        prove(replace(PLAIN, **{name: idle}))


def test_a_calendar_is_searched_plainly_where_compiled_code_can_be_kept_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nowhere(_: Any) -> Any:
        raise RuntimeError("no locator available")

    monkeypatch.setattr(calendar, "compiled", nowhere)
    fastest_search.cache_clear()
    assert fastest_search() is first_run_in_chunks
    monkeypatch.undo()
    fastest_search.cache_clear()
    assert fastest_search() is not first_run_in_chunks
