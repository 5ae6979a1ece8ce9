"""The Python client of the HTTP API: what the command line itself uses.

Invariant: it imports `units` and urllib3 and nothing else, so that a customer installs no
server. Every write carries an idempotency key; every no is one of our errors. Start at
`client.py`; `transport.py` is the wire.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comptoir.client.client import Client
    from comptoir.client.following import Cut, Lost, Moved, Place, Said

__all__ = ["Client", "Cut", "Lost", "Moved", "Place", "Said"]
_WHERE = {"Client": "client"}


def __getattr__(name: str) -> Any:
    """Load on first use: the command line reads `records` without the wire behind it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE.get(name, 'following')}"), name)
