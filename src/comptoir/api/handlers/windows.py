"""Offers, holds, series, accelerators given back, and the settings of the book."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Query, Response

from comptoir.api.door import Ask, said
from comptoir.api.handlers.leases import coming_of, wanted
from comptoir.api.shapes import windows as shapes
from comptoir.api.shapes.common import MOST_INT, InstantIn, Residency
from comptoir.api.words import Id, Word
from comptoir.desk import requests
from comptoir.desk.operations.offers import Offers
from comptoir.desk.settings import SETTINGS, Setting
from comptoir.leases.lease import Alternative, LeaseClass, Shape
from comptoir.units.errors import Invalid
from comptoir.units.ids import LeaseId, NodeId, SeriesId, TenantId

Kind = Annotated[str, Query(min_length=1, max_length=200, examples=["cpu-core"])]
Count = Annotated[int, Query(ge=1, le=MOST_INT)]
Classes = Annotated[list[LeaseClass], Query(max_length=4, description="Repeat for several.")]
Ways = Annotated[
    list[str],
    Query(max_length=8, description="Other ways, in order: mi300x:512 or mi300x:512:pod."),
]


async def list_offers(
    ask: Ask,
    kind: Kind,
    accelerators: Count,
    duration_s: Count,
    lease_class: Classes = [],  # noqa: B006  (FastAPI copies it)
    shape: Shape = Shape.SITE,
    preferred_shape: Shape | None = None,
    alternative: Ways = [],  # noqa: B006
    starts_at: InstantIn | None = None,
    latest_start: InstantIn | None = None,
    tenant: Word = None,
    residency: Residency = "",
    explain: bool = False,
) -> Response:
    """When, where and at what price capacity could be had: a look, nothing is promised."""
    given: Any = (starts_at, latest_start)
    wanted_ = requests.RequestLease(
        kind=kind,
        accelerators=accelerators,
        lease_class=LeaseClass.SPOT,
        shape=shape,
        starts_at_ms=given[0],
        tenant_id=None if tenant is None else TenantId(tenant),
        residency=residency,
        latest_start_ms=given[1],
        duration_s=duration_s,
        preferred_shape=preferred_shape,
        alternatives=tuple(map(_way, alternative)),
    )
    request = requests.AskOffers(wanted_, tuple(lease_class), explain)
    found: Offers = await ask.value("list_offers", request)
    return said(
        {
            "offers": [ask.encode(offer) for offer in found.offers],
            "not_offered": [ask.encode(no) for no in found.not_offered],
            "sooner": [
                {**ask.encode(item), "coming": coming_of(ask, item.coming)} for item in found.sooner
            ],
        }
    )


async def hold_capacity(ask: Ask, body: shapes.HoldBody) -> Response:
    """Keep accelerators for a window until you say yes, or the hold's time is over."""
    request = requests.Hold(wanted(body), body.hold_s, body.firm)
    return await ask.do("hold_capacity", request, status=201)


async def confirm_hold(ask: Ask, lease: Id) -> Response:
    """Say yes: the held window is yours. A second time changes nothing."""
    return await ask.do("confirm_hold", requests.LeaseRef(LeaseId(lease)))


async def release_hold(ask: Ask, lease: Id) -> Response:
    """Let a hold go before its time. A second time changes nothing."""
    return await ask.do("release_hold", requests.LeaseRef(LeaseId(lease)))


async def request_series(ask: Ask, body: shapes.SeriesBody) -> Response:
    """Request a lease in every window of a recurrence: all are promised, or none."""
    given: Any = body
    request = requests.RequestSeries(given.every, given.until, wanted(body))
    return await ask.do("request_series", request, _series(ask.encode), 201)


async def cancel_series(ask: Ask, series: Id) -> Response:
    """Withdraw every occurrence that has not started; the answer lists those."""
    request = requests.SeriesRef(SeriesId(series))
    return await ask.do("cancel_series", request, _series(ask.encode))


async def shrink_lease(ask: Ask, lease: Id, body: shapes.ShrinkBody) -> Response:
    """Give accelerators back early: down to a number, or the nodes that are named."""
    nodes = tuple(NodeId(node) for node in body.nodes)
    request = requests.ShrinkLease(LeaseId(lease), body.accelerators, nodes)
    return await ask.do("shrink_lease", request)


async def list_settings(ask: Ask) -> Response:
    """What an operator may set for the whole book, with what is set."""
    book = ask.door.desk.book
    items = [_setting(Setting(name, book.setting(name))) for name in SETTINGS]
    return said({"items": items, "next_cursor": None})


async def set_setting(ask: Ask, setting: Id, body: shapes.SettingBody) -> Response:
    """Give a setting its value from now on."""
    given: Any = body
    return await ask.do("set_setting", requests.SetSetting(setting, given.value), _setting)


def _way(text: str) -> Alternative:
    """Another way, as a query says it: KIND:COUNT or KIND:COUNT:SHAPE.

    Raises:
        Invalid: `bad_alternative`.
    """
    kind, _, rest = text.partition(":")
    count, _, shape = rest.partition(":")
    known = not shape or shape in Shape.__members__.values()
    if not kind or not (count.isascii() and count.isdecimal()) or len(count) > 9 or not known:
        raise Invalid(
            "bad_alternative",
            f"{text[:60]!r} is not another way to have it",
            "write it as mi300x:512 or mi300x:512:pod",
        )
    return Alternative(kind, int(count), Shape(shape) if shape else Shape.SITE)


def _series(encode: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    return lambda made: {"series": made.series, "leases": [encode(x) for x in made.leases]}


def _setting(setting: Setting) -> dict[str, Any]:
    kind = SETTINGS[setting.name]
    return {
        "name": setting.name,
        "value": setting.value,
        "default": kind.default,
        "smallest": kind.smallest,
        "largest": kind.largest,
        "means": kind.means,
    }
