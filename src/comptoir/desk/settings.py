"""Settings: what an operator may set for the whole book, with its bounds and its default.

They are kept in the book, so a change is an event like any other and outlives a restart. To
add one: a line in `SETTINGS`, and its row in docs/cli.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from comptoir.units.errors import NotFound


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting and its value."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class SettingKind:
    """What a setting means; the unit is the last word of its name."""

    means: str
    default: int
    smallest: int
    largest: int


SETTINGS: Mapping[str, SettingKind] = {
    "open_ended_percent": SettingKind(
        "At most so much of a pool may be held open-endedly by leases that cannot be taken back; "
        "the rest is kept for windows.",
        100,
        0,
        100,
    ),
    "ending_lead_s": SettingKind(
        "How long before its end the holder of a bounded lease is warned.", 3_600, 0, 30 * 86_400
    ),
    "files_kept_s": SettingKind(
        "How long after a lease's end its files and logs are kept.",
        30 * 86_400,
        3_600,
        10 * 366 * 86_400,
    ),
}


def setting_kind(name: str) -> SettingKind:
    """What a setting means.

    Raises:
        NotFound: `unknown_setting`.
    """
    if name not in SETTINGS:
        raise NotFound(
            "unknown_setting",
            f"there is no setting {name[:60]!r}",
            f"use one of {', '.join(SETTINGS)}",
        )
    return SETTINGS[name]
