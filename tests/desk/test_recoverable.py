"""Whatever was asked before: nobody passes a limit, a team gets what it is entitled to within the
notice of what is lent, and taking back comes to rest."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.desk.ports import Event
from comptoir.desk.requests import EndEntitlement, ExtendLease, LeaseRef, SetEntitlement
from comptoir.leases.allocation import Allocation
from comptoir.leases.claims import Ground, free_at_ms, ground_of
from comptoir.leases.lease import Lease, LeaseClass, LeaseState, Shape
from comptoir.store.views import Views, lists
from comptoir.tenants.parties import Tenant, TenantKind
from comptoir.units.errors import ComptoirError
from tests.builders import HOUR_MS, Book

INTERNAL, RESERVED, ON_DEMAND, SPOT = LeaseClass
SUPPLIED = (4, 4, 4)
STANDING = (LeaseState.SCHEDULED, LeaseState.ACTIVE, LeaseState.RECLAIMING)
STEP_S = 30


@dataclass(frozen=True)
class Asked:
    """A request of team `a` or `b`, or of a customer in a class that it can have."""

    who: str
    lease_class: LeaseClass
    accelerators: int
    notice_s: int
    starts_in_h: int
    hours: int | None
    recall: bool
    shape: Shape = Shape.SITE


@dataclass(frozen=True)
class Passed:
    """Time passes."""

    seconds: int


@dataclass(frozen=True)
class Ended:
    """The holder of one of the live leases has enough."""

    which: int


@dataclass(frozen=True)
class Extended:
    """The holder of one of the live leases wants it for longer."""

    which: int
    hours: int


@dataclass(frozen=True)
class Entitled:
    """A team is entitled to more, or an entitlement of the list ends."""

    who: str
    accelerators: int


@dataclass(frozen=True)
class Share:
    """What a team is entitled to from the first, and its limits."""

    accelerators: int
    lend_limit: int | None = None
    borrow_limit: int | None = None


Step = Asked | Passed | Ended | Extended | Entitled

asked = st.builds(
    Asked,
    st.sampled_from(("a", "b", "acme")),
    st.sampled_from((RESERVED, ON_DEMAND, SPOT)),
    st.integers(1, 9),
    st.sampled_from((0, 60, 600, 3_600)),
    st.just(0),
    st.sampled_from((None, None, 2, 5)),
    st.booleans(),
)
later = st.builds(
    Asked,
    st.sampled_from(("a", "a", "b", "b", "acme")),
    st.sampled_from((RESERVED, ON_DEMAND, SPOT)),
    st.sampled_from((1, 2, 3, 4, 5, 6, 8)),
    st.sampled_from((0, 60)),
    st.sampled_from((0, 0, 0, 1, 3)),
    st.sampled_from((None, None, 2, 5)),
    st.booleans(),
    st.sampled_from((Shape.SITE, Shape.SITE, Shape.NODE)),
)
claim = st.builds(
    Asked,
    st.sampled_from(("a", "b")),
    st.just(INTERNAL),
    st.sampled_from((1, 2, 3, 4, 6)),
    st.just(60),
    st.just(0),
    st.none(),
    st.just(value=False),
)
passed = st.builds(Passed, st.sampled_from((30, 510, 1_200, 4_200)))
ended = st.builds(Ended, st.integers(0, 20))
extended = st.builds(Extended, st.integers(0, 20), st.integers(1, 4))
entitled = st.builds(Entitled, st.sampled_from(("a", "b")), st.integers(0, 6))
limit = st.sampled_from((None, 0, 1, 2, 3))
shares = st.tuples(st.builds(Share, st.integers(1, 7)), st.builds(Share, st.integers(1, 5)))
limited = st.tuples(
    st.builds(Share, st.sampled_from((2, 4, 6)), limit, limit),
    st.builds(Share, st.sampled_from((1, 3, 5)), limit, limit),
)


class Shop:
    """Twelve cores, two teams and a customer, on which steps are taken."""

    def __init__(self, directory: str, shares: tuple[Share, Share]) -> None:
        self.book = Book(Path(directory))
        self.book.price_all()
        self.book.supply(*SUPPLIED, engine="")
        self.tenants: dict[str, Tenant] = {
            "a": self.book.tenant("aa", TenantKind.TEAM),
            "b": self.book.tenant("bb", TenantKind.TEAM),
            "acme": self.book.tenant("acme"),
        }
        self.leases: list[Lease] = []
        self.shares = dict(zip("ab", shares, strict=True))
        for who, share in self.shares.items():
            self.entitle(who, share)

    def take(self, step: Step) -> None:
        """Take a step; what the book refuses, it refuses."""
        with suppress(ComptoirError):
            self._take(step)
        self.book.turn()

    def _take(self, step: Step) -> None:
        match step:
            case Asked():
                self.ask(step)
            case Passed():
                self.book.pass_s(step.seconds)
            case Ended() if (lease := self._pick(step.which)) is not None:
                self.book.desk.call("end_lease", LeaseRef(lease.id), self.book.operator)
            case Extended() if (lease := self._pick(step.which)) is not None:
                ends_ms = (lease.ends_at_ms or 0) + step.hours * HOUR_MS
                request = ExtendLease(lease.id, ends_ms)
                self.book.desk.call("extend_lease", request, self.book.operator)
            case Entitled() if step.accelerators:
                self.entitle(step.who, Share(step.accelerators))
            case Entitled():
                self._end_entitlement(step.who)

    def _pick(self, which: int) -> Lease | None:
        live = [x for x in map(self.book.now, self.leases) if x.state is LeaseState.ACTIVE]
        return live[which % len(live)] if live else None

    def entitle(self, who: str, share: Share) -> None:
        lends = share.lend_limit
        request = SetEntitlement(
            "cpu-core", share.accelerators, self.tenants[who].id,
            lend_limit=None if lends is None else min(lends, share.accelerators),
            borrow_limit=share.borrow_limit,
        )  # fmt: skip
        self.book.desk.call("set_entitlement", request, self.book.operator)

    def _end_entitlement(self, who: str) -> None:
        mine = [x for x in self.book.desk.book.entitlements if x.tenant_id == self.tenants[who].id]
        open_ended = [row for row in mine if row.ends_at_ms is None]
        if open_ended:
            request = EndEntitlement(open_ended[0].id)
            self.book.desk.call("end_entitlement", request, self.book.operator)

    def ask(self, asked: Asked) -> Lease:
        """Teams ask for internal leases, a customer for all others."""
        team, words = asked.who != "acme", {}
        lease_class = INTERNAL if team else asked.lease_class
        now_ms = self.book.clock.instant_ms
        if asked.starts_in_h:
            words["starts_at_ms"] = now_ms + asked.starts_in_h * HOUR_MS
        if asked.hours is not None or lease_class is RESERVED:
            words["ends_at_ms"] = now_ms + (asked.starts_in_h + (asked.hours or 5)) * HOUR_MS
        lease = self.book.lease(
            self.tenants[asked.who],
            lease_class,
            asked.accelerators,
            shape=asked.shape,
            notice_s=min(asked.notice_s, 600) if lease_class is SPOT else asked.notice_s,
            recall=asked.recall and lease_class is RESERVED,
            **words,
        )
        self.leases.append(lease)
        return lease

    def send_home(self) -> None:
        """Whoever waits wants nothing more."""
        for lease in map(self.book.now, self.leases):
            if lease.state is LeaseState.WAITING:
                self.book.desk.call("cancel_lease", LeaseRef(lease.id), self.book.operator)

    def standing(self) -> list[Lease]:
        return [x for x in map(self.book.now, self.leases) if x.state in STANDING]

    def left(self, who: str) -> int:
        """What a team does not use of its own."""
        mine = [x for x in self.standing() if x.tenant_id == self.tenants[who].id]
        return self.shares[who].accelerators - sum(x.accelerators for x in mine)

    def longest_ms(self) -> int:
        """When the last of what gives way, and stands or is to stand, could be gone."""
        now_ms = self.book.clock.instant_ms
        gone = [now_ms]
        for lease in self.standing():
            if ground_of(lease) in (Ground.OWN, Ground.SOLD):
                continue
            begins_ms = max(now_ms, lease.scheduled_start_ms or 0)
            whole_ms = begins_ms + max(lease.notice_s, lease.minimum_runtime_s) * 1_000
            active = lease.state is not LeaseState.SCHEDULED
            gone.append(free_at_ms(lease, now_ms) if active else whole_ms)
        return max(gone)

    def reclaims(self) -> Iterator[tuple[str, str, int]]:
        """Who was to give way to whom, and when that was decided."""
        views = Views(self.book.store.engine)
        events: list[Event] = lists.told_events(
            views, ("lease.reclaim_planned",), None, None, 0, 1_000
        )
        for event in events:
            yield event.subject, event.data["reclaimed_for"], event.at_ms

    # Limits, in plain words: teams that are in no group, one site.

    def check_limits(self) -> None:
        """At no instant from now on is more borrowed or lent than limits say."""
        now_ms = self.book.clock.instant_ms
        standing = [a for a in self.book.desk.book.allocations if a.fenced_at_ms is None]
        for at_ms in {now_ms, *(a.starts_at_ms for a in standing if a.starts_at_ms > now_ms)}:
            there = [a for a in standing if _stands(a, at_ms)]
            used = {who: self._used(there, who) for who in self.tenants}
            asked_of_others = used["acme"] - sum(
                len(a.accelerators) for a in there if self._is_going(a) and not self._team(a)
            )
            could = sum(SUPPLIED)
            for who, share in self.shares.items():
                over = used[who] - share.accelerators
                could -= share.accelerators
                if over > 0:
                    assert share.borrow_limit is None or over <= share.borrow_limit
                    asked_of_others += over
                else:
                    idle = -over
                    could += idle if share.lend_limit is None else min(idle, share.lend_limit)
            going = sum(len(a.accelerators) for a in there if self._is_going(a) and self._team(a))
            assert asked_of_others - going <= could

    def _used(self, there: list[Allocation], who: str) -> int:
        return sum(len(a.accelerators) for a in there if a.tenant_id == self.tenants[who].id)

    def _team(self, allocation: Allocation) -> bool:
        return allocation.tenant_id != self.tenants["acme"].id

    def _is_going(self, allocation: Allocation) -> bool:
        """Whether it gives way to somebody, as it has been told or will be in time."""
        lease = self.book.desk.book.leases[allocation.lease_id]
        return lease.reclaimed_for is not None


def _stands(allocation: Allocation, at_ms: int) -> bool:
    begun = allocation.starts_at_ms <= at_ms
    return begun and (allocation.ends_at_ms is None or at_ms < allocation.ends_at_ms)


@settings(max_examples=60, deadline=None)
@given(
    limited,
    st.lists(
        st.one_of(claim, claim, claim, asked, later, later, passed, ended, extended),
        min_size=6,
        max_size=14,
    ),
)
def test_nobody_borrows_or_is_lent_more_than_limits_say(
    shares: tuple[Share, Share], steps: list[Step]
) -> None:
    with TemporaryDirectory() as directory:
        shop = Shop(directory, shares)
        for step in steps:
            shop.take(step)
            shop.check_limits()


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(shares, limited),
    st.lists(st.one_of(asked, asked, passed, ended), min_size=3, max_size=14),
)
def test_a_team_gets_the_rest_of_its_own_within_the_longest_notice_of_what_is_lent(
    shares: tuple[Share, Share], steps: list[Step]
) -> None:
    with TemporaryDirectory() as directory:
        shop = Shop(directory, shares)
        for step in steps:
            shop.take(step)
            grounds = [(ground_of(x), x.accelerators) for x in shop.standing()]
            for_good = sum(n for ground, n in grounds if ground is Ground.SOLD)
            assert for_good + sum(share.accelerators for share in shares) <= sum(SUPPLIED)
        shop.send_home()
        until_ms = shop.longest_ms() + 2 * STEP_S * 1_000  # turns come late by a step
        rests = {who: shop.left(who) for who in "ab"}
        claims = [
            shop.ask(Asked(who, INTERNAL, rest, 0, 0, None, recall=False))
            for who, rest in rests.items()
            if rest > 0
        ]
        shop.book.turn()  # notices are whole from the turn that gives them
        while shop.book.clock.instant_ms < until_ms:
            left_s = (until_ms - shop.book.clock.instant_ms + 999) // 1_000
            shop.book.pass_s(min(STEP_S, left_s))
        shop.book.turn()
        assert [shop.book.now(x).state for x in claims] == [LeaseState.ACTIVE] * len(claims)


@settings(max_examples=40, deadline=None)
@given(
    st.one_of(shares, limited),
    st.lists(st.one_of(asked, asked, passed, ended, entitled), min_size=3, max_size=16),
)
def test_taking_back_comes_to_rest_and_nobody_is_taken_back_by_whom_it_took_back(
    shares: tuple[Share, Share], steps: list[Step]
) -> None:
    with TemporaryDirectory() as directory:
        shop = Shop(directory, shares)
        for step in steps:
            shop.take(step)
        for _ in range(2 * len(shop.leases) + 12):  # each lease ends or gives way a few times
            shop.book.pass_s(3_600)
        rested_ms = shop.book.clock.instant_ms
        for _ in range(12):
            shop.book.pass_s(3_600)
        reclaims = list(shop.reclaims())
        assert [x for x in reclaims if x[2] > rested_ms] == []
        pairs = {(victim, claimant) for victim, claimant, _ in reclaims}
        if not any(isinstance(step, Entitled) for step in steps):
            assert [x for x in pairs if x[::-1] in pairs] == []
        assert len(reclaims) <= len(shop.leases) ** 2
