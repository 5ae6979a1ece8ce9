"""`status` and `audit`: what the server does now, and who did what."""

import json
import time
from itertools import islice
from typing import Any

import click

from comptoir.cli.formats import ROWS
from comptoir.cli.lazy import Session, leaf


@leaf("status", "comptoir status", "comptoir status --json")
def status(cli: Session) -> int:
    """Show what the server does now. The exit code is 1 if it cannot take work."""
    found = cli.client.status()
    desk = found["desk"] or {}
    state = desk.get("state", "ok")
    engines = found["engines"]
    well = state == "ok" and all(engine["available"] for engine in engines)
    word = "serving" if well else state if state != "ok" else "serving, but an engine is down"
    fields = [("leases", _counts(found["leases"]))]
    fields += [(kind["kind"], _capacity(kind)) for kind in found["kinds"]]
    for engine in engines:
        notes = f" ({'; '.join(engine['notes'])})" if engine["notes"] else ""
        health = "available" if engine["available"] else f"NOT AVAILABLE: {engine['reason']}"
        fields.append((f"engine {engine['name']}", f"{health}{notes}"))
    if desk:
        longest = f"longest batch {desk['longest_batch_ms']} ms"
        if desk["turn_error"]:
            why = f"since {desk['turn_failing_since']}: {desk['turn_error']}"
            fields.append(("turn", f"FAILING {why}"))
        fields.append(("desk", f"{desk['state']}, {desk['waiting']:,} calls wait, {longest}"))
    cli.record(found, f"{cli.client.url} is {word}, Comptoir {found['version']}", fields)
    return 0 if well else 1


@leaf("audit", "comptoir audit --limit 20", "comptoir audit --subject ls_7Q4M --follow")
@click.option("--subject", metavar="ID", help="Only what happened to this.")
@click.option("--tenant", metavar="TENANT", help="Only this tenant's.")
@click.option("--limit", type=ROWS, default=50, show_default=True, help="At most.")
@click.option("--follow", is_flag=True, help="Go on with what happens next, until Ctrl-C.")
def audit(cli: Session, subject: str | None, tenant: str | None, limit: int, follow: bool) -> None:
    """Show who did what, oldest first."""
    from comptoir.cli.output import Column, count, instant, text

    newest = islice(cli.client.events(subject=subject, tenant=tenant), limit)
    found = sorted(newest, key=lambda event: event["seq"])
    columns = [
        count("seq"),
        instant(cli.times, "at", "at"),
        text("what", "type"),
        text("to", "subject"),
        text("by", "actor"),
        Column("numbers", lambda row: _numbers(row["data"]), flexible=True),
    ]
    cli.table(found, columns, "events yet")
    last = found[-1]["seq"] if found else 0
    while follow:
        for event in cli.client.events(after=last, subject=subject, tenant=tenant):
            last = event["seq"]
            if cli.json:
                click.echo(json.dumps(event, ensure_ascii=False))
            else:
                _tell(cli, event)
        time.sleep(0.5)


def _tell(cli: Session, event: Any) -> None:
    from comptoir.cli.formats import plain

    words = f"{event['type']}  {event['subject']}  by {event['actor']}  {_numbers(event['data'])}"
    click.echo(plain(f"{event['seq']:,}  {cli.times.clock(event['at'])}  {words}"))


def _numbers(data: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in data.items()
        if value not in (None, "", [])
    )


def _counts(leases: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in leases.items() if count) or "none"


def _capacity(kind: dict[str, Any]) -> str:
    if kind["accelerators"] is None:
        return f"{kind['allocated']:,} held"
    share = f"{kind['utilisation_percent']} %"
    return f"{kind['allocated']:,} of {kind['accelerators']:,} leased, {share}"
