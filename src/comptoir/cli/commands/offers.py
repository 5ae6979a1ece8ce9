"""`offers` and `hold`: what could be had and at what price, and a window kept for a while.

The last list of offers is kept beside the profiles, so that `hold 1` means its first line.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from comptoir.cli.commands.leases import SHAPES, show_lease, what
from comptoir.cli.commands.rates import CLASSES
from comptoir.cli.formats import Duration, Instant, Way, counted, duration, money
from comptoir.cli.lazy import Session, leaf
from comptoir.cli.session import note
from comptoir.client.window_records import NotSooner, Offer, Offers
from comptoir.units.errors import Invalid, NotFound

_MOST_COMING = 3
_SOON_S = 5


@leaf(
    "offers",
    "comptoir offers --kind h100-sxm --accelerators 1024 --hours 48",
    "comptoir offers --kind h100-sxm --accelerators 512 --hours 12 --prefer pod --explain",
)
@click.option("--kind", required=True, help="See `comptoir fleet kinds`.")
@click.option("--accelerators", type=click.IntRange(1), required=True, help="How many.")
@click.option("--hours", type=click.IntRange(1), help="For how long.")
@click.option("--for", "length_s", type=Duration(), help="How long, instead of --hours: 90m, 2d.")
@click.option(
    "--class", "lease_classes", type=CLASSES, multiple=True, help="Only this; repeatable."
)
@click.option("--shape", type=SHAPES, help="All in one of these; a site if not said.")
@click.option("--prefer", "preferred_shape", type=SHAPES, help="Look in this narrower shape too.")
@click.option(
    "--or",
    "alternatives",
    type=Way(),
    multiple=True,
    metavar="KIND:COUNT[:SHAPE]",
    help="Another way to have it; repeatable.",
)
@click.option("--starts", "starts_at", type=Instant(), help="Not before then; now if not said.")
@click.option("--latest-start", type=Instant(), help="Not after then; 90 days ahead if not said.")
@click.option("--tenant", metavar="TENANT", help="For house users: for whom.")
@click.option("--residency", metavar="CODE", help="Where its data must stay: FR, US-VA, EU.")
@click.option("--explain", is_flag=True, help="Say what is missing for an earlier start.")
def offers(
    cli: Session,
    kind: str,
    accelerators: int,
    hours: int | None,
    length_s: int | None,
    alternatives: tuple[dict[str, Any], ...],
    explain: bool,
    **words: Any,
) -> None:
    """List the next feasible starts, with place, class and price; nothing is promised."""
    if (hours is None) == (length_s is None):
        raise click.UsageError("give --hours or --for: for how long")
    duration_s = length_s if hours is None else hours * 3_600
    assert duration_s is not None
    ways = [":".join(str(part) for part in way.values()) for way in alternatives]
    found = cli.client.offers.list(
        kind, accelerators, duration_s, alternatives=ways, explain=explain, **words
    )
    _remember(cli, found, words["tenant"], words["residency"])
    if cli.json:
        cli.record(found, "")
        return
    _show(cli, found)
    if explain:
        for item in found["sooner"]:
            cli.record(item, *_not_sooner(cli, item))
    if found["offers"]:
        note("hold one:  comptoir hold 1 --for 2h" + _ask_why(explain))


@leaf(
    "hold",
    "comptoir hold 1 --for 2h",
    "comptoir hold --kind h100-sxm --accelerators 512 --class reserved --starts +2d --hours 24 "
    "--for 2h --firm",
)
@click.argument("number", metavar="[N]", type=click.IntRange(1), required=False)
@click.option("--for", "hold_s", type=Duration(), required=True, help="Keep it for so long: 2h.")
@click.option("--firm", is_flag=True, help="Keep others away; a soft hold gives way to them.")
@click.option("--kind", help="Instead of N: the words of an offer.")
@click.option("--accelerators", type=click.IntRange(1), help="How many.")
@click.option("--class", "lease_class", type=CLASSES, help="In which class.")
@click.option("--shape", type=SHAPES, help="All in one of these.")
@click.option("--starts", "starts_at", type=Instant(), help="From when on; now if not said.")
@click.option("--hours", type=click.IntRange(1), help="How long the window is.")
@click.option("--name", help="For people.")
@click.option("--tenant", metavar="TENANT", help="For house users: for whom.")
def hold(
    cli: Session, number: int | None, hold_s: int, firm: bool, hours: int | None, **words: Any
) -> None:
    """Keep a window: line N of the last offers, or what the words say."""
    wanted = {name: value for name, value in words.items() if value is not None}
    if number is not None:
        _refuse_other_words({**wanted, "hours": hours})
        wanted = {**_remembered(cli, number), **wanted}
    elif not {"kind", "accelerators", "lease_class"} <= wanted.keys() or hours is None:
        raise click.UsageError(
            "give N, a line of the last offers, or --kind, --accelerators, --class and --hours"
        )
    if hours is not None:
        wanted = {**wanted, "duration_s": hours * 3_600}
        wanted.pop("ends_at", None)
    made = cli.client.holds.make(wanted, hold_s, firm=firm)
    show_lease(cli, made, f"{made['id']}  {what(made)}   {made['state']}")


def _refuse_other_words(words: Mapping[str, Any]) -> None:
    """A line of the offers is a whole window: it is held as it is."""
    flags = ("kind", "accelerators", "lease_class", "shape", "starts_at", "hours")
    given = [name for name in flags if words.get(name) is not None]
    if given:
        said = ", ".join("--" + _FLAGS.get(name, name) for name in given)
        raise click.UsageError(f"N is a whole offer: leave out {said}, or N")


_FLAGS = {"lease_class": "class", "starts_at": "starts"}


def _show(cli: Session, found: Offers) -> None:
    from comptoir.cli.output import Column, text

    cheapest = _cheapest(found["offers"])
    rows = [{**offer, "number": at} for at, offer in enumerate(found["offers"], 1)]
    columns = [
        Column("N", lambda row: str(row["number"]), right=True),
        Column("starts", lambda row: _when(cli, row["starts_at"])),
        text("where", flexible=True),
        text("class", "lease_class"),
        Column("price/acc-h", _price, right=True),
        Column("total", lambda row: money(row["total"], row["currency"]), right=True),
        Column("note", lambda row: _note(row, row["total"] == cheapest), flexible=True),
    ]
    cli.table(rows, columns, "offers: nothing is free for so long as far ahead as was looked")
    for no in found["not_offered"]:
        note(f"not offered: {no['lease_class']} {no['kind']}: {no['message']}; {no['next']}")


def _when(cli: Session, starts_at: str) -> str:
    """An instant; what could start at once starts now."""
    from datetime import datetime, timedelta

    soon = cli.now + timedelta(seconds=_SOON_S)
    return "now" if datetime.fromisoformat(starts_at) <= soon else cli.times.when(starts_at)


def _price(row: Mapping[str, Any]) -> str:
    return money(row["price_per_accelerator_hour"], row["currency"])


def _cheapest(found: list[Offer]) -> str:
    """The least total, where there is a choice."""
    totals = sorted({offer["total"] for offer in found}, key=lambda total: (len(total), total))
    return totals[0] if len(totals) > 1 else ""


def _note(row: Mapping[str, Any], is_cheapest: bool) -> str:
    said = ["cheapest"] if is_cheapest else []
    if row["spans"] > 1:
        said.append(f"spans {row['spans']} (you allowed it)")
    if row["reclaimable"]:
        times = counted(row["reclaims_30d"], "time")
        said.append(
            f"reclaimable, {duration(row['notice_s'])} notice; reclaimed {times} in 30 days"
        )
    if row["takes_back"]:
        said.append(f"takes {counted(row['takes_back'], 'lease')} back")
    if row["at_most"]:
        said.append("billed by use: at most")
    return "; ".join(said)


def _not_sooner(cli: Session, item: NotSooner) -> tuple[str, list[tuple[str, str]]]:
    """A headline, and what is missing and coming."""
    start = cli.times.when(item["starts_at"], "not as far ahead as was looked")
    fields = [
        ("needs", f"{item['needs']:,}; free now: {item['best_free']:,} in {item['best_place']}")
    ]
    for coming in item["coming"][:_MOST_COMING]:
        fields.append(("coming", f"{coming['accelerators']:,} at {cli.times.when(coming['at'])}"))
    fields.append(("start", start))
    return f"{item['lease_class']} {item['kind']}: why not sooner", fields


def _ask_why(explained: bool) -> str:
    return "" if explained else "        why not sooner:  comptoir offers --explain"


def _place() -> Path:
    from comptoir.client.profiles import config_path

    return config_path().with_name("offers.json")


def _remember(cli: Session, found: Offers, tenant: str | None, residency: str | None) -> None:
    """Keep the list for `hold N`; that it cannot be kept is no reason to fail."""
    kept = {"url": cli.client.url, "offers": [*_as_wanted(found, tenant, residency)]}
    place = _place()
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.write_text(json.dumps(kept))
    except OSError as error:
        note(f"the list could not be kept for `comptoir hold N`: {error}")


def _as_wanted(
    found: Offers, tenant: str | None, residency: str | None
) -> Iterator[dict[str, Any]]:
    """What asks for each offer again, as the API takes it."""
    names = ("kind", "accelerators", "lease_class", "shape", "ends_at")
    for offer in found["offers"]:
        wanted = {name: value for name, value in offer.items() if name in names}
        wanted["starts_at"] = offer["starts_at"]
        if tenant is not None:
            wanted["tenant"] = tenant
        if residency is not None:
            wanted["residency"] = residency
        yield wanted


def _remembered(cli: Session, number: int) -> dict[str, Any]:
    """Line N of the last offers of this server, as the API takes it.

    Raises:
        NotFound: `no_such_offer`.
        Invalid: `bad_config`.
    """

    try:
        kept = json.loads(_place().read_text())
        lines = kept["offers"] if kept["url"] == cli.client.url else []
        wanted = dict(lines[number - 1]) if number <= len(lines) else None
    except FileNotFoundError:
        wanted = None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Invalid(
            "bad_config", f"{_place()} cannot be read: {error}", "ask for offers again"
        ) from None
    if wanted is None:
        raise NotFound(
            "no_such_offer",
            f"the last offers of {cli.client.url} have no line {number}",
            "list them: comptoir offers --kind KIND --accelerators N --hours H",
        )
    if cli.passed(wanted["starts_at"]):
        del wanted["starts_at"]  # it was for now, and now is later
    return wanted
