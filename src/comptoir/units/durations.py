"""Durations as people write them, in whole seconds: `90s`, `1h30m`, `2d`."""

import re

from comptoir.units.errors import Invalid

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = re.compile(r"([0-9]{1,9})([smhdw])")


def parse_duration_s(text: str) -> int:
    """Seconds from `48h`, `90m`, `1h30m`, `2d`, or a bare number of seconds.

    Raises:
        Invalid: `bad_duration`.
    """
    parts = _PART.findall(text)
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise Invalid(
            "bad_duration", f"{text!r} is not a duration", "write it as 48h, 90m, 1h30m or 2d"
        )
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def format_duration_s(seconds: int) -> str:
    """Seconds in the largest unit that says them exactly, as `parse_duration_s` reads them."""
    unit = next(unit for unit, size in _SECONDS.items() if (seconds % size == 0 and seconds >= size)
                or unit == "s")  # fmt: skip
    return f"{seconds // _SECONDS[unit]}{unit}"
