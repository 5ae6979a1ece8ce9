"""Holds, series, accelerators given back, and the settings of the book."""

from collections.abc import Callable
from typing import Any

from fastapi import Response

from comptoir.api.door import Ask, said
from comptoir.api.handlers.leases import wanted
from comptoir.api.shapes import windows as shapes
from comptoir.api.words import Id
from comptoir.desk import requests
from comptoir.desk.settings import SETTINGS, Setting
from comptoir.units.ids import LeaseId, NodeId, SeriesId


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
