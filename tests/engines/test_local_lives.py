"""Attempts outlive the control plane; each starts at most once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from comptoir.desk.engine_port import AttemptSight
from comptoir.engines.local.shim import records
from comptoir.units.errors import Unavailable
from tests.engines.local_world import IS_ROOT, World, archive, eventually, member

_SERVER = """
import sys, time
sys.path[:0] = {path!r}
from pathlib import Path
from tests.engines.local_world import World
world = World(Path({directory!r}), {instance!r})
world.start("/bin/bash", "-c", {script!r}, attempt_id="att_x", lease_id="lse_x")
print("started", flush=True)
time.sleep(60)
"""


def serve_and_die(directory: Path, instance: str, script: str) -> None:
    """A control plane that starts a job and is then killed outright."""
    text = _SERVER.format(path=sys.path, directory=str(directory), instance=instance, script=script)
    server = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE)
    assert server.stdout is not None
    assert server.stdout.readline() == b"started\n"
    server.kill()
    server.wait()
    server.stdout.close()


def reopened(world: World) -> World:
    """The same world as a new control plane sees it."""
    world.engine = world.open()
    world.leases.add("lse_x")
    return world


def test_server_kill_9_loses_no_exit_code(own_world: World) -> None:
    script = "echo before; until [ -e go ]; do sleep 0.02; done; echo after; exit 6"
    serve_and_die(own_world.directory, own_world.instance, script)
    world = reopened(own_world)
    seen = next(iter(world.engine.observe()))
    assert (seen.attempt_id, seen.sight) == ("att_x", AttemptSight.RUNNING)
    order = world.order(attempt_id="att_x", lease_id="lse_x")
    world.engine.put_archive(order.lease_id, order.tenant_id, archive((member("go"), b"")))
    end = world.end(order)
    assert end.exit_code == 6
    assert end.started_at_ms == seen.started_at_ms
    assert world.log(order) == "before\nafter\n"


def test_an_adopted_job_can_still_be_stopped(own_world: World) -> None:
    script = "trap 'exit 8' TERM; touch up; while :; do sleep 0.02; done"
    serve_and_die(own_world.directory, own_world.instance, script)
    world = reopened(own_world)
    order = world.order(attempt_id="att_x", lease_id="lse_x")
    assert eventually(lambda: world.has_file(order, "up"))
    world.engine.stop(order.attempt_id)
    assert world.end(order).exit_code == 8


def test_shim_kill_9_ends_the_tree_and_the_attempt_is_lost(own_world: World) -> None:
    order = own_world.shell("sleep 60 & sleep 60")
    attempt = own_world.engine.attempt(order.attempt_id)
    assert attempt is not None
    assert eventually(attempt.first_process)
    first = attempt.first_process()
    claim = records.read_claim(str(own_world.engine.directories.attempt(order.attempt_id)))
    assert first is not None
    assert claim is not None
    os.kill(claim["pid"], signal.SIGKILL)
    end = own_world.end(order)
    assert end.sight == AttemptSight.LOST
    assert not records.is_alive(first, records.boot_id())


def test_an_attempt_of_an_earlier_boot_is_lost(own_world: World) -> None:
    order = own_world.shell("sleep 60")
    directory = str(own_world.engine.directories.attempt(order.attempt_id))
    own_world.engine.kill(order.attempt_id)
    own_world.end(order)
    claim = records.read_claim(directory)
    assert claim is not None
    # The id lives on in another process: this one.
    claim["pid"], claim["boot"] = os.getpid(), "another boot"
    records.write_record(directory, records.CLAIM, claim)
    os.unlink(os.path.join(directory, records.EXIT))
    world = reopened(own_world)
    assert world.end(order).detail == "the node rebooted"


def test_a_process_with_the_same_id_is_not_taken_for_the_shim(own_world: World) -> None:
    boot = records.boot_id()
    mine = records.identify(os.getpid(), boot)
    assert mine is not None
    assert records.is_alive(mine, boot)
    other = records.Identity(pid=mine["pid"], start=mine["start"] + 1, boot=boot)
    assert not records.is_alive(other, boot)
    assert not records.signal_process(other, signal.SIGKILL, boot)


def test_an_intent_whose_server_died_starts_when_repeated(own_world: World) -> None:
    order = own_world.order("/bin/bash", "-c", "exit 5")
    directory = own_world.engine.directories.attempt(order.attempt_id)
    directory.mkdir(parents=True)
    (directory / records.ORDER).write_text("{}")
    world = reopened(own_world)
    assert world.engine.observe() == []
    world.engine.start(order)
    assert world.end(order).exit_code == 5


def test_an_attempt_runs_once_however_often_it_is_started(own_world: World) -> None:
    order = own_world.shell("echo run >> runs; sleep 0.2")
    own_world.engine.start(order)
    again = own_world.open()
    again.start(order)
    # Even a server that never saw the claim cannot start it twice.
    again._attempts.clear()
    again.start(order)
    own_world.end(order)
    again._attempts.clear()
    again.start(order)
    assert own_world.engine.open_file(order.lease_id, "runs").read() == b"run\n"


def test_term_reaches_the_jobs_own_handler(world: World) -> None:
    order = world.shell("trap 'echo saved; exit 9' TERM; touch up; while :; do sleep 0.02; done")
    assert eventually(lambda: world.has_file(order, "up"))
    world.engine.stop(order.attempt_id)
    assert world.end(order).exit_code == 9
    assert world.log(order) == "saved\n"


def test_term_goes_to_the_job_alone_not_to_its_children(world: World) -> None:
    script = """
bash -c "trap 'echo child got it' TERM; touch child; while :; do sleep 0.02; done" &
trap 'echo parent got it; exit 1' TERM; touch up; while :; do sleep 0.02; done
"""
    order = world.shell(script)
    assert eventually(lambda: world.has_file(order, "up") and world.has_file(order, "child"))
    world.engine.stop(order.attempt_id)
    world.end(order)
    assert world.log(order) == "parent got it\n"


def test_a_stop_that_comes_before_the_job_is_not_lost(world: World) -> None:
    order = world.start("/bin/sleep", "60")
    world.engine.stop(order.attempt_id)
    assert world.end(order).exit_code == 143


def test_two_engines_with_different_instances_coexist(tmp_path: Path) -> None:
    one, two = World(tmp_path / "one"), World(tmp_path / "two")
    same = {"attempt_id": "att_same", "lease_id": "lse_same"}
    first, second = one.shell("sleep 60", **same), two.shell("sleep 0.3; exit 2", **same)
    one.engine.kill(first.attempt_id)
    assert one.end(first).exit_code == 137
    assert two.end(second).exit_code == 2
    if IS_ROOT:
        uids = [w.engine._uids.uid_of("ten_a") for w in (one, two) if w.engine._uids]
        assert uids[0] != uids[1]
    one.close()
    two.close()


def test_missing_bwrap_refuses_rather_than_runs_bare(tmp_path: Path) -> None:
    world = World(tmp_path / "data", bwrap="/no/such/bwrap")
    health = world.engine.health()
    assert not health.available
    assert health.reason == ("sandbox (bubblewrap is missing: `apt-get install bubblewrap`)")
    with pytest.raises(Unavailable, match="engine_unavailable"):
        world.shell("touch ran")
    assert world.engine.observe() == []
    world.close()


@pytest.mark.parametrize(
    ("weaker", "named"),
    [
        (["--unshare-net"], "connect out"),
        (["--remount-ro"], "write /usr"),
        (["--seccomp"], "privileges"),
        (["--seccomp", "--disable-userns"], "nested user namespace"),
    ],
)
def test_a_sandbox_with_a_hole_is_refused_by_name(
    open_path: Path, weaker: list[str], named: str
) -> None:
    # A bubblewrap that leaves one wall out: it drops an argument from its list.
    fake = open_path / "bwrap"
    fake.write_text(
        f"""#!/usr/bin/python3 -IS
import os, sys
handle = int(sys.argv[2])
given = os.read(handle, 1 << 20).split(b"\\0")
for drop in {weaker!r}:
    at = given.index(drop.encode())
    del given[at : at + (2 if drop in ("--seccomp", "--remount-ro") else 1)]
again = os.memfd_create("arguments", 0)
os.write(again, b"\\0".join(given))
os.lseek(again, 0, 0)
os.execve("/usr/bin/bwrap", ["bwrap", "--args", str(again), *sys.argv[3:]], {{}})
"""
    )
    fake.chmod(0o755)
    world = World(open_path / "data", bwrap=str(fake))
    health = world.engine.health()
    assert not health.available
    assert named in health.reason
    with pytest.raises(Unavailable):
        world.shell("true")
    world.close()


def test_probes_are_quick_and_leave_nothing(own_world: World) -> None:
    begun = time.monotonic()
    assert own_world.engine.probe().available
    assert time.monotonic() - begun < 5.0  # a third of a second on an idle machine
    assert own_world.engine.observe() == []
    assert list(own_world.engine.directories.attempts.iterdir()) == []
    assert list(own_world.engine.directories.leases.iterdir()) == []


def test_start_is_prompt(world: World) -> None:
    took = []
    for _ in range(5):
        order = world.order("/bin/true")
        begun = time.monotonic()
        world.engine.start(order)
        took.append(time.monotonic() - begun)
        world.end(order)
    assert min(took) < 0.5  # 0.07 s on an idle machine


def test_observing_starts_no_process_and_is_cheap(world: World) -> None:
    order = world.start("/bin/sleep", "60")
    begun = time.process_time()
    for _ in range(100):
        world.engine.observe()
    assert time.process_time() - begun < 2.0
    world.engine.kill(order.attempt_id)
    world.end(order)


def test_durations_do_not_follow_a_clock_that_jumps(tmp_path: Path) -> None:
    clock = {"ms": 1_000}  # a server whose clock is decades behind
    world = World(tmp_path / "data", now_ms=lambda: clock["ms"])
    order = world.shell("sleep 0.2")
    seen = world.see(order)
    assert seen is not None
    assert seen.busy_ms == 0
    end = world.end(order)
    assert end.ended_at_ms is not None
    assert 200 <= end.ended_at_ms - end.started_at_ms < 5_000
    world.close()


@pytest.mark.skipif(not IS_ROOT, reason="only root can become somebody else")
def test_a_normal_user_gets_the_same_walls(open_path: Path) -> None:
    if not os.path.exists("/usr/bin/python3.11"):
        pytest.skip("needs a Python that every user can run")
    here = Path(__file__).parent
    home = open_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    source = next(p for p in sys.path if (Path(p) / "comptoir" / "engines").is_dir())
    ran = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
         "/usr/bin/python3.11", "-B", str(here / "as_normal_user.py"), str(home)],
        env={"PYTHONPATH": f"{source}:{here.parent.parent}", "HOME": str(home)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_command_that_does_not_exist_ends_as_shells_say_it(own_world: World) -> None:
    end = own_world.end(own_world.start("no-such-command-anywhere"))
    assert end.exit_code == 127
    assert end.detail == "no such command: no-such-command-anywhere"
