"""What a route is: one method of one path, for whom, and what it answers.

The tables of them are `routes.py` and `money_routes.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from comptoir.api.door import PUBLIC
from comptoir.tenants.permissions import Permission


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. `answer` None: bytes, not JSON. `busy`: by the fast door too."""

    method: str
    path: str
    handler: Callable[..., Any]
    permission: Permission | None
    answer: type[BaseModel] | None
    status: int = 200
    busy: bool = False
    most_bytes: int | None = None
    """How large a body may be; None: as large as any."""

    @property
    def declared(self) -> str:
        """The permission as the OpenAPI says it."""
        return PUBLIC if self.permission is None else str(self.permission)
