"""What a job on the local engine can and cannot see or take."""

import os
import sys
import threading
from pathlib import Path

import pytest

from comptoir.desk.engine_port import AttemptSight
from comptoir.engines.local.shim import records
from comptoir.units.errors import Refused, Unavailable
from tests.engines.local_world import FORK_STORM, IS_ROOT, World, eventually

needs_root = pytest.mark.skipif(not IS_ROOT, reason="control groups and user ids need root")


def test_the_data_directory_is_not_visible(world: World) -> None:
    secret = world.directory / "book.sqlite"
    secret.write_text("secret")
    end, _ = world.run(f"test ! -e {secret} && test ! -e {world.directory}")
    assert end.exit_code == 0


def test_the_system_is_read_only(world: World) -> None:
    _, log = world.run("touch /usr/x /etc/x /x 2>&1; ls /root /home /srv 2>&1")
    assert log.count("Read-only file system") == 3
    assert log.count("No such file") == 3


def test_the_environment_is_what_the_order_says(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_SECRET", "canary-1234")
    _, log = world.run(
        "env; cat /proc/*/environ | tr '\\0' '\\n'", environment=(("GREETING", "hello"),)
    )
    assert "GREETING=hello" in log
    assert "HOME=/lease" in log
    assert "OMP_NUM_THREADS=1" in log
    assert "canary-1234" not in log


def test_only_the_jobs_own_processes_are_visible(world: World) -> None:
    _, log = world.run("ls /proc | grep -E '^[0-9]+$' | wc -l; cat /proc/1/cmdline | tr '\\0' ' '")
    assert int(log.splitlines()[0]) < 10
    assert str(world.directory) not in log


def test_there_is_no_network(world: World) -> None:
    script = "import socket; socket.create_connection(('192.0.2.1', 80), 2)"
    _, log = world.run(f'/usr/bin/python3 -c "{script}" 2>&1; cat /proc/net/dev')
    assert "unreachable" in log
    assert "eth" not in log


@needs_root
def test_root_is_dropped_for_a_user_of_the_tenants_own(world: World) -> None:
    uids = []
    for tenant in ("ten_a", "ten_b"):
        order = world.start("/bin/sleep", "30", tenant_id=tenant)
        attempt = world.engine.attempt(order.attempt_id)
        assert attempt is not None
        assert eventually(attempt.first_process)
        first = attempt.first_process()
        assert first is not None
        uids.append(os.stat(f"/proc/{first['pid']}").st_uid)
        world.engine.kill(order.attempt_id)
        world.end(order)
    assert uids[0] != uids[1]
    assert all(1_900_000_000 <= uid < 1_901_000_000 for uid in uids)


def test_job_runs_on_its_own_cores(world: World) -> None:
    core = world.engine.cores[-1]
    order = world.shell("taskset -p $$", accelerators=(len(world.engine.cores) - 1,))
    world.end(order)
    assert int(world.log(order).split()[-1], 16) == 1 << core


def test_a_job_cannot_take_other_cores(world: World) -> None:
    if len(world.engine.cores) < 2:
        pytest.skip("needs two cores")
    _, log = world.run("taskset -p ffff $$ >/dev/null 2>&1; taskset -p $$")
    assert int(log.split()[-1], 16) == 1 << world.engine.cores[0]


def test_a_fork_storm_is_bounded(world: World) -> None:
    order = world.start("/usr/bin/python3", "-c", FORK_STORM)
    assert world.end(order).exit_code == 0
    assert int(world.log(order)) < 41


@needs_root
def test_more_memory_than_leased_ends_the_job_and_says_so(world: World) -> None:
    order = world.start(
        "/usr/bin/python3", "-c", "print(len(bytearray(200 << 20)))", memory_bytes=64 << 20
    )
    end = world.end(order)
    assert end.exit_code == 137
    assert end.detail == "out of memory (64 MiB)"


def test_work_directory_cap_ends_the_job(world: World) -> None:
    end, _ = world.run(
        "for i in $(seq 20); do head -c 2000000 /dev/zero > f$i; sleep 0.1; done; sleep 20"
    )
    assert end.exit_code == 137
    assert end.detail == "work directory over 8 MiB"


def test_one_file_over_the_cap_is_named_too(world: World) -> None:
    end, _ = world.run("exec head -c 20000000 /dev/zero > big")
    assert end.exit_code not in (0, None)
    assert end.detail == "work directory over 8 MiB"


def test_log_stops_at_its_cap_and_the_job_goes_on(world: World) -> None:
    order = world.shell("head -c 1000000 /dev/zero | tr '\\0' x; exit 3")
    assert world.end(order).exit_code == 3
    page = world.engine.read_log(order.lease_id, order.attempt_id, 0, 1 << 20)
    assert page.data == b"x" * 4096
    assert page.truncated


def test_mounts_appear_read_only_at_the_same_path(world: World, tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    (runtime / "tool").write_text("#!/bin/sh\necho tool runs\n")
    (runtime / "tool").chmod(0o755)
    runtime.chmod(0o755)
    _, log = world.run(f"{runtime}/tool; touch {runtime}/x 2>&1", mounts=(str(runtime),))
    assert "tool runs" in log
    assert "Read-only" in log


def test_a_virtual_environment_beneath_closed_directories_works(world: World) -> None:
    mounts = tuple({sys.base_prefix, sys.prefix})
    script = "import sys, json, ssl, ctypes; print(sys.prefix)"
    order = world.start(sys.executable, "-c", script, mounts=mounts)
    end = world.end(order)
    assert (end.exit_code, world.log(order).strip()) == (0, sys.prefix)


@pytest.mark.parametrize(
    "mount", ["/", "/etc", "/proc/1", "/home", "/root", "~", "relative", "/no/such", "data", "link"]
)
def test_mounts_that_could_hold_secrets_are_refused(
    world: World, tmp_path: Path, mount: str
) -> None:
    (tmp_path / "link").symlink_to("/etc")
    given = {
        "~": os.path.expanduser("~"),
        "data": str(world.directory),
        "link": str(tmp_path / "link"),
    }
    with pytest.raises(Refused) as refusal:
        world.start("/bin/true", mounts=(given.get(mount, mount),))
    assert refusal.value.code == "bad_mount"


def test_two_tenants_never_share_a_core(world: World) -> None:
    order = world.start("/bin/sleep", "60", tenant_id="ten_a")
    other = world.order("/bin/true", tenant_id="ten_b")
    with pytest.raises(Unavailable, match="accelerators_busy"):
        world.engine.start(other)
    world.engine.kill(order.attempt_id)
    world.end(order)
    world.engine.start(other)
    assert world.end(other).exit_code == 0


@pytest.mark.parametrize("cores", [(), (0, 0), (99,), (-1,)])
def test_cores_that_are_not_there_are_refused(world: World, cores: tuple[int, ...]) -> None:
    with pytest.raises(Refused, match="bad_accelerators"):
        world.start("/bin/true", accelerators=cores)


def test_orphans_of_a_job_die_with_it(world: World) -> None:
    order = world.shell("setsid sleep 60 & echo started; exit 4")
    assert world.end(order).exit_code == 4
    record = records.read_exit(str(world.engine.directories.attempt(order.attempt_id)))
    assert record is not None
    assert record["clean"]


def test_kill_at_any_moment_leaves_nothing(world: World) -> None:
    orders = []
    for pause_ms in range(0, 24, 3):
        order = world.shell("sleep 60 & sleep 60")
        threading.Event().wait(pause_ms / 1000)
        world.engine.kill(order.attempt_id)
        orders.append(order)
    ends = [world.end(order, seconds=4) for order in orders]
    assert {end.exit_code for end in ends} == {137}
    assert {end.sight for end in ends} == {AttemptSight.EXITED}


def test_busy_time_is_measured_and_bounded(world: World) -> None:
    end, _ = world.run("for i in $(seq 200000); do :; done")
    assert end.ended_at_ms is not None
    assert 100 <= end.busy_ms <= end.ended_at_ms - end.started_at_ms
