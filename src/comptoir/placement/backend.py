"""The kernel's functions under one roof, so that a pool can run them plain or compiled."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from comptoir.placement import kernel, kernel_cover, kernel_find, kernel_reclaim, kernel_settle
from comptoir.placement.kernel import Ints

MODULES = (kernel, kernel_settle, kernel_find, kernel_cover, kernel_reclaim)
"""Every module of the kernel's source, what is called first first."""


@dataclass(frozen=True, slots=True)
class Backend:
    """What a pool calls. `view` gives the kernel's way to see an array; `seq` a list's."""

    name: str
    view: Callable[[Any], Ints]
    seq: Callable[[list[int]], Ints]
    hold: Callable[..., int]
    free: Callable[..., None]
    rank_lease: Callable[..., None]
    let_pass: Callable[..., None]
    stay: Callable[..., None]
    close_node: Callable[..., None]
    open_node: Callable[..., None]
    settle: Callable[..., None]
    find: Callable[..., int]
    candidates: Callable[..., list[tuple[int, int]]]
    nodes_of_rack: Callable[..., list[tuple[int, int]]]
    gather: Callable[..., int]
    cover: Callable[..., list[int]]


def backend_of(
    name: str,
    view: Callable[[Any], Ints],
    seq: Callable[[list[int]], Ints],
    functions: dict[str, Callable[..., Any]],
) -> Backend:
    """A back end from the kernel's functions by name."""
    needed = tuple(Backend.__dataclass_fields__)[3:]
    return Backend(name, view, seq, **{name: functions[name] for name in needed})


def plain_functions() -> dict[str, Callable[..., Any]]:
    """Every function of the kernel's source, by name."""
    return {
        name: value
        for module in MODULES
        for name, value in vars(module).items()
        if callable(value)
        and getattr(value, "__module__", "") == module.__name__
        and not isinstance(value, type)
    }


def _same(ints: Any) -> Ints:
    return ints  # type: ignore[no-any-return]


PLAIN = backend_of("plain", _same, _same, plain_functions())
"""The source as it stands, over `array`."""
