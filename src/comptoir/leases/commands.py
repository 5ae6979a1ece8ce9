"""What may be a command and an environment: of a job, and of a runtime that jobs name."""

from collections.abc import Sequence

from comptoir.units.errors import Invalid

MOST_COMMAND_BYTES = 65_536
MOST_ENVIRONMENT_BYTES = 65_536


def check_command(command: Sequence[str]) -> None:
    """Let a program with its arguments pass.

    Raises:
        Invalid: `bad_command`: empty, too long, not text, or with a NUL byte.
    """
    try:
        size = sum(len(word.encode()) + 1 for word in command)
    except UnicodeEncodeError as error:
        raise Invalid("bad_command", f"not text: {error.reason}", "send it as UTF-8") from error
    if not command or not command[0] or size > MOST_COMMAND_BYTES:
        raise Invalid(
            "bad_command",
            f"a command is 1 to {MOST_COMMAND_BYTES:,} bytes, this one has {size:,}",
            "give the program and its arguments",
        )
    if any("\0" in word for word in command):
        raise Invalid("bad_command", "a command cannot hold a NUL byte")


def check_environment(pairs: Sequence[tuple[str, str]]) -> None:
    """Let distinct `NAME=value` pairs pass.

    Raises:
        Invalid: `bad_environment`: a name twice, empty or with `=`, a NUL byte, not text, too long.
    """
    try:
        size = sum(len(name.encode()) + len(value.encode()) + 2 for name, value in pairs)
    except UnicodeEncodeError as error:
        raise Invalid("bad_environment", f"not text: {error.reason}", "send it as UTF-8") from error
    names = [name for name, _ in pairs]
    wrong = any(not name or "=" in name or "\0" in name + value for name, value in pairs)
    if wrong or len(set(names)) != len(names) or size > MOST_ENVIRONMENT_BYTES:
        raise Invalid(
            "bad_environment",
            f"an environment is distinct NAME=value pairs of at most "
            f"{MOST_ENVIRONMENT_BYTES:,} bytes in all, this one has {size:,}",
            "correct it; no name may be empty, and nothing may hold a NUL byte",
        )
