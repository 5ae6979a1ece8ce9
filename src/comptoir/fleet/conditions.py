"""Conditions of supply: who may be sold a part of an inbound lease, when, and where it is.

The words are judged here; whether a request meets them is `leases/eligible.py`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from comptoir.units.countries import check_country
from comptoir.units.errors import Invalid
from comptoir.units.recurrence import Recurrence
from comptoir.units.text import check_slug

MOST_SELLING_WINDOWS = 32


class SoldTo(StrEnum):
    """`internal`: capacity that no customer may stand on, such as a partner's forbids."""

    EVERYBODY = "everybody"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What an inbound lease asks of whoever stands on it.

    Args:
        sold_to: Everybody, or internal teams only.
        selling_windows: When it may be sold; empty is always. Internal teams use it at
            any time: a window bounds what is sold, not what is used.
        grant: Only tenants that hold this grant, teams too; empty is everybody.
        residency: Where its data stays: a country ("FR"), one of its parts ("US-VA"), or a
            region; empty is not stated, and meets no requirement.
    """

    sold_to: SoldTo = SoldTo.EVERYBODY
    selling_windows: tuple[Recurrence, ...] = ()
    grant: str = ""
    residency: str = ""


OPEN = Conditions()
"""No condition at all, as most supply has."""

# Source: the member states in 2026 (Treaty on European Union; EEA Agreement).
_EU = frozenset(
    (
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"),
        *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
    )
)
REGIONS: dict[str, frozenset[str]] = {
    "EU": _EU,
    "EEA": _EU | {"IS", "LI", "NO", "EU"},
}
_RESIDENCY = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")


def check_residency(field: str, code: str) -> str:
    """`code` itself if it is empty, a country, a part of one, or a region of `REGIONS`.

    Raises:
        Invalid: `bad_residency`, `unknown_country`.
    """
    if not code or code in REGIONS:
        return code
    if not _RESIDENCY.fullmatch(code):
        raise Invalid(
            "bad_residency",
            f"{field} {code[:20]!r} is not a country, a part of one, or {' or '.join(REGIONS)}",
            'write it as in ISO 3166: "FR", "US-VA"',
            {"field": field},
        )
    check_country(field, code[:2])
    return code


def check_grant(field: str, name: str) -> str:
    """`name` itself if it is empty or reads like "nsf-2026".

    Raises:
        Invalid: `bad_slug`.
    """
    return check_slug(field, name) if name else name


def stays_in(supplied: str, required: str) -> bool:
    """Whether what is supplied in one place stays within another: "US-VA" stays in "US"."""
    if supplied == required or supplied.startswith(f"{required}-"):
        return True
    country = supplied.partition("-")[0]
    return country in REGIONS.get(required, ())
