"""Names and notes that people type: bounded, printable, one line."""

import re

from comptoir.units.errors import Invalid

_SLUG = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")


def check_text(field: str, value: str, shortest: int, longest: int) -> str:
    """`value` itself if it is one printable line of a fitting length.

    Raises:
        Invalid: `bad_text`, naming the field and the bounds.
    """
    strange = next((at for at, letter in enumerate(value, 1) if not letter.isprintable()), None)
    if strange is not None and len(value) <= longest:
        raise Invalid(
            "bad_text",
            f"{field} must be one line of printable characters: its character {strange} is "
            f"{value[strange - 1]!a}",
            "leave it out",
            {"field": field},
        )
    if strange is not None or not shortest <= len(value) <= longest:
        raise Invalid(
            "bad_text",
            f"{field} must be {shortest} to {longest} printable characters, it has {len(value)}",
            "write it within that",
            {"field": field},
        )
    return value


def check_slug(field: str, value: str) -> str:
    """`value` itself if it is lower-case letters, digits and hyphens, 2 to 32 of them.

    Raises:
        Invalid: `bad_slug`.
    """
    if not _SLUG.fullmatch(value):
        raise Invalid(
            "bad_slug",
            f"{field} {value[:40]!r} must be 2 to 32 lower-case letters, digits and hyphens, "
            "starting with a letter",
            'write it like "acme" or "ads-ranking"',
            {"field": field},
        )
    return value


def check_count(field: str, value: int, smallest: int, largest: int) -> int:
    """`value` itself if it lies between the bounds.

    Raises:
        Invalid: `out_of_range`, naming the field and the bounds.
    """
    if not smallest <= value <= largest:
        raise Invalid(
            "out_of_range",
            f"{field} must be {smallest:,} to {largest:,}, not {value:,}",
            "give a number within that",
            {"field": field, "smallest": smallest, "largest": largest},
        )
    return value
