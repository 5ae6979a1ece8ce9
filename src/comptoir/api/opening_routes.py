"""The routes of moving in: openings."""

from comptoir.api.handlers import openings
from comptoir.api.route import Route
from comptoir.api.shapes import openings as shapes
from comptoir.api.shapes.common import ListOf
from comptoir.tenants.permissions import Permission

_O = shapes
_ALL, _ONE = "/v1/openings", "/v1/openings/{opening}"
_WRITE, _APPROVE, _READ = (
    Permission.OPENINGS_WRITE,
    Permission.OPENINGS_APPROVE,
    Permission.READ_HOUSE,
)
MOST_BYTES = 16 << 20
"""An opening with tens of thousands of invoices is sent as one body."""

OPENING_ROUTES: tuple[Route, ...] = (
    Route(
        "POST", _ALL, openings.propose_opening, _WRITE, _O.OpeningProposed, 201,
        most_bytes=MOST_BYTES,
    ),
    Route("GET", _ALL, openings.list_openings, _READ, ListOf[_O.Opening]),
    Route("GET", _ONE, openings.get_opening, _READ, _O.Opening),
    Route("GET", f"{_ONE}/items", openings.list_brought_items, _READ, ListOf[_O.BroughtItem]),
    Route("POST", f"{_ONE}/approve", openings.approve_opening, _APPROVE, _O.Opening),
    Route("POST", f"{_ONE}/withdraw", openings.withdraw_opening, _WRITE, _O.Opening),
)  # fmt: skip
