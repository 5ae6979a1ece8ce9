"""Exit codes: the one table that maps errors to them. docs/cli.md repeats it, and a test looks."""

from comptoir.units.errors import (
    ComptoirError,
    Conflict,
    Forbidden,
    Invalid,
    InvariantBroken,
    NotFound,
    Refused,
    Unauthenticated,
    Unavailable,
)

OK = 0
FAILED = 1
USAGE = 2
OWN_FAILURE = 125
INTERRUPTED = 130

EXIT_CODES: dict[type[Exception], tuple[int, str]] = {
    Invalid: (2, "invalid"),
    Unauthenticated: (3, "not logged in"),
    Forbidden: (4, "forbidden"),
    NotFound: (5, "not found"),
    Conflict: (6, "conflict"),
    Refused: (7, "refused"),
    Unavailable: (8, "unavailable"),
    InvariantBroken: (1, "broken"),
}
"""Error class to exit code, and the word a person reads first."""


def exit_code_of(error: ComptoirError | InvariantBroken) -> int:
    """What the process ends with."""
    return EXIT_CODES[type(error)][0]


def word_of(error: ComptoirError | InvariantBroken) -> str:
    """The first word of the report."""
    return EXIT_CODES[type(error)][1]
