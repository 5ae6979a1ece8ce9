"""What an operation is: a name, the permission it needs, and the function that changes the book."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from comptoir.desk.transaction import Transaction
from comptoir.tenants.permissions import Permission


@dataclass(frozen=True, slots=True)
class Operation:
    """A change to the book and the permission that it needs."""

    name: str
    permission: Permission
    run: Callable[[Transaction, Any], Any]
