"""The client against the real API, desk and book, with a fake engine."""

import inspect
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from comptoir.cli.main import main
from comptoir.client import Client, Moved, Said, transport
from comptoir.client.transport import Transport
from comptoir.units.errors import Conflict, NotFound, Refused, Unauthenticated
from tests.api.world import CORES, KIND, World, open_world

OPENAPI = Path(__file__).parents[2] / "openapi" / "openapi.json"
ELSEWHERE = ("run", "follow", "pull", "read_file", "logs", "log", "read", "wait")
SPECIAL: dict[tuple[str, str], list[Any]] = {
    ("DunningSteps", "set"): [{"reminder": 3}],
    ("Usage", "record"): ["X", []],
    ("Usage", "record_many"): [[{}]],
    ("Leases", "request_many"): [[{}]],
    ("Leases", "end_many"): [["X"]],
    ("Openings", "propose"): [{}],
    ("Rebalances", "apply"): [{"steps": [], "spreads": []}],
    ("Rebalances", "move"): ["X", []],
    ("Supply", "declare"): [{}],
    ("Leases", "upload"): ["X", [__file__]],
    ("OffersOfCapacity", "list"): ["X", 1, 60],
    ("Holds", "make"): [{}, 60],
    ("SeriesOfLeases", "request"): [{}, "X", "X"],
}
NOT_FOR_PEOPLE = {("GET", "/v1/rates")}  # a card's rates are read by card


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("post")) as opened:
        yield opened


def as_(world: World, person: str) -> Client:
    return Client(world.url, world.people[person].secret)


def running(world: World, job_id: str, number: int = 1) -> str:
    """Wait until the engine was seen to run this attempt; its id."""
    for _ in range(500):
        attempts = world.operator.get(f"/v1/jobs/{job_id}").ok()["attempt_list"]
        if len(attempts) == number and attempts[-1]["state"] == "running":
            return str(attempts[-1]["id"])
        time.sleep(0.02)
    raise AssertionError(attempts)


def finish(world: World, job_id: str, exit_code: int = 0, number: int = 1) -> None:
    world.engine.finish(running(world, job_id, number), exit_code)


def test_a_directory_goes_up_and_comes_back(world: World, tmp_path: Path) -> None:
    member = as_(world, "member")
    (tmp_path / "here" / "sub dir").mkdir(parents=True)
    (tmp_path / "here" / "sub dir" / "a ?#%.txt").write_bytes(b"\x00\xff" * 100_000)
    (tmp_path / "here" / "train.py").write_text("print()")
    job = member.run(["true"], kind=KIND, directory=tmp_path / "here")
    pulled = dict(member.leases.pull(job["lease_id"], tmp_path / "back"))
    assert pulled == {"sub dir/a ?#%.txt": 200_000, "train.py": 7}
    again = tmp_path / "back" / "sub dir" / "a ?#%.txt"
    assert again.read_bytes() == b"\x00\xff" * 100_000
    assert [path.name for path in again.parent.iterdir()] == [again.name]
    finish(world, job["id"])


def test_a_missing_file_leaves_nothing_behind(world: World, tmp_path: Path) -> None:
    member = as_(world, "member")
    lease = member.leases.request(KIND, 1, "spot")
    with pytest.raises(NotFound):
        list(member.leases.pull(lease["id"], tmp_path / "back", ["nothing.txt"]))
    assert list((tmp_path / "back").iterdir()) == []
    member.leases.end(world.wait(f"/v1/leases/{lease['id']}", state="active")["id"])


def test_following_goes_across_a_reclaim_and_misses_nothing(world: World) -> None:
    member, team = as_(world, "member"), as_(world, "team")
    lease = member.leases.request(KIND, CORES, "spot", notice_s=0)
    job = member.jobs.submit(lease["id"], ["python3", "train.py"], release_lease=True)
    steps: list[object] = []
    watching = threading.Thread(target=lambda: steps.extend(member.follow(job["id"])))
    running(world, job["id"])
    watching.start()
    stronger = team.leases.request(KIND, CORES, "internal", notice_s=0)
    world.wait(f"/v1/leases/{stronger['id']}", "team", state="active")
    world.wait(f"/v1/leases/{lease['id']}", state="waiting")
    time.sleep(1.2)  # long enough to be seen waiting
    team.leases.end(stronger["id"])
    finish(world, job["id"], 5, number=2)
    watching.join(20)
    said = [(step.attempt, step.data) for step in steps if isinstance(step, Said)]
    assert said == [(1, b"started\n"), (2, b"started\n")]
    moves = [(s.job["state"], s.lease["state"]) for s in steps if isinstance(s, Moved)]
    assert ("queued", "waiting") in moves
    last = steps[-1]
    assert isinstance(last, Moved)
    assert (last.job["state"], last.job["exit_code"], last.job["attempts"]) == ("failed", 5, 2)
    assert b"".join(member.jobs.logs(job["id"], follow=True)) == b"started\nstarted\n"


def test_many_are_asked_for_some_at_a_time_and_answered_in_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "A_BATCH", 2)
    member = as_(world, "member")
    kinds = [KIND, "no-such-kind", KIND, KIND, "no-such-kind"]
    items = [{"kind": kind, "accelerators": 1, "lease_class": "spot"} for kind in kinds]
    answers = list(member.leases.request_many(items))
    assert [a["problem"] is None for a in answers] == [kind == KIND for kind in kinds]
    ids = [a["result"]["id"] for a in answers if a["result"]]
    for lease_id in ids:
        world.wait(f"/v1/leases/{lease_id}", state="active")
    assert [(a["result"] or {})["id"] for a in member.leases.end_many(ids)] == ids


def test_a_file_of_requests_is_read_whole_before_anything_is_sent(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setenv("COMPTOIR_API_KEY", world.people["member"].secret)
    good = json.dumps({"kind": KIND, "accelerators": 1, "lease_class": "spot"})
    bad = json.dumps({"kind": "no-such-kind", "accelerators": 1, "lease_class": "spot"})
    file = tmp_path / "requests.jsonl"
    asked = ["lease", "request", "--url", world.url, "--batch", str(file)]
    before = len([*as_(world, "member").leases.list()])
    for text, said in ((f"{good}\n[]\n", "line 2: it is no JSON object"), ("{", "line 1: ")):
        file.write_text(text)
        assert main(asked) == 2
        assert f"bad_batch_file: {file}: {said}" in capsys.readouterr().err
    file.write_bytes(b"\xff")
    assert main(asked) == 2
    assert "it is not UTF-8" in capsys.readouterr().err
    assert main([*asked, "--kind", KIND]) == 2
    assert len([*as_(world, "member").leases.list()]) == before
    file.write_text(f"{good}\n\n{bad}\n{good}\n")
    capsys.readouterr()
    assert main([*asked, "--json"]) == 1
    items = json.loads(capsys.readouterr().out)["items"]
    assert [(item["asked"], item["status"]) for item in items] == [(1, 201), (3, 422), (4, 201)]
    ids = [item["id"] for item in items if item["id"]]
    for lease_id in ids:
        world.wait(f"/v1/leases/{lease_id}", state="active")
    assert main(["lease", "end", "--url", world.url, *ids, "ls_0000", "--yes"]) == 1
    assert "not_found" in capsys.readouterr().out


def test_a_step_that_fails_gives_the_lease_back(world: World, tmp_path: Path) -> None:
    member = as_(world, "member")
    (tmp_path / "train.py").write_text("")
    with pytest.raises(NotFound):
        member.run(["true"], kind=KIND, directory=tmp_path, runtime="nix", name="given back")
    last = next(iter(member.leases.list()))
    assert last["name"] == "given back"
    assert last["state"] in ("cancelled", "reclaiming", "ended")


def test_a_refusal_has_its_class_and_its_numbers(world: World) -> None:
    with pytest.raises(Refused) as refused:
        as_(world, "member").leases.request(KIND, 4_096, "spot", shape="rack")
    assert refused.value.next


def test_a_conflict_is_not_a_refusal(world: World) -> None:
    member = as_(world, "member")
    lease = member.leases.request(KIND, 1, "spot", starts_at="2999-01-01T00:00:00Z")
    member.leases.cancel(lease["id"])
    with pytest.raises(Conflict) as conflict:
        member.leases.extend(lease["id"], "2999-01-02T00:00:00Z")
    assert type(conflict.value) is Conflict


def test_a_wrong_key_is_not_known(world: World) -> None:
    with pytest.raises(Unauthenticated):
        Client(world.url, "ck_nope_" + "x" * 43).whoami()


def test_lists_go_past_their_first_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comptoir.client.parties.PAGE", 2)
    found = [user["id"] for user in as_(world, "operator").users.list()]
    assert len(found) == len(set(found)) >= 9


def test_events_can_be_taken_up_after_a_number(world: World) -> None:
    operator = as_(world, "operator")
    first = [event["seq"] for event in operator.events(after=0)]
    assert first == sorted(first)
    assert [event["seq"] for event in operator.events(after=first[-3])][:2] == first[-2:]


def test_every_route_has_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each operation of openapi/ is asked by some method, and nothing else is asked."""
    streams = ("leases/X/files/X", "jobs/X/logs", "feed")  # see above
    asked = {("GET", f"/v1/{path}") for path in streams}

    def hear(method: str, path: str) -> dict[str, object]:
        asked.add((method, path))
        return {"items": [], "next_cursor": None}

    monkeypatch.setattr(Transport, "get", lambda _, path, **__: hear("GET", path))
    monkeypatch.setattr(
        Transport,
        "get_bytes",
        lambda _, path, **__: (hear("GET", path) and b"", {"comptoir-e-invoice": ""}),
    )
    monkeypatch.setattr(Transport, "write", lambda _, method, path, *__: hear(method, path))
    monkeypatch.setattr(Transport, "send_file", lambda _, method, path, *__: hear(method, path))
    client = Client("http://127.0.0.1:1", "ck_x")
    groups = [value for name, value in vars(client).items() if not name.startswith("_")]
    for group in (client, *groups):
        for name, method in inspect.getmembers(group, inspect.ismethod):
            if name.startswith("_") or name in ELSEWHERE:
                continue
            parameters = inspect.signature(method).parameters.values()
            needed = ["X" for parameter in parameters if parameter.default is parameter.empty]
            given = SPECIAL.get((type(group).__name__, name), needed)
            if inspect.isgenerator(found := method(*given)):
                list(found)
    document = json.loads(OPENAPI.read_text())
    routes = {
        (method.upper(), re.sub(r"\{[^}]*\}", "X", path))
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert routes - asked - NOT_FOR_PEOPLE == set()
    assert asked - routes == set()
