"""The Python client of the HTTP API: what the command line itself uses.

Invariant: it imports `units` and urllib3 and nothing else, so that a customer installs no
server. Every write carries an idempotency key; every no is one of our errors. Start at
`client.py`; `transport.py` is the wire.
"""

from comptoir.client.client import Client
from comptoir.client.following import Lost, Moved, Said

__all__ = ["Client", "Lost", "Moved", "Said"]
