"""kill -9 while notices are on their way: none is lost, none overtakes, none changes."""

import itertools
import threading
import time
from pathlib import Path
from typing import Any

from comptoir import Client
from tests.chaos.server import Server
from tests.notices.receiver import Got, receiving, verify

KILLS = 5
KIND = "cpu-core"


class Happenings:
    """Quotas set one after another: each that is acknowledged is a notice that must arrive."""

    def __init__(self, client: Client, tenant: str) -> None:
        self._client, self._tenant = client, tenant
        self._stop = threading.Event()
        self.acknowledged: list[int] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        for number in itertools.count(1):
            if self._stop.is_set():
                return
            self._client.tenants.set_quota(self._tenant, KIND, number)
            self.acknowledged.append(number)
            time.sleep(0.005)


def test_kill_nine_during_deliveries_loses_no_notice(tmp_path: Path) -> None:
    server = Server(tmp_path / "post", "--webhooks-to-loopback")
    server.start()
    try:
        with receiving() as receiver:
            busy = itertools.count(1)

            def answers(_: Got) -> tuple[int, dict[str, str]]:
                time.sleep(0.01)
                return (500 if next(busy) % 40 == 0 else 204), {}

            receiver.answers = answers
            operator = server.client(retries=60, deadline_s=60)
            operator.tenants.create("acme", "Acme", "enterprise")
            made = operator.subscriptions.create(receiver.url, ["quota.set"], tenant="acme")
            followed: list[Any] = []
            follower = threading.Thread(target=_follow, args=(server, followed), daemon=True)
            follower.start()
            happening = Happenings(operator, "acme")
            for _ in range(KILLS):
                time.sleep(0.7)
                server.kill()
                server.start()
            happening.stop()
            told = list(operator.feed.read(["quota.set"], after="nt_0"))
            numbers = [notice["data"]["accelerators"] for notice in told]
            assert set(happening.acknowledged) <= set(numbers)
            wanted = [notice["id"] for notice in told]
            _until(lambda: set(wanted) <= set(receiver.ids), operator, made["id"])
            assert list(dict.fromkeys(receiver.ids)) == wanted
            said: dict[str, Any] = {}
            for got in receiver.got:
                assert verify(made["secret"], got)
                assert said.setdefault(got.id, got.notice) == got.notice
            assert list(said.values()) == told
            _until(lambda: len(followed) >= len(told), operator, made["id"])
            assert [notice["id"] for notice in followed] == wanted
            state = operator.subscriptions.get(made["id"])
            assert state["state"] == "active"
    finally:
        server.stop()


def _follow(server: Server, followed: list[Any]) -> None:
    follower = server.client(retries=0)
    for notice in follower.feed.follow(["quota.set"], after="nt_0"):
        followed.append(notice)


def _until(what: Any, operator: Client, subscription_id: str) -> None:
    """Wait; a receiver that failed is tried again at once, to save the time."""
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline, operator.subscriptions.get(subscription_id)
        if operator.subscriptions.get(subscription_id)["failures"]:
            operator.subscriptions.enable(subscription_id)
        time.sleep(0.2)


def test_a_key_file_that_is_lost_is_said_and_not_signed_around(tmp_path: Path) -> None:
    server = Server(tmp_path / "post", "--webhooks-to-loopback")
    server.start()
    try:
        with receiving() as receiver:
            made = server.client().subscriptions.create(receiver.url, ["tenant.*", "quota.*"])
            assert server.stop() == 0
            key = tmp_path / "post" / "notices.key"
            assert key.stat().st_mode & 0o777 == 0o600
            key.unlink()
            server.start()
            operator = server.client()
            operator.subscriptions.test(made["id"])
            tenant = operator.tenants.create("acme", "Acme", "enterprise")
            operator.tenants.set_quota(tenant["id"], KIND, 1)
            _until(lambda: operator.subscriptions.get(made["id"])["state"] == "disabled", operator,
                   made["id"])  # fmt: skip
            assert "comptoir webhook rotate" in operator.subscriptions.get(made["id"])["reason"]
            assert receiver.got == []
            turned = operator.subscriptions.rotate(made["id"])
            operator.subscriptions.enable(made["id"])
            (got,) = receiver.wait(1)
            assert verify(turned["secret"] or "", got)
    finally:
        server.stop()
