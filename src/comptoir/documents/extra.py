"""The extra `comptoir[documents]`: libraries that only documents need, found when they are."""

from importlib import import_module
from typing import Any

from comptoir.units.errors import Unavailable


def needed(module: str) -> Any:
    """A module of the extra.

    Raises:
        Unavailable: `documents_not_installed`.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise Unavailable(
            "documents_not_installed",
            f"documents need {module.partition('.')[0]}, which is not installed here",
            "pip install 'comptoir[documents]' where the server runs",
        ) from None
