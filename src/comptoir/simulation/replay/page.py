"""The page of a replay: one HTML file that needs nothing else, for light and for dark.

It is made of the report alone: no script, no font, no address outside. Each plot has a sentence
over it that says what it shows. Neighbours: `plots.py` draws, `report.py` has the numbers.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from html import escape
from typing import Any

from comptoir.leases.lease import LeaseClass
from comptoir.simulation.replay import plots
from comptoir.simulation.replay.report import compared

CLASSES = tuple(str(one) for one in LeaseClass)
MOST_TEAMS = 12

STYLE = """
:root{color-scheme:light dark;--paper:#fbfaf7;--ink:#1d2329;--soft:#66707a;--rule:#e3dfd6;
--internal:#2f6db3;--reserved:#7b4fa3;--on_demand:#1d8f80;--spot:#d98b1f;--down:#b23a48;
--all:#48525c;--card:#ffffff}
@media(prefers-color-scheme:dark){:root{--paper:#14181c;--ink:#e6e3dc;--soft:#98a2ab;--rule:#2b3238;
--internal:#6aa5e8;--reserved:#b48be0;--on_demand:#4fc4b2;--spot:#f0b254;--down:#e5707d;
--all:#b9c2ca;--card:#1b2025}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:960px;margin:0 auto;padding:40px 24px 80px}
h1{font-size:28px;line-height:1.2;margin:0 0 6px;overflow-wrap:anywhere}
h2{font-size:18px;margin:44px 0 2px}h3{font-size:15px;margin:24px 0 0}
p{margin:0 0 10px}.soft,figcaption,th{color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:24px 0}
.tile{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:12px 14px}
.tile b{display:block;font-size:24px;line-height:1.25;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}
figure{margin:0 0 8px}svg{width:100%;height:auto;display:block}
svg text{fill:var(--soft);font:13px system-ui,sans-serif}svg text.axis{fill:var(--ink)}
.grid{stroke:var(--rule)}.zero{stroke:var(--soft)}
.fill{stroke:none}.stroke{fill:none;stroke-width:2}.range{stroke-width:3;opacity:.55}
.key{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:13px;color:var(--soft);margin:2px 0 8px}
.key i{display:inline-block;width:11px;height:11px;border-radius:2px;margin-right:5px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}
th,td{text-align:right;padding:4px 10px;border-bottom:1px solid var(--rule);font-weight:400}
th:first-child,td:first-child{text-align:left;padding-left:0}.wide{overflow-x:auto}
footer{margin-top:48px;font-size:13px;color:var(--soft)}
code{font-size:12px;overflow-wrap:anywhere}
@media(max-width:700px){main{padding:24px 16px 56px}h1{font-size:23px}
svg text{font-size:25px}svg text.odd{display:none}th,td{white-space:nowrap}}
""" + "".join(
    f".fill.{name}{{fill:var(--{name})}}.stroke.{name},.range.{name}{{stroke:var(--{name})}}"
    f"i.{name}{{background:var(--{name})}}\n"
    for name in (*CLASSES, "down", "all")
)


def page_of(report: Mapping[str, Any]) -> str:
    """The whole page, for the first policy of the report, beside the others."""
    trace, fleet = report["trace"], report["fleet"]
    title = f"{trace['name']} on {fleet['accelerators']:,} {' + '.join(fleet['kinds'])}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{escape(_subtitle(report))}</p>',
        _tiles(report),
        _policies(report),
        _use(report),
        _waits(report),
        _sizes(report),
        _queue(report),
        _teams(report),
        _reclaims(report),
        _money(report),
        _refused(report),
        _foot(report),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main></body></html>\n"
    )


def _subtitle(report: Mapping[str, Any]) -> str:
    options, trace = report["options"], report["trace"]
    copies = f", laid over itself {options['scale']} times" if options["scale"] > 1 else ""
    days = f", {options['days']} days of it" if options["days"] else ""
    mix = ", ".join(f"{name.replace('_', '-')} {part}" for name, part in options["mix"].items())
    return (
        f"{trace['jobs']:,} jobs over {trace['span_s'] / 86_400:.1f} days{copies}{days}; "
        f"{report['fleet']['nodes']:,} nodes; {mix}; seed {options['seed']}; "
        f"policy {report['policy']}"
    )


def _tiles(report: Mapping[str, Any]) -> str:
    wait = report["wait_s"]
    tiles = [
        (f"{report['utilisation']:.1%}", "of the fleet used while jobs came"),
        (f"{report['goodput']:.2%}", "goodput: of that, work that counted"),
        (plots.duration(wait["p50"]), f"median wait; p99 {plots.duration(wait['p99'])}"),
        (f"{report['finished']:,}", f"jobs finished; {report['rejected']:,} rejected"),
        (f"{report['reclaims']:,}", "reclaims"),
        (f"{report['node_failures']:,}", f"node failures, {report['interrupted_by_failures']:,} "
         "jobs interrupted"),
    ]  # fmt: skip
    if report["revenue"] is not None and Decimal(report["revenue"]):
        earned = Decimal(report["revenue_from_customers"])
        tiles.append((f"{earned:,.0f} {report['currency']}", "earned from customers"))
        tiles.append((f"{Decimal(report['margin']):,.0f} {report['currency']}", "margin"))
    cells = "".join(
        f'<div class="tile"><b>{escape(big)}</b><span>{escape(small)}</span></div>'
        for big, small in tiles
    )
    return f'<div class="tiles">{cells}</div>'


def _section(title: str, said: str, *parts: str) -> str:
    return f"<section><h2>{escape(title)}</h2><p>{escape(said)}</p>{''.join(parts)}</section>"


def _key(names: Sequence[str]) -> str:
    words = "".join(
        f'<span><i class="{name}"></i>{escape(name.replace("_", "-"))}</span>' for name in names
    )
    return f'<div class="key">{words}</div>'


def _figure(plot: str) -> str:
    return f"<figure>{plot}</figure>"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _policies(report: Mapping[str, Any]) -> str:
    found = compared(report)
    if len(found) < 2:
        return ""
    rows = [
        [
            name, f"{one['jobs']:,}", f"{one['running_at_end'] + one['waiting_at_end']:,}",
            f"{one['utilisation']:.1%}", f"{one['goodput']:.2%}",
            plots.duration(one["wait_s"]["mean"]), plots.duration(one["wait_s"]["p50"]),
            plots.duration(one["wait_s"]["p99"]), f"{one['bounded_slowdown']['mean']:,.1f}",
            f"{one['reclaims']:,}", (one["revenue"] and f"{float(one['revenue']):,.0f}") or "-",
        ]
        for name, one in found
    ]  # fmt: skip
    header = (
        "policy", "jobs", "not over", "used", "goodput", "mean wait", "p50", "p99", "slowdown",
        "reclaims", "revenue",
    )  # fmt: skip
    said = (
        "The same jobs on the same machines, which die at the same instants. fifo and easy let "
        "customers share nodes and know no classes; easy is told how long every job runs. More is "
        "better of what is used, of goodput and of revenue; less is better of the rest."
    )
    plotted = "".join(
        f"<h3>{escape(name)}</h3>"
        + _key(list(one["over_time"]["busy"]))
        + _figure(plots.areas(one["over_time"]["busy"], one["over_time"]["every_s"], name))
        for name, one in found[1:]
    )
    return _section("Beside others", said, _table(header, rows), plotted)


def _use(report: Mapping[str, Any]) -> str:
    over = report["over_time"]
    shares = {name: over["busy"][name] for name in CLASSES if name in over["busy"]}
    down = {"down": over["down"]} if any(over["down"]) else {}
    parts = report["accelerator_hours_by_class"]
    said = "Accelerator-hours: " + ", ".join(
        f"{name.replace('_', '-')} {hours:,.0f}" for name, hours in parts.items()
    )
    frag = report["fragmentation"]
    said += (
        f". Of what was free, {frag['free_on_partly_used_nodes_share']:.0%} stood on nodes that "
        f"were partly taken. The fuller the better: what has no colour was idle."
    )
    plot = plots.areas({**shares, **down}, over["every_s"], "use of the fleet over time by class")
    return _section("The fleet over time", said, _key([*shares, *down]), _figure(plot))


def _waits(report: Mapping[str, Any]) -> str:
    curves = {
        name: report["wait_curve_s"][name] for name in CLASSES if name in report["wait_curve_s"]
    }
    classes = report["wait_s"]["by_class"]
    said = "; ".join(
        f"{name.replace('_', '-')}: half waited {plots.duration(one['p50'])}, "
        f"one in a hundred over {plots.duration(one['p99'])}"
        for name, one in classes.items()
    )
    plot = plots.curves(curves, "share of jobs that waited no longer, by class")
    said = f"{said}. Further up and to the left is better."
    return _section("How long jobs waited", said, _key(list(curves)), _figure(plot))


def _sizes(report: Mapping[str, Any]) -> str:
    rows = [(f"{size}", "all", one) for size, one in report["wait_s"]["by_size"].items()]
    if not rows:
        return ""
    said = "A dot is the median, a small dot p90, a bar p99. Further left is better."
    slow = [
        [
            size,
            f"{one['jobs']:,}",
            f"{one['mean']:,.1f}",
            f"{one['p50']:,.2f}",
            f"{one['p99']:,.1f}",
        ]
        for size, one in report["bounded_slowdown"]["by_size"].items()
    ]
    table = _table(("accelerators", "finished", "bounded slowdown, mean", "p50", "p99"), slow)
    return _section("Waits by size", said, _figure(plots.ranges(rows, "waits by size")), table)


def _queue(report: Mapping[str, Any]) -> str:
    over = report["over_time"]
    most = max(over["waiting_jobs"], default=0)
    if not most:
        return ""
    plot = plots.lines(
        {"all": over["waiting_jobs"]}, over["every_s"], lambda n: f"{n:,.0f}", "jobs waiting"
    )
    return _section(
        "The queue", f"At most {most:,} jobs waited at once. Lower is better.", _figure(plot)
    )


def _teams(report: Mapping[str, Any]) -> str:
    """Whose internal jobs waited; beside what they would have waited had nothing been sold."""
    teams = report["internal_waits_by_team"]
    if not teams:
        return ""
    alone = report["policies"].get("unsold", {}).get("internal_waits_by_team", {})
    rows = []
    for team, one in list(teams.items())[:MOST_TEAMS]:
        row = [
            team, f"{one['jobs']:,}", f"{one['waited_more_than_60_s']:,}",
            plots.duration(one["mean"]), plots.duration(one["p99"]),
        ]  # fmt: skip
        if alone:
            before = alone.get(team)
            row.append(plots.duration(before["mean"]) if before else "-")
        rows.append(row)
    header = ["team", "jobs", "waited over 1 min", "mean wait", "p99"]
    header += ["mean wait, nothing sold"] * bool(alone)
    waited = sum(one["waited_more_than_60_s"] for one in teams.values())
    whole = sum(one["jobs"] for one in teams.values())
    said = f"{waited:,} of {whole:,} internal jobs waited more than a minute."
    return _section("Whose internal jobs waited", said, _table(header, rows))


def _reclaims(report: Mapping[str, Any]) -> str:
    over = report["over_time"]
    if not report["reclaims"]:
        return ""
    by_class = ", ".join(
        f"{name.replace('_', '-')} {n:,}" for name, n in report["reclaims_by_class"].items()
    )
    said = (
        f"{report['reclaims']:,} leases gave way ({by_class}) and lost "
        f"{report['lost_to_reclaims_accelerator_hours']:,.0f} accelerator-hours to beginning "
        f"again; failures cost {report['lost_to_failures_accelerator_hours']:,.0f}. "
        f"Fewer is better."
    )
    days = report["simulated_s"] / 86_400
    plot = plots.bars(over["reclaims"], over["every_s"], days, "all", "reclaims")
    return _section("Reclaims", said, _figure(plot))


def _money(report: Mapping[str, Any]) -> str:
    if report["revenue"] is None or not Decimal(report["revenue"]):
        return ""
    currency, by_class = report["currency"], report["money_by_class"]
    rows = [
        (f"{name.replace('_', '-')}", name, float(one["revenue"])) for name, one in by_class.items()
    ]
    rows.append(("what the fleet cost", "down", -float(report["cost"])))
    rows.append(("margin", "all", float(report["margin"])))
    table = _table(
        ("class", "accelerator-hours", "revenue", "cost of its time", "margin"),
        [
            [name.replace("_", "-"), f"{one['accelerator_hours']:,.0f}", *(
                f"{Decimal(one[each]):,.2f}" for each in ("revenue", "cost_of_its_time", "margin")
            )]
            for name, one in by_class.items()
        ],
    )  # fmt: skip
    said = (
        f"Customers paid {Decimal(report['revenue_from_customers']):,.2f} {currency}; internal "
        f"teams are charged at their own rate. The fleet cost {Decimal(report['cost']):,.2f} "
        f"{currency} over {report['simulated_s'] / 86_400:.1f} days, used or not."
    )
    plot = plots.money_bars(rows, currency, "revenue by class, cost and margin")
    return _section("Money", said, _figure(plot), table)


def _refused(report: Mapping[str, Any]) -> str:
    if not report["rejected"]:
        return ""
    rows = [
        [one["job"], f"{one['accelerators']:,g}", one["code"], one["message"]]
        for one in report["refused"]
    ]
    said = ", ".join(f"{n:,} {code}" for code, n in report["refusals"].items())
    table = _table(("job", "accelerators", "code", "because"), rows)
    return _section("What was refused, and why", f"{said}; the first of them:", table)


def _foot(report: Mapping[str, Any]) -> str:
    options, rounding = report["options"], report["rounding"]
    words = [
        f"Nodes fail {options['failures_per_million_accelerator_days']:,} times in a million "
        f"accelerator-days and are back after {plots.duration(options['repair_s'])}; a job goes "
        f"back to its last checkpoint, at most {plots.duration(options['checkpoint_s'])} old, and "
        f"spends {plots.duration(options['restart_s'])} to begin again.",
    ]
    if report["revenue"] is not None:
        words.append(
            "The auditor of the simulator read the whole book at the end: nothing sold twice, "
            "nothing billed twice, every unit of the ledger sums to zero."
        )
    if rounding["jobs_rounded_up"]:
        words.append(
            f"{rounding['jobs_rounded_up']:,} jobs were rounded up, to one in "
            f"{rounding['slices']} of an accelerator; that took "
            f"{rounding['lost_accelerator_hours']:,.0f} accelerator-hours, "
            f"{rounding['lost_share']:.1%} of what they hold."
        )
    return (
        f"<footer><p>{escape(' '.join(words))}</p>"
        f"<p>report <code>{report['report_sha256']}</code></p></footer>"
    )
