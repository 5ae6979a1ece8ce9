"""Run by test_a_normal_user_gets_the_same_walls under another user, without pytest."""

import json
import os
import sys
from pathlib import Path

from comptoir.desk.engine_port import StopKind, StopNotice
from tests.engines.local_world import FORK_STORM, World, eventually


def main() -> None:
    """Each assertion is a rule that also holds without root."""
    assert os.geteuid() != 0
    world = World(Path(sys.argv[1]) / "data")
    try:
        check(world)
    finally:
        world.close()


def check(world: World) -> None:
    """Start jobs and look."""
    health = world.engine.health()
    assert health.available, health
    assert any("no cgroup" in note for note in health.notes), health

    secret = world.directory / "book.sqlite"
    secret.write_text("secret")
    end, log = world.run(f"cat {secret} 2>&1; touch /usr/x 2>&1; exit 7")
    assert end.exit_code == 7, log
    assert "secret\n" not in log, log

    script = "trap 'cat $COMPTOIR_NOTICE_FILE; exit 9' TERM; touch up; while :; do sleep 0.02; done"
    order = world.shell(script)
    assert eventually(lambda: world.has_file(order, "up"))
    told = StopNotice(StopKind.CANCEL, "why", order.lease_id, order.job_id, 1, 1, 2, False)
    world.engine.tell(order.attempt_id, told)
    world.engine.stop(order.attempt_id)
    assert world.end(order).exit_code == 9
    assert json.loads(world.log(order)) == told.document()

    hog = "b = [bytearray(30 << 20) for _ in range(9)]; import time; time.sleep(20)"
    order = world.start("/usr/bin/python3", "-c", hog, memory_bytes=64 << 20)
    assert world.end(order).exit_code != 0

    spread = "import os, time; os.fork(); os.fork(); b = bytearray(40 << 20); time.sleep(20)"
    order = world.start("/usr/bin/python3", "-c", spread, memory_bytes=96 << 20)
    assert world.end(order).detail == "out of memory (96 MiB)"

    order = world.start("/usr/bin/python3", "-c", FORK_STORM)
    world.end(order)
    assert int(world.log(order)) < 41

    end, log = world.run("taskset -p ffff $$ 2>&1; taskset -p $$")
    assert int(log.split()[-1], 16) == 1 << world.engine.cores[0], log

    order = world.shell("mkdir closed; touch closed/x; chmod 000 closed")
    world.end(order)
    world.engine.delete_directory(order.lease_id)
    assert not world.engine.directories.lease(order.lease_id).exists()


if __name__ == "__main__":
    main()
