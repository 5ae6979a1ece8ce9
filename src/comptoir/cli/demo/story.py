"""The main job, told through the public API: every step is a call that a user could make.

A customer trains on a spot lease; an internal team needs the accelerators; the spot
lease is reclaimed with its notice; the team's job runs; the customer's job comes back
and resumes; both are billed. Nothing here reaches into the server.
"""

import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from comptoir.cli.demo.facts import Facts, JobFacts
from comptoir.cli.demo.screen import Screen
from comptoir.client import Client
from comptoir.units.errors import Conflict, Unavailable

CUSTOMER, TEAM = "acme", "ranking"
PRICES = {"spot": "90.00", "internal": "60.00"}
CURRENCY = "USD"
NOTICE_S = 5
EPOCHS = 12
RECLAIM_AFTER_EPOCH = 4
RUNTIME = "demo-python"
PATIENCE_S = 240.0
_EPOCH = re.compile(r"^epoch (\d+)/(\d+)\s+(.*)$")
_RANKED = re.compile(r"^ranked ([\d,]+)/([\d,]+)")
_RESUMES = re.compile(r"^resumes from epoch (\d+)")


@dataclass(slots=True)
class Watched:
    """One job as it is followed: where its log has been read to, and what it said."""

    client: Client
    job_id: str
    lease_id: str
    facts: JobFacts
    attempt: int = 1
    offset: int = 0
    rest: str = ""
    epoch: int = 0
    state: str = "queued"


@dataclass(slots=True)
class Cast:
    """Who acts in the story, each with its own key."""

    operator: Client
    finance: Client
    customer: Client
    team: Client
    ids: dict[str, str]


def prepare(url: str, operator_key: str, screen: Screen) -> Cast:
    """Tenants, users, keys, a rate card and a runtime; what exists already is used again."""
    operator = Client(url, operator_key)
    ids = {
        CUSTOMER: _tenant(operator, CUSTOMER, "Acme Robotics", "enterprise"),
        TEAM: _tenant(operator, TEAM, "Ranking team", "team"),
    }
    screen.say(
        "operator", f"two tenants: [b]{CUSTOMER}[/] (a customer), [b]{TEAM}[/] (an internal team)"
    )
    finance = Client(url, _new_key(operator, "demo finance", ["finance", "approver"], None))
    card = next(iter(operator.rate_cards.list()))["id"]
    for lease_class, price in PRICES.items():
        rate = operator.rate_cards.propose(card, "cpu-core", lease_class, price)
        finance.rate_cards.approve(rate["id"])
    screen.say(
        "sales",
        f"a rate card, proposed by one and approved by another: spot ${PRICES['spot']}, "
        f"internal ${PRICES['internal']} per core-hour",
    )
    _runtime(operator)
    cast = Cast(
        operator,
        finance,
        Client(url, _new_key(operator, "demo customer", ["tenant_member"], ids[CUSTOMER])),
        Client(url, _new_key(operator, "demo team", ["tenant_member"], ids[TEAM])),
        ids,
    )
    return cast


def play(cast: Cast, examples: Path, screen: Screen) -> Facts:
    """Run the story to its end; raises only if the server fails or patience ends.

    Raises:
        Unavailable: `demo_stuck`: something did not happen in time.
    """
    started = time.monotonic()
    cores = _cores(cast.operator)
    facts = Facts(prices={CUSTOMER: PRICES["spot"], TEAM: PRICES["internal"]})
    began_at = cast.operator.status()["now"]
    training = _submit(
        cast.customer, CUSTOMER, "spot", cores,
        examples / "train_digits.py", ["--epochs", str(EPOCHS)],
    )  # fmt: skip
    screen.say(
        CUSTOMER, f"takes a spot lease {training.lease_id}: {cores} x cpu-core, {NOTICE_S} s notice"
    )
    screen.say(CUSTOMER, f"submits {training.job_id}: python train_digits.py --epochs {EPOCHS}")
    ranking: Watched | None = None
    seen = _last_event(cast.operator)
    while training.state not in ("succeeded", "failed", "cancelled"):
        if time.monotonic() - started > PATIENCE_S:
            raise Unavailable("demo_stuck", f"the jobs did not finish in {PATIENCE_S:.0f} s")
        seen = _tell_events(cast.operator, seen, screen)
        _follow(training, screen)
        if ranking is None and training.epoch >= RECLAIM_AFTER_EPOCH:
            ranking = _submit(cast.team, TEAM, "internal", cores, examples / "rank_posts.py", [])
            screen.say(
                TEAM,
                f"needs {cores} x cpu-core now: lease {ranking.lease_id}, job {ranking.job_id}",
            )
        if ranking is not None:
            _follow(ranking, screen)
        time.sleep(0.2)
    _tell_events(cast.operator, seen, screen)
    facts.jobs = [watched.facts for watched in (training, ranking) if watched is not None]
    _account(
        cast, facts, began_at, [w.lease_id for w in (training, ranking) if w is not None], cores
    )
    facts.duration_s = round(time.monotonic() - started, 3)
    facts.judge(CUSTOMER, TEAM)
    return facts


def _tenant(operator: Client, slug: str, name: str, kind: str) -> str:
    try:
        return str(operator.tenants.create(slug, name, kind)["id"])
    except Conflict:
        return str(operator.tenants.get(slug)["id"])


def _new_key(operator: Client, name: str, roles: list[str], tenant_id: str | None) -> str:
    user = operator.users.create(name, roles, tenant_id)
    return str(operator.keys.issue(user["id"], note="demo")["secret"])


def _runtime(operator: Client) -> None:
    """The environment this command runs in, shown read-only to jobs: it has scikit-learn."""
    paths = {sys.prefix, sys.base_prefix}
    mounts = sorted(path for path in paths if path not in ("/usr", "/usr/local"))
    environment = {"PATH": f"{sys.prefix}/bin:{sys.base_prefix}/bin:/usr/bin:/bin"}
    try:
        operator.runtimes.declare(RUNTIME, mounts, environment)
    except Conflict:
        for runtime in operator.runtimes.list():
            if runtime["name"] == RUNTIME and runtime.get("paths") != mounts:
                operator.runtimes.retire(runtime["id"])
                operator.runtimes.declare(RUNTIME, mounts, environment)


def _cores(operator: Client) -> int:
    kinds = operator.status()["fleet"]
    return int(next(row["accelerators"] for row in kinds if row["kind"] == "cpu-core"))


def _submit(
    client: Client, tenant: str, lease_class: str, cores: int, script: Path, arguments: list[str]
) -> Watched:
    lease = client.leases.request(
        kind="cpu-core",
        accelerators=cores,
        lease_class=lease_class,
        shape="node",
        notice_s=NOTICE_S,
        name=script.stem,
    )
    client.leases.upload(lease["id"], [script])
    job = client.jobs.submit(
        lease["id"],
        ["python", script.name, *arguments],
        name=script.name,
        runtime=RUNTIME,
        release_lease=True,
    )
    return Watched(client, job["id"], lease["id"], JobFacts(tenant))


def _follow(watched: Watched, screen: Screen) -> None:
    """Read what a job has said since, and how it stands."""
    if watched.state in ("succeeded", "failed", "cancelled"):
        return
    job = watched.client.jobs.get(watched.job_id)
    while True:
        page = watched.client.jobs.log(
            watched.job_id, attempt=watched.attempt, offset=watched.offset
        )
        if page.data:
            watched.offset = page.next_offset
            _read(watched, page.data.decode(errors="replace"), screen)
        elif job["attempts"] > watched.attempt:
            watched.attempt, watched.offset, watched.rest = watched.attempt + 1, 0, ""
        else:
            break
    watched.state = job["state"]
    watched.facts.attempts = job["attempts"]
    watched.facts.exit_code = job["exit_code"]
    if watched.state in ("succeeded", "failed", "cancelled"):
        note = f"{watched.state}, exit {job['exit_code']}"
        screen.bar(watched.job_id, f"{watched.facts.tenant:<9} {job['name']}", 1, 1, note)
        if watched.facts.accuracy is not None:
            note += f", accuracy {watched.facts.accuracy:.1%}"
        screen.say(watched.facts.tenant, f"{job['name']} {note}")


def _read(watched: Watched, text: str, screen: Screen) -> None:
    *lines, watched.rest = (watched.rest + text).split("\n")
    facts = watched.facts
    for line in lines:
        name = f"{facts.tenant:<9} attempt {watched.attempt}"
        if epoch := _EPOCH.match(line):
            done, total = int(epoch[1]), int(epoch[2])
            watched.epoch, facts.epochs_total = done, total
            if watched.attempt == 1:
                facts.epochs_before_reclaim = done
            if accuracy := re.search(r"accuracy ([\d.]+) %", line):
                facts.accuracy = round(float(accuracy[1]) / 100, 4)
            screen.bar(watched.job_id, name, done, total, line)
            if not screen.console.is_terminal:
                screen.say(facts.tenant, line)
        elif ranked := _RANKED.match(line):
            done, total = (int(ranked[n].replace(",", "")) for n in (1, 2))
            screen.bar(watched.job_id, name, done, total, line)
        elif resumes := _RESUMES.match(line):
            facts.resumed_from = int(resumes[1])
            screen.say(facts.tenant, f"attempt {watched.attempt} {line}", style="green")
        elif line.startswith(("interrupted", "finished", "ranked ")):
            screen.say(facts.tenant, line)


_TOLD = {
    "lease.reclaim_planned": "reclaim {subject}: {why}; notice {notice_s} s",
    "lease.reclaiming": None,
    "attempt.running": "attempt {number} of {job} runs in its sandbox",
    "attempt.exited": "attempt {number} of {job} ended, exit {exit_code}",
    "lease.waiting": "{subject} waits again; its directory is kept",
    "lease.active": "{subject} has its accelerators",
    "lease.ended": "{subject} ended: {reason}",
}


def _last_event(operator: Client) -> int:
    return int(operator.status()["last_event"])


def _tell_events(operator: Client, seen: int, screen: Screen) -> int:
    for event in operator.events(after=seen):
        seen = int(event["seq"])
        sentence = _TOLD.get(event["type"])
        if sentence is not None:
            words = {**event["data"], "subject": event["subject"]}
            style = "yellow" if "reclaim" in event["type"] else ""
            screen.say("desk", sentence.format_map(words).replace("_", " "), style=style)
    return seen


def _account(cast: Cast, facts: Facts, began_at: str, leases: list[str], cores: int) -> None:
    """Invoice both tenants, then read back use, reclaims and the ledger's proof."""
    names = {cast.ids[CUSTOMER]: CUSTOMER, cast.ids[TEAM]: TEAM}
    for tenant in (CUSTOMER, TEAM):
        invoice = cast.finance.invoices.issue(cast.ids[tenant])
        facts.invoices.append(
            {
                "tenant": tenant,
                "number": invoice["number"],
                "kind": invoice["kind"],
                "currency": invoice["currency"],
                "total": invoice["total"],
            }
        )
    for lease_id in leases:
        used: dict[str, int] = {"delivered": 0, "occupied": 0, "busy": 0}
        for event in cast.finance.usage.list(lease_id=lease_id):
            used[event["measure"]] += int(event["accelerator_ms"])
            tenant = names[event["tenant_id"]]
            if event["measure"] == "delivered":
                window = (_ms(event["starts_at"]), _ms(event["ends_at"]))
                facts.delivered_windows.append((tenant, *window))
        facts.usage.append(
            {
                "tenant": tenant,
                "lease": lease_id,
                "accelerator_ms": used["delivered"],
                "occupied_ms": used["occupied"],
                "busy_ms": used["busy"],
            }
        )
    for event in cast.operator.events(after=0):
        if event["type"] == "lease.reclaiming" and event["subject"] in leases:
            if event["data"]["reason"] == "stronger_request":
                facts.reclaims.append(
                    {
                        "lease": event["subject"],
                        "notice_s": event["data"]["notice_s"],
                        "reason": event["data"]["reason"],
                    }
                )
    proof = cast.finance.ledger.proof()
    facts.ledger = {
        "balanced": proof["balanced"],
        "entries": proof["entries"],
        "accelerator_ms_observed": sum(int(row["observed_ms"]) for row in proof["usage"]),
        "accelerator_ms_posted": sum(int(row["posted_ms"]) for row in proof["usage"]),
    }
    starts = [start for _, start, _ in facts.delivered_windows]
    ends = [end for _, _, end in facts.delivered_windows]
    span_ms = max(ends) - min(starts)
    facts.utilisation = round(
        sum(row["accelerator_ms"] for row in facts.usage) / (span_ms * cores), 4
    )


def _ms(instant: str) -> int:
    from comptoir.units.time import parse_instant

    return parse_instant(instant)
