"""The way to the server's rooms, for those who installed them."""

from importlib import import_module
from types import ModuleType

from comptoir.units.errors import Unavailable

EXTRAS = ("sqlalchemy", "alembic", "fastapi", "pydantic", "uvicorn", "httptools")


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
