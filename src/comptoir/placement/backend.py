"""The kernel's functions under one roof, plain or compiled: one source, two back ends.

Plain, the source runs as it stands over `array`. Compiled, Numba (the extra `comptoir[fast]`)
sees the same functions and, through numpy, the same memory; every function is compiled in
one namespace, and its name there ends in a digest of the whole source, so that what is kept in
Python's cache of one file never meets a changed function of another.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from comptoir.placement import (
    kernel,
    kernel_cover,
    kernel_find,
    kernel_gang,
    kernel_reclaim,
    kernel_replay,
    kernel_settle,
)
from comptoir.placement.kernel import Ints

MODULES = (
    kernel,
    kernel_settle,
    kernel_gang,
    kernel_find,
    kernel_cover,
    kernel_reclaim,
    kernel_replay,
)
"""Every module of the kernel's source."""

Functions = dict[str, Callable[..., Any]]

_NOT_FUNCTIONS = 3
"""Of the fields of a back end, so many come before the kernel's functions."""


@dataclass(frozen=True, slots=True)
class Backend:
    """What a pool calls. `view` is how the kernel sees an array, `listed` how it sees a list."""

    name: str
    view: Callable[[Any], Ints]
    listed: Callable[[list[int]], Ints]
    hold: Callable[..., int]
    free: Callable[..., None]
    rank_lease: Callable[..., None]
    let_pass: Callable[..., None]
    stay: Callable[..., None]
    close_node: Callable[..., None]
    open_node: Callable[..., None]
    settle: Callable[..., None]
    find: Callable[..., int]
    promising_pods: Callable[..., list[tuple[int, int]]]
    promising_places: Callable[..., list[tuple[int, int]]]
    nodes_of_rack: Callable[..., list[tuple[int, int]]]
    youngest_racks: Callable[..., list[int]]
    weak_leases: Callable[..., list[int]]
    gathered: Callable[..., tuple[int, list[int]]]
    cover: Callable[..., list[int]]
    step: Callable[..., int]
    run: Callable[..., int]


REPLAYED = ("step", "run")
"""What only benches and replays call."""


def desk_functions(backend: Backend) -> list[Callable[..., Any]]:
    """What the desk's pools call of a back end."""
    names = [field.name for field in fields(Backend)][_NOT_FUNCTIONS:]
    return [getattr(backend, name) for name in names if name not in REPLAYED]


def source() -> dict[str, FunctionType]:
    """Every function of the kernel, by name."""
    return {
        name: value
        for module in MODULES
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    }


def digest(functions: dict[str, FunctionType]) -> str:
    """A name for exactly this source."""
    seen = hashlib.sha256()

    def take(code: CodeType) -> None:
        seen.update(code.co_code + repr((code.co_names, code.co_varnames)).encode())
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                take(constant)
            else:
                seen.update(repr(constant).encode())

    for name, function in sorted(functions.items()):
        seen.update(f"{name}{options_for(function, functions)}".encode())
        take(function.__code__)
    for name, value in sorted(_constants().items()):
        seen.update(f"{name}={value}".encode())
    return seen.hexdigest()[:12]


def options_for(function: FunctionType, functions: dict[str, FunctionType]) -> dict[str, Any]:
    """How Numba compiles a function.

    Without a check for division by zero, which no function here can meet. And without counting
    references to the tables, unless the function keeps lists: counting them at every
    call took ten times as long as the work (`docs/decisions/0007`).
    """
    counts = keeps_lists(function, functions)
    return {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": counts}


def keeps_lists(function: FunctionType, functions: dict[str, FunctionType]) -> bool:
    """Whether a function makes a list, or is handed one."""
    code, words = function.__code__, str([*function.__annotations__.values()])
    made = any(isinstance(constant, CodeType) for constant in code.co_consts)
    given = any(
        "list" in str(functions[name].__annotations__["return"])
        for name in code.co_names
        if name in functions
    )
    return made or given or "list" in words


def _constants() -> dict[str, Any]:
    return {
        name: value
        for module in MODULES
        for name, value in vars(module).items()
        if isinstance(value, int | tuple)
    }


def _backend(
    name: str,
    view: Callable[[Any], Ints],
    listed: Callable[[list[int]], Ints],
    functions: Functions,
) -> Backend:
    needed = [field.name for field in fields(Backend)][_NOT_FUNCTIONS:]
    return Backend(name, view, listed, **{name: functions[name] for name in needed})


def _same(ints: Any) -> Ints:
    return ints  # type: ignore[no-any-return]


PLAIN = _backend("plain", _same, _same, dict(source()))
"""The source as it stands, over `array`."""


@cache
def compiled() -> Backend:
    """The source compiled by Numba, over the same memory.

    The first call after a change of the source compiles it, function by function as they are
    called: some twenty seconds in all, a third of a second once they are cached.

    Raises:
        ImportError: the extra `comptoir[fast]` is not installed.
    """
    from numba import njit

    functions = source()
    mark = digest(functions)
    namespace: dict[str, Any] = {**_constants(), "__name__": "comptoir.placement.kernel"}
    for name, function in functions.items():
        twin = FunctionType(function.__code__, namespace, name, function.__defaults__)
        twin.__qualname__ = f"{name}_{mark}"
        namespace[name] = njit(**options_for(function, functions))(twin)

    def view(memory: Any) -> Ints:
        seen: Any = np.frombuffer(memory, memory.typecode) if memory else _EMPTY[memory.typecode]
        return seen  # type: ignore[no-any-return]

    def listed(ints: list[int]) -> Ints:
        copied: Any = np.array(ints, np.int64)
        return copied  # type: ignore[no-any-return]

    return _backend("compiled", view, listed, namespace)


_EMPTY = {code: np.zeros(0, code) for code in "iq"}
