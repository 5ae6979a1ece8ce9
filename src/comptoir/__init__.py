"""Comptoir: a compute cloud is a book of leases.

`from comptoir import Client` gives the client of the HTTP API. It is loaded on
first use, so that a command which does no work starts quickly.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comptoir.client import Client

__version__ = "0.1.0"
__all__ = ["Client", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "Client":
        from comptoir.client import Client

        return Client
    raise AttributeError(f"module 'comptoir' has no attribute {name!r}")
