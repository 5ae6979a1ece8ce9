"""The main job, told through the public API: every step is a call that a user could make.

A customer trains on a spot lease; an internal team needs the accelerators; the spot
lease is reclaimed with its notice; the team's job runs; the customer's job comes back
and resumes; both are billed. Nothing here reaches into the server.
"""

import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from comptoir.cli.demo.facts import Facts, JobFacts
from comptoir.cli.demo.screen import Screen
from comptoir.client import Client
from comptoir.units.errors import Conflict, Unavailable
from comptoir.units.time import parse_instant

CUSTOMER, TEAM = "acme", "ranking"
PRICES = {"spot": "90.00", "internal": "60.00"}
CURRENCY = "USD"
NOTICE_S = 5
EPOCHS = 12
RECLAIM_AFTER_EPOCH = 4
RUNTIME = "demo-python"
PATIENCE_S = 240.0
FINISHED = frozenset({"succeeded", "failed", "cancelled"})
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
    screen.say("operator", f"two tenants: {CUSTOMER} (a customer) and {TEAM} (an internal team)")
    finance = Client(url, _new_key(operator, "demo finance", ["finance", "approver"], None))
    card = next(iter(operator.rate_cards.list()))["id"]
    for lease_class, price in PRICES.items():
        rate = operator.rate_cards.propose(card, "cpu-core", lease_class, price)
        finance.rate_cards.approve(rate["id"])
    screen.say(
        "sales",
        f"prices (one proposed, another approved): spot ${PRICES['spot']}, "
        f"internal ${PRICES['internal']} a core-hour",
    )
    _runtime(operator)
    return Cast(
        operator,
        finance,
        Client(url, _new_key(operator, "demo customer", ["tenant_member"], ids[CUSTOMER])),
        Client(url, _new_key(operator, "demo team", ["tenant_member"], ids[TEAM])),
        ids,
    )


def play(cast: Cast, examples: Path, screen: Screen) -> Facts:
    """Run the story to its end; raises only if the server fails or patience ends.

    Raises:
        Unavailable: `demo_stuck`: something did not happen in time.
    """
    started = time.monotonic()
    cores = _cores(cast.operator)
    facts = Facts(prices={CUSTOMER: PRICES["spot"], TEAM: PRICES["internal"]})
    script = examples / "train_digits.py"
    training = _submit(cast.customer, CUSTOMER, "spot", cores, script, ["--epochs", str(EPOCHS)])
    lease = f"{training.lease_id}: {cores} x cpu-core"
    screen.say(CUSTOMER, f"takes a spot lease {lease}, {NOTICE_S} s notice")
    screen.say(CUSTOMER, f"submits {training.job_id}: python train_digits.py --epochs {EPOCHS}")
    ranking: Watched | None = None
    first = seen = next(cast.operator.events())["seq"]
    while training.state not in FINISHED:
        if time.monotonic() - started > PATIENCE_S:
            raise Unavailable("demo_stuck", f"the jobs did not finish in {PATIENCE_S:.0f} s")
        seen = _tell_events(cast.operator, seen, screen)
        _follow(training, screen)
        if ranking is None and training.epoch >= RECLAIM_AFTER_EPOCH:
            ranking = _submit(cast.team, TEAM, "internal", cores, examples / "rank_posts.py", [])
            screen.say(TEAM, f"needs {cores} x cpu-core now: internal lease {ranking.lease_id}")
        if ranking is not None:
            _follow(ranking, screen)
        time.sleep(0.2)
    _tell_events(cast.operator, seen, screen)
    watched = [job for job in (training, ranking) if job is not None]
    facts.jobs = [job.facts for job in watched]
    _bill(cast, facts)
    _read_use(cast, facts, [job.lease_id for job in watched], cores)
    _read_reclaims(cast, facts, first)
    _read_proof(cast, facts)
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
    for runtime in operator.runtimes.list():
        if runtime["name"] == RUNTIME and not runtime["retired"]:
            operator.runtimes.retire(runtime["id"])
    operator.runtimes.declare(RUNTIME, mounts, environment)


def _cores(operator: Client) -> int:
    kinds = operator.status()["kinds"]
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
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(script, directory)
        client.leases.upload(lease["id"], directory)
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
    if watched.state in FINISHED:
        return
    job = watched.client.jobs.get(watched.job_id)
    while job["attempts"] > 0:
        page = watched.client.jobs.log(watched.job_id, watched.attempt, watched.offset)
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
    if watched.state in FINISHED:
        screen.done(watched.job_id)
        screen.say(watched.facts.tenant, f"{job['name']} {watched.state}, exit {job['exit_code']}")


def _read(watched: Watched, text: str, screen: Screen) -> None:
    *lines, watched.rest = (watched.rest + text).split("\n")
    facts = watched.facts
    name = f"{facts.tenant:<9} attempt {watched.attempt}"
    for line in lines:
        if epoch := _EPOCH.match(line):
            done, total = int(epoch[1]), int(epoch[2])
            watched.epoch, facts.epochs_total = done, total
            if watched.attempt == 1:
                facts.epochs_before_reclaim = done
            if accuracy := re.search(r"accuracy ([\d.]+) %", line):
                facts.accuracy = round(float(accuracy[1]) / 100, 4)
            screen.bar(watched.job_id, name, done, total, line)
            if not screen.live:
                screen.say(facts.tenant, line)
        elif ranked := _RANKED.match(line):
            done, total = (int(ranked[n].replace(",", "")) for n in (1, 2))
            screen.bar(watched.job_id, name, done, total, line)
        elif resumes := _RESUMES.match(line):
            facts.resumed_from = int(resumes[1])
            screen.say(facts.tenant, f"attempt {watched.attempt} {line}", style="green")
        elif line.startswith(("interrupted", "finished", "ranked ")):
            screen.say(facts.tenant, line, style="green")


_TOLD = {
    "lease.reclaim_planned": "reclaims {subject} with {notice_s} s notice: {why}",
    "attempt.running": "attempt {number} of {job} runs in its sandbox",
    "attempt.exited": "attempt {number} of {job} ended, exit {exit_code}",
    "lease.waiting": "{subject} waits again; its directory is kept",
    "lease.active": "{subject} has its accelerators",
    "lease.ended": "{subject} ended",
}


def _tell_events(operator: Client, seen: int, screen: Screen) -> int:
    for event in operator.events(after=seen):
        seen = event["seq"]
        sentence = _TOLD.get(event["type"])
        if sentence is not None:
            words = {**event["data"], "subject": event["subject"]}
            style = "yellow" if "reclaim" in event["type"] else ""
            screen.say("desk", sentence.format_map(words), style=style)
    return seen


def _bill(cast: Cast, facts: Facts) -> None:
    """An invoice for the customer, a chargeback statement for the team."""
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


def _read_use(cast: Cast, facts: Facts, leases: list[str], cores: int) -> None:
    """What was measured of each lease, and over which windows it was delivered."""
    names = {cast.ids[CUSTOMER]: CUSTOMER, cast.ids[TEAM]: TEAM}
    for lease_id in leases:
        used = {"delivered": 0, "occupied": 0, "busy": 0}
        tenant = ""
        for event in cast.finance.usage.list(lease_id=lease_id):
            used[event["measure"]] += int(event["accelerator_ms"])
            tenant = names[event["tenant_id"]]
            if event["measure"] == "delivered":
                window = (parse_instant(event["starts_at"]), parse_instant(event["ends_at"]))
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
    windows = facts.delivered_windows
    span_ms = max(end for *_, end in windows) - min(start for _, start, _ in windows)
    delivered_ms = sum(row["accelerator_ms"] for row in facts.usage)
    facts.utilisation = round(delivered_ms / (span_ms * cores), 4)


def _read_reclaims(cast: Cast, facts: Facts, after: int) -> None:
    leases = {row["lease"] for row in facts.usage}
    for event in cast.operator.events(after=after):
        data = event["data"]
        if event["type"] != "lease.reclaiming" or event["subject"] not in leases:
            continue
        if data["reason"] == "stronger_request":
            facts.reclaims.append(
                {
                    "lease": event["subject"],
                    "notice_s": data["notice_s"],
                    "reason": data["reason"],
                    "for": data["reclaimed_for"],
                }
            )


def _read_proof(cast: Cast, facts: Facts) -> None:
    """The ledger's proof, recomputed by the server from raw postings and intervals."""
    proof = cast.finance.ledger.proof()
    facts.ledger = {
        "balanced": proof["balanced"],
        "entries": proof["entries"],
        "accelerator_ms_observed": int(proof["accelerator_ms_observed"]),
        "accelerator_ms_posted": int(proof["accelerator_ms_posted"]),
    }
