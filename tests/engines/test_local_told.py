"""A job reads why it is stopped before it is signalled, and can change nothing about it."""

import json
from dataclasses import replace

from comptoir.desk.engine_port import StartOrder, StopKind, StopNotice
from comptoir.units.ids import JobId, LeaseId
from tests.engines.local_world import World, eventually

READS_ON_TERM = """
trap 'cat "$COMPTOIR_NOTICE_FILE"; exit 9' TERM
[ -e "$COMPTOIR_NOTICE_FILE" ] && echo told already
touch up
while :; do sleep 0.02; done
"""


def notice(order: StartOrder) -> StopNotice:
    return StopNotice(
        StopKind.ENDING, "window_end", order.lease_id, JobId("job_t"), 1, 1_000, 6_000, False
    )


def test_a_job_reads_its_notice_in_its_handler(world: World) -> None:
    order = world.shell(READS_ON_TERM)
    assert eventually(lambda: world.has_file(order, "up"))
    world.engine.tell(order.attempt_id, notice(order))
    world.engine.stop(order.attempt_id)
    assert world.end(order).exit_code == 9
    assert json.loads(world.log(order)) == notice(order).document()


def test_a_job_can_neither_write_nor_remove_its_notice(world: World) -> None:
    order = world.shell(
        "touch up; until [ -e $COMPTOIR_NOTICE_FILE ]; do sleep 0.02; done; "
        "echo mine > $COMPTOIR_NOTICE_FILE && echo written; rm -f $COMPTOIR_NOTICE_FILE "
        "&& echo removed; touch $(dirname $COMPTOIR_NOTICE_FILE)/x && echo made; "
        "ls -a $(dirname $COMPTOIR_NOTICE_FILE)"
    )
    assert eventually(lambda: world.has_file(order, "up"))
    world.engine.tell(order.attempt_id, notice(order))
    world.end(order)
    said = world.log(order).splitlines()
    assert not {"written", "removed", "made"} & set(said)
    assert said[-3:] == [".", "..", "notice.json"]


def test_the_place_of_the_notice_is_the_engines_to_say(world: World) -> None:
    given = (("COMPTOIR_NOTICE_FILE", "/lease/mine"),)
    _, log = world.run("echo $COMPTOIR_NOTICE_FILE", environment=given)
    assert log == "/run/comptoir/notice.json\n"


def test_an_adopted_job_is_told_too_and_an_ended_one_is_not(own_world: World) -> None:
    order = own_world.shell(READS_ON_TERM)
    assert eventually(lambda: own_world.has_file(order, "up"))
    own_world.engine = own_world.open()
    own_world.engine.tell(order.attempt_id, replace(notice(order), reason="other"))
    own_world.engine.tell(order.attempt_id, notice(order))
    own_world.engine.stop(order.attempt_id)
    own_world.end(order)
    assert json.loads(own_world.log(order))["reason"] == "window_end"
    own_world.engine.tell(order.attempt_id, replace(notice(order), reason="too late"))
    told = own_world.engine.directories.told(order.attempt_id) / "notice.json"
    assert json.loads(told.read_text())["reason"] == "window_end"


def test_each_job_sees_its_own_notices_only(world: World) -> None:
    first, second = (world.shell(READS_ON_TERM, accelerators=(n,)) for n in (0, 1))
    assert eventually(lambda: world.has_file(first, "up") and world.has_file(second, "up"))
    for order in (first, second):
        world.engine.tell(order.attempt_id, notice(order))
    for order in (first, second):
        world.engine.stop(order.attempt_id)
        world.end(order)
        assert json.loads(world.log(order))["lease"] == order.lease_id
    assert LeaseId(first.lease_id) != second.lease_id
