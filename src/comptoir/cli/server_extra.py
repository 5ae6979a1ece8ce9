"""The way to the server's rooms, for those who installed them."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from comptoir.units.errors import Unavailable

EXTRAS = ("sqlalchemy", "alembic", "fastapi", "pydantic", "uvicorn", "httptools")


def missing_extras() -> list[str]:
    """The server's packages that are not installed here."""
    return [extra for extra in EXTRAS if not _there(extra)]


def server_room(name: str) -> ModuleType:
    """A module of the server.

    Raises:
        Unavailable: `server_not_installed`: this is a customer's installation.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing == "comptoir":
            missing = next(iter(missing_extras()), "")
        if not missing:
            raise Unavailable(
                "not_here_yet",
                f"this version of Comptoir has no {error.name}",
                "see docs/limits.md",
            ) from None
        raise Unavailable(
            "server_not_installed",
            f"this needs the server, and {missing} is not installed",
            "pip install 'comptoir[server]'",
            {"missing": missing},
        ) from None


def _there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
