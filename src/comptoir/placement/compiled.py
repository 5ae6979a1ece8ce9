"""One source, two back ends: a kernel runs as it is written, or compiled by Numba.

A kernel is a module-level function in a plain subset of Python over flat integer tables.
With the extra `comptoir[fast]` it is compiled on its first use and kept in Python's own
cache; without it the same function is called as it stands. Tests hold both to one answer.
"""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


@cache
def can_compile() -> bool:
    """Whether the extra `comptoir[fast]` is installed here."""
    return find_spec("numba") is not None


def compiled(kernel: F) -> F:
    """The compiled form of a kernel, or the kernel itself where nothing compiles it."""
    if not can_compile():
        return kernel
    from numba import njit

    return cast(F, njit(cache=True, nogil=True)(kernel))
