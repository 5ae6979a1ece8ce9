"""Every way Comptoir says no, and the one way it says it is broken.

The hierarchy, drawn before it was written:

    ComptoirError
      Invalid           the request cannot be understood or makes no sense
      Unauthenticated   no key, or not one of ours
      Forbidden         known, but not allowed
      NotFound          no such thing, or not yours to see
      Conflict          makes sense, but not in the present state
      Refused           a decision: quota, capacity, price; reasons in order
      Unavailable       cannot now; try again (queue full, disk full, engine down)
    InvariantBroken     a bug: Comptoir stops rather than guess

Each carries a stable `code`, a `message` with the numbers, and what to do
`next`. The HTTP door and the command line map the class once each.
"""

from collections.abc import Mapping
from typing import Any, NoReturn


class ComptoirError(Exception):
    """A no that a caller can act on.

    Args:
        code: Stable, snake_case; documented in docs/errors.md.
        message: What happened, with the numbers.
        next: What the caller can do about it, one sentence; may be empty.
        facts: The numbers again, for machines (JSON-safe values).
    """

    def __init__(
        self, code: str, message: str, next: str = "", facts: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.next = next
        self.facts: dict[str, Any] = dict(facts or {})


class Invalid(ComptoirError):
    """The request cannot be understood, or could never make sense."""


class Unauthenticated(ComptoirError):
    """No key, an unknown key, or one that has expired or been revoked."""


class Forbidden(ComptoirError):
    """The actor is known, and its roles do not allow this."""


class NotFound(ComptoirError):
    """No such thing, or it belongs to another tenant: the two look the same."""


class Conflict(ComptoirError):
    """The request makes sense, but not in the present state."""


class Refused(ComptoirError):
    """A decision went against the request: quota, capacity, suspension, price."""


class Unavailable(ComptoirError):
    """Not now; the same request may succeed after `retry_after_s` seconds."""

    def __init__(
        self,
        code: str,
        message: str,
        next: str = "",
        facts: Mapping[str, Any] | None = None,
        retry_after_s: int = 1,
    ) -> None:
        super().__init__(code, message, next, facts)
        self.retry_after_s = retry_after_s


class InvariantBroken(Exception):
    """Comptoir found itself in a state that must not exist."""


def invariant(condition: bool, message: str) -> None:
    """Stop if `condition` does not hold. Stays on in production.

    Raises:
        InvariantBroken: with `message`.
    """
    if not condition:
        broken(message)


def broken(message: str) -> NoReturn:
    """Stop: an invariant does not hold. For busy paths, where its words cost more than the rule.

    Raises:
        InvariantBroken: with `message`.
    """
    raise InvariantBroken(message)
