"""Every notice that a subscription wants is sent at least once, in order, whatever dies."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comptoir.desk import notice_loop
from comptoir.desk.desk import Call
from comptoir.desk.notice_loop import MOST_AT_A_TENANT, NoticeLoop
from comptoir.desk.notice_port import Parcel, Sent
from comptoir.desk.notice_requests import (
    CreateSubscription,
    Redeliver,
    RotateSecret,
    SettleDeliveries,
    SubscriptionRef,
)
from comptoir.desk.notices import notice_id, notice_seq
from comptoir.desk.ports import Changes
from comptoir.desk.requests import SetQuota
from comptoir.store.views import Views, lists
from comptoir.store.views.reading import Ask
from comptoir.tenants.parties import Actor, Role, Tenant
from comptoir.tenants.subscriptions import (
    FIRST_DELAY_MS,
    MAIL_EVERY_MS,
    MOST_AGAIN,
    MOST_TRIES,
    Delivery,
    Subscription,
    SubscriptionKind,
    SubscriptionState,
    delay_ms,
)
from comptoir.units.errors import Conflict, Forbidden, Invalid, NotFound, Refused, Unavailable
from comptoir.units.ids import SubscriptionId
from tests.builders import Book

OK = Sent(True, 204, "", 3)
BUSY = Sent(False, 503, "it answered 503", 3)
GONE = Sent(False, 410, "it wants nothing more", 3, gone=True)
URL = "https://hooks.example.org/secret/path"


@dataclass
class Post:
    """A sender that keeps what it is given, and answers as it is told."""

    key_mark: str = "mark"
    answer: Callable[[Parcel], Sent] = lambda _: OK
    sent: list[tuple[str, tuple[str, ...], bool]] = field(default_factory=list)

    def check(self, kind: SubscriptionKind, target: str) -> None:
        pass

    def secret(self, subscription: Subscription) -> str | None:
        return None

    def send(self, parcel: Parcel, at_ms: int) -> Sent:
        answer = self.answer(parcel)
        ids = tuple(notice.id for notice in parcel.notices)
        self.sent.append((parcel.subscription.id, ids, answer.delivered))
        return answer

    def arrived(self, one: Subscription) -> list[str]:
        """What a subscription's receiver has got, repetitions included."""
        return [id for to, ids, ok in self.sent if to == one.id and ok for id in ids]


class World:
    """A book, two tenants, and the loop; `die` is a loop that is gone before it settles."""

    def __init__(self, directory: Path) -> None:
        self.book = Book(directory)
        self.post = Post()
        self.acme, self.zenith = self.book.tenant("acme"), self.book.tenant("zenith")
        self.admin = self.book.user(Role.TENANT_ADMIN, tenant=self.acme)
        self.other = self.book.user(Role.TENANT_ADMIN, tenant=self.zenith)
        self.dies = False
        self.restart()

    def restart(self) -> None:
        desk = self.book.desk

        def submit(settled: SettleDeliveries) -> None:
            if self.dies:
                raise Unavailable("stopping", "the desk is gone")
            desk.call("settle_deliveries", settled)

        desk._listeners.clear()
        self.loop = NoticeLoop(
            lambda: self.book.desk.book, self.book.store, self.post, submit, lambda _: 0
        )
        desk.listen(self.loop.hear)

    def subscribe(
        self, actor: Actor, *types: str, kind: SubscriptionKind = SubscriptionKind.WEBHOOK
    ) -> Subscription:
        target = URL if kind is SubscriptionKind.WEBHOOK else "ada@example.org"
        request = CreateSubscription(kind, target, types or ("*",), key_mark="mark")
        return self.book.desk.call("create_subscription", request, actor)

    def quota(self, tenant: Tenant, number: int = 1) -> str:
        """One notice of a tenant; its id."""
        self.book.desk.call("set_quota", SetQuota(tenant.id, "cpu-core", number))
        return notice_id(self.book.desk.book.last_seq["event"])

    def send(self, rounds: int = 1) -> None:
        for _ in range(rounds):
            for id in self.loop.due(self.book.clock.now_ms()):
                self.loop.serve(id, self.book.clock.now_ms)

    def send_all(self) -> None:
        for _ in range(200):
            due = self.loop.due(self.book.clock.now_ms())
            if not due:
                return
            for id in due:
                self.loop.serve(id, self.book.clock.now_ms)
        raise AssertionError("it never comes to rest")

    def now(self, one: Subscription) -> Subscription:
        return self.book.desk.book.subscriptions[one.id]

    def deliveries(self, one: Subscription) -> list[Delivery]:
        page = lists.deliveries(Views(self.book.store.engine), Ask(500), one.id)
        return list(page.items)

    def do(self, operation: str, one: Subscription, actor: Actor | None = None) -> Subscription:
        return self.book.desk.call(operation, SubscriptionRef(one.id), actor or self.admin)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_happens_is_sent_in_order_and_settled(world: World) -> None:
    before = world.quota(world.acme)
    one = world.subscribe(world.admin, "quota.*")
    ids = [world.quota(world.acme, n) for n in range(40)]
    world.send_all()
    assert world.post.arrived(one) == ids
    assert before not in ids
    assert world.now(one).cursor == notice_seq(ids[-1])
    tries = world.deliveries(one)
    assert [d.number for d in tries] == [*range(40, 0, -1)]
    assert all(d.delivered and d.status == 204 and not d.again for d in tries)
    world.send_all()
    assert len(world.post.sent) == 40


def test_a_tenant_is_sent_its_own_and_the_house_all(world: World) -> None:
    mine = world.subscribe(world.admin, "quota.set")
    theirs = world.subscribe(world.other, "quota.set")
    house = world.subscribe(world.book.operator, "quota.*", "node.*")
    seen: dict[str, set[str]] = {}

    def keep(parcel: Parcel) -> Sent:
        seen.setdefault(parcel.subscription.id, set()).update(parcel.notices[0].data)
        return OK

    world.post.answer = keep
    a, z = world.quota(world.acme), world.quota(world.zenith)
    world.send_all()
    assert world.post.arrived(mine) == [a]
    assert world.post.arrived(theirs) == [z]
    assert world.post.arrived(house) == [a, z]


def test_a_failing_receiver_is_waited_for_and_nothing_overtakes(world: World) -> None:
    one = world.subscribe(world.admin, "quota.set")
    first, second = world.quota(world.acme), world.quota(world.acme, 2)
    world.post.answer = lambda _: BUSY
    for failures in range(1, 6):
        world.send()
        now = world.now(one)
        assert (now.failures, now.state) == (failures, SubscriptionState.ACTIVE)
        wait_ms = now.next_try_at_ms - world.book.clock.now_ms()
        assert wait_ms == delay_ms(failures, 0)
        world.book.clock.instant_ms += wait_ms - 1
        assert world.loop.due(world.book.clock.now_ms()) == []
        world.book.clock.instant_ms += 1
    assert {ids for _, ids, _ in world.post.sent} == {(first,)}
    world.post.answer = lambda _: OK
    world.send_all()
    assert world.post.arrived(one) == [first, second]
    assert world.now(one).failures == 0
    statuses = [(d.status, d.delivered) for d in world.deliveries(one)]
    assert statuses == [(204, True), (204, True), *[(503, False)] * 5]


def test_a_receiver_may_ask_for_a_longer_wait(world: World) -> None:
    one = world.subscribe(world.admin)
    world.quota(world.acme)
    world.post.answer = lambda _: Sent(False, 429, "later", 0, retry_after_ms=90_000)
    world.send()
    assert world.now(one).next_try_at_ms == world.book.clock.now_ms() + 90_000


def test_after_its_last_try_a_subscription_is_disabled_told_and_goes_on_when_enabled(
    world: World,
) -> None:
    one = world.subscribe(world.admin, "quota.set")
    watching = world.subscribe(world.admin, "subscription.*")
    first = world.quota(world.acme)
    world.post.answer = lambda parcel: BUSY if parcel.subscription.id == one.id else OK
    for _ in range(MOST_TRIES):
        world.send()
        world.book.clock.instant_ms = max(
            world.now(one).next_try_at_ms, world.book.clock.instant_ms
        )
    now = world.now(one)
    assert now.state is SubscriptionState.DISABLED
    assert now.reason == f"{MOST_TRIES} tries in a row failed; the last: it answered 503"
    world.send_all()
    assert len(world.post.arrived(watching)) == 1
    second = world.quota(world.acme)
    world.restart()
    world.send_all()
    assert world.post.arrived(one) == []
    world.post.answer = lambda _: OK
    world.do("enable_subscription", one)
    world.send_all()
    assert world.post.arrived(one) == [first, second]
    assert (world.now(one).failures, world.now(one).reason) == (0, "")


def test_a_receiver_that_is_gone_is_not_tried_again(world: World) -> None:
    one = world.subscribe(world.admin)
    world.quota(world.acme)
    world.post.answer = lambda _: GONE
    world.send(3)
    assert world.now(one).state is SubscriptionState.DISABLED
    assert world.now(one).reason == "it wants nothing more"
    assert len(world.post.sent) == 1


def test_what_was_sent_and_not_settled_is_sent_again_under_the_same_id(world: World) -> None:
    one = world.subscribe(world.admin, "quota.set")
    ids = [world.quota(world.acme, n) for n in range(3)]
    world.dies = True
    world.send()
    assert world.now(one).cursor < notice_seq(ids[0])
    world.dies = False
    world.restart()
    world.send_all()
    assert world.post.arrived(one) == ids * 2


def test_a_settling_that_fails_is_not_tried_in_a_hurry(world: World) -> None:
    one = world.subscribe(world.admin, "quota.set")
    id = world.quota(world.acme)
    world.dies = True
    world.send(50)
    assert world.post.arrived(one) == [id]
    world.dies = False
    world.book.clock.instant_ms += notice_loop.AGAIN_AFTER_MS
    world.send_all()
    assert world.post.arrived(one) == [id, id]


def test_nothing_follows_from_what_was_not_committed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Changes) -> None:
        raise Unavailable("disk_full", "no room")

    real = world.book.store.commit
    monkeypatch.setattr(world.book.store, "commit", full)
    with pytest.raises(Unavailable):
        world.subscribe(world.admin)
    one = None
    monkeypatch.setattr(world.book.store, "commit", real)
    world.quota(world.acme)
    world.send_all()
    assert world.post.sent == []
    one = world.subscribe(world.admin)
    monkeypatch.setattr(world.book.store, "commit", full)
    with pytest.raises(Unavailable):
        world.quota(world.acme)
    world.send_all()
    assert (world.post.sent, one.state) == ([], SubscriptionState.ACTIVE)


def test_a_test_goes_to_the_one_that_is_tested_even_while_it_is_disabled(world: World) -> None:
    one, other = world.subscribe(world.admin, "quota.set"), world.subscribe(world.admin)
    world.quota(world.acme)
    world.post.answer = lambda p: GONE if p.subscription.id == one.id else OK
    world.send_all()
    world.post.answer = lambda _: OK
    world.post.sent.clear()
    world.do("send_test", one)
    world.send_all()
    (test,) = world.post.arrived(one)
    assert test not in world.post.arrived(other)
    assert world.now(one).again == ()
    newest = world.deliveries(one)[0]
    assert (newest.again, newest.delivered, notice_id(newest.event_seq)) == (True, True, test)
    assert world.now(one).state is SubscriptionState.DISABLED


def test_a_notice_is_delivered_again_when_asked_for_once(world: World) -> None:
    one = world.subscribe(world.admin, "quota.set")
    ids = [world.quota(world.acme, n) for n in range(3)]
    world.send_all()
    request = Redeliver(one.id, notice_seq(ids[1]))
    world.post.answer = lambda _: BUSY
    world.book.desk.call("redeliver", request, world.admin)
    cursor = world.now(one).cursor
    world.send_all()
    assert (world.now(one).again, world.now(one).failures) == ((), 0)
    world.post.answer = lambda _: OK
    world.book.desk.call("redeliver", request, world.admin)
    world.send_all()
    assert world.post.arrived(one) == [*ids, ids[1]]
    assert world.now(one).cursor >= cursor


def test_what_concerns_others_cannot_be_asked_for(world: World) -> None:
    one = world.subscribe(world.admin)
    theirs = world.quota(world.zenith)
    untold = notice_id(1)  # the opening of the book is told to nobody
    for id in (theirs, untold, "nt_9999999"):
        with pytest.raises(NotFound):
            world.book.desk.call("redeliver", Redeliver(one.id, notice_seq(id)), world.admin)
    for operation in ("delete_subscription", "enable_subscription", "send_test"):
        with pytest.raises(NotFound):
            world.do(operation, one, world.other)
    member = world.book.user(Role.TENANT_MEMBER, tenant=world.acme)
    with pytest.raises(Forbidden):
        world.subscribe(member)
    with pytest.raises(NotFound):
        world.book.desk.call(
            "create_subscription",
            CreateSubscription(SubscriptionKind.WEBHOOK, URL, ("*",), tenant_id=world.zenith.id),
            world.admin,
        )


def test_how_much_can_be_asked_for_is_bounded(world: World) -> None:
    one = world.subscribe(world.admin)
    ids = [world.quota(world.acme, n) for n in range(MOST_AGAIN + 1)]
    for id in ids[:-1]:
        world.book.desk.call("redeliver", Redeliver(one.id, notice_seq(id)), world.admin)
    with pytest.raises(Refused, match="too_many_waiting"):
        world.book.desk.call("redeliver", Redeliver(one.id, notice_seq(ids[-1])), world.admin)
    for _ in range(19):
        world.subscribe(world.admin)
    with pytest.raises(Refused, match="too_many_subscriptions"):
        world.subscribe(world.admin)
    world.do("delete_subscription", one)
    world.subscribe(world.admin)
    with pytest.raises(Invalid, match="unknown_notice_type"):
        world.subscribe(world.other, "lease.unheard_of")
    request = CreateSubscription(SubscriptionKind.WEBHOOK, URL, ())
    with pytest.raises(Invalid, match="out_of_range"):
        world.book.desk.call("create_subscription", request, world.other)


def test_a_deleted_subscription_is_sent_nothing_and_what_is_late_changes_nothing(
    world: World,
) -> None:
    one = world.subscribe(world.admin)
    world.quota(world.acme)
    world.do("delete_subscription", one)
    world.send_all()
    world.book.desk.call("settle_deliveries", SettleDeliveries(one.id))
    assert world.post.sent == []
    assert one.id not in world.book.desk.book.subscriptions
    with pytest.raises(NotFound):
        world.do("send_test", one)
    world.book.desk.reload()
    assert one.id not in world.book.desk.book.committed_subscriptions


def test_only_a_webhook_has_a_secret_and_a_new_key_leaves_no_old_one(world: World) -> None:
    one = world.subscribe(world.admin)
    mail = world.subscribe(world.admin, kind=SubscriptionKind.MAIL)
    rotate = world.book.desk.call
    turned = rotate("rotate_secret", RotateSecret(one.id, "mark"), world.admin)
    assert turned.generation == 2
    assert turned.previous_until_ms == world.book.clock.now_ms() + 86_400_000
    turned = rotate("rotate_secret", RotateSecret(one.id, "another"), world.admin)
    assert (turned.generation, turned.key_mark, turned.previous_until_ms) == (3, "another", None)
    with pytest.raises(Conflict, match="no_secret"):
        rotate("rotate_secret", RotateSecret(mail.id, "mark"), world.admin)


def test_notices_that_come_close_together_are_one_mail(world: World) -> None:
    one = world.subscribe(world.admin, "quota.set", kind=SubscriptionKind.MAIL)
    first = world.quota(world.acme)
    world.send_all()
    rest = [world.quota(world.acme, n) for n in range(70)]
    world.send_all()
    assert [ids for _, ids, _ in world.post.sent] == [(first,)]
    world.book.clock.instant_ms += MAIL_EVERY_MS
    world.send_all()
    world.book.clock.instant_ms += MAIL_EVERY_MS
    world.send_all()
    assert [len(ids) for _, ids, _ in world.post.sent] == [1, 50, 20]
    assert world.post.arrived(one) == [first, *rest]
    assert [d.notices for d in world.deliveries(one)] == [20, 50, 1]


def test_a_mailbox_is_sent_one_test_a_minute_however_many_are_asked_for(world: World) -> None:
    one = world.subscribe(world.admin, "quota.set", kind=SubscriptionKind.MAIL)
    for _ in range(3):
        world.do("send_test", one)
        world.send_all()
    for sent in (1, 2, 3):
        assert len(world.post.sent) == sent
        world.book.clock.instant_ms += MAIL_EVERY_MS - 1
        world.send_all()
        assert len(world.post.sent) == sent
        world.book.clock.instant_ms += 1
        world.send_all()
    assert len(world.post.sent) == 3
    for _ in range(MOST_AGAIN):
        world.do("send_test", one)
    with pytest.raises(Refused, match="too_many_waiting"):
        world.do("send_test", one)


def test_the_url_of_a_webhook_is_in_no_event(world: World) -> None:
    one = world.subscribe(world.admin)
    for operation in ("send_test", "delete_subscription"):
        world.do(operation, one)
    events = lists.events(Views(world.book.store.engine), Ask(500), subject=one.id).items
    assert len(events) == 3
    assert "secret/path" not in repr(events)
    assert all(event.data["place"] == "https://hooks.example.org" for event in events)


def test_a_quiet_subscription_moves_on_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice_loop, "FAR_BEHIND", 20)
    one = world.subscribe(world.admin, "invoice.*")
    world.send_all()
    for n in range(30):
        newest = world.quota(world.acme, n)
    world.send_all()
    assert world.now(one).cursor == one.cursor
    world.loop.look_again()
    world.send_all()
    assert world.now(one).cursor == notice_seq(newest)
    assert world.deliveries(one) == []


def test_a_tenant_holds_only_a_few_threads(world: World) -> None:
    many = [world.subscribe(world.admin) for _ in range(MOST_AT_A_TENANT + 3)]
    few = world.subscribe(world.other)
    world.quota(world.acme)
    world.quota(world.zenith)
    due = world.loop.due(world.book.clock.now_ms())
    assert len(due) == MOST_AT_A_TENANT + 1
    assert few.id in due
    left = world.loop.due(world.book.clock.now_ms(), [*due[:2], many[0].id])
    assert not set(left) & {*due[:2], many[0].id}
    assert len(left) <= MOST_AT_A_TENANT


def test_a_bug_in_a_sender_loses_nothing(world: World) -> None:
    one = world.subscribe(world.admin, "quota.set")
    id = world.quota(world.acme)

    def breaks(_: Parcel) -> Sent:
        raise RuntimeError("a bug")

    world.post.answer = breaks
    world.send()
    assert world.deliveries(one)[0].detail == "a bug of the server: RuntimeError"
    world.post.answer = lambda _: OK
    world.book.clock.instant_ms += FIRST_DELAY_MS
    world.send_all()
    assert world.post.arrived(one) == [id]


def test_old_tries_are_forgotten(world: World) -> None:
    one = world.subscribe(world.admin)
    world.quota(world.acme)
    world.send_all()
    world.book.clock.instant_ms += 1_000
    assert world.book.desk.call("forget_deliveries", 2_000) == 0
    assert world.book.desk.call("forget_deliveries", 500) == 1
    assert world.deliveries(one) == []


STEPS = st.lists(
    st.sampled_from(
        ("acme", "acme", "zenith", "node", "serve", "serve", "fail", "recover", "dies", "lives",
         "restart", "wait", "test", "batch")
    ),
    max_size=60,
)  # fmt: skip


@given(STEPS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_happens_each_notice_arrives_and_first_arrivals_are_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    world = World(tmp_path_factory.mktemp("loop"))
    mine = world.subscribe(world.admin, "quota.set")
    house = world.subscribe(world.book.operator, "quota.set")
    wanted: dict[SubscriptionId, list[str]] = {mine.id: [], house.id: []}

    def happen(tenant: Tenant) -> None:
        id = world.quota(tenant, len(wanted[house.id]) + 1)
        wanted[house.id].append(id)
        if tenant is world.acme:
            wanted[mine.id].append(id)

    for step in steps:
        match step:
            case "acme":
                happen(world.acme)
            case "zenith":
                happen(world.zenith)
            case "batch":
                for _ in range(20):
                    happen(world.acme)
            case "node":
                world.book.desk.execute([Call("set_quota", SetQuota(world.acme.id, "nix", 1))])
            case "serve":
                world.send()
            case "fail":
                world.post.answer = lambda _: BUSY
            case "recover":
                world.post.answer = lambda _: OK
            case "dies":
                world.dies = True
            case "lives":
                world.dies = False
            case "restart":
                world.restart()
            case "wait":
                world.book.clock.instant_ms += 30_000
            case "test":
                world.do("send_test", mine)
    world.dies = False
    world.post.answer = lambda _: OK
    for _ in range(6):
        world.book.clock.instant_ms += 7 * 3_600_000
        world.send_all()
    for one in (mine, house):
        arrived = [id for id in world.post.arrived(one) if id in wanted[one.id]]
        assert list(dict.fromkeys(arrived)) == wanted[one.id]
        assert world.now(one).cursor >= notice_seq((wanted[one.id] or ["nt_0"])[-1])
