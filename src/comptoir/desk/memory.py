"""The book in memory: every live row, indexed for the questions that operations ask.

What has ended is evicted after the commit that ended it; the store keeps it. The
names of the tables here are the names of the tables of the store.
"""

from dataclasses import dataclass

from comptoir.desk.agenda import Agenda
from comptoir.desk.close_memory import ClosingBook
from comptoir.desk.contract_memory import ContractBook
from comptoir.desk.credit_memory import CreditBook
from comptoir.desk.money_memory import MoneyBook
from comptoir.desk.opening_memory import OpeningBook
from comptoir.desk.pending_dues import PendingDues
from comptoir.desk.ports import Loaded
from comptoir.desk.recall_memory import RecallBook
from comptoir.desk.receipt_memory import ReceiptBook
from comptoir.desk.settings import SETTINGS, Setting
from comptoir.desk.tables import Index, Journal, Sums, Table
from comptoir.fleet.nodes import Node, NodeState
from comptoir.fleet.topology import Fabric
from comptoir.leases.allocation import Allocation
from comptoir.leases.breaches import Breach
from comptoir.leases.inbound import InboundLease, InboundState
from comptoir.leases.jobs import FINAL_JOB_STATES, Attempt, Job, JobState, Runtime
from comptoir.leases.lease import FINAL, STANDING, Lease, LeaseClass, LeaseState
from comptoir.leases.policy import DEFAULTS, ClassPolicy
from comptoir.placement.backend import PLAIN, Backend
from comptoir.placement.calendars import Calendars
from comptoir.placement.headroom import Headroom
from comptoir.placement.queue import QueueKey, Shadow, Waiting
from comptoir.placement.snapshot import Snapshot
from comptoir.sales.credit_blocks import CreditBlock
from comptoir.tenants.entitlements import Entitlement, Holder
from comptoir.tenants.parties import Key, Quota, Tenant, User
from comptoir.tenants.subscriptions import Subscription, SubscriptionState
from comptoir.units.ids import (
    AllocationId,
    AttemptId,
    BreachId,
    EntitlementId,
    InboundLeaseId,
    JobId,
    KeyId,
    LeaseId,
    NodeId,
    RuntimeId,
    SeriesId,
    SubscriptionId,
    TenantId,
    UserId,
)

HOUSE = ""
"""Under which the house's own subscriptions are found: it is no tenant."""


@dataclass(frozen=True, slots=True)
class LendingMark:
    """Up to when a team has been credited for what it lent of a kind."""

    tenant_id: TenantId
    kind: str
    settled_until_ms: int


@dataclass(frozen=True, slots=True)
class ReclaimCount:
    """How many leases on a kind were taken back for a stronger request on a UTC day."""

    kind: str
    day_ms: int
    reclaims: int


class Memory:
    """All live tables, their indexes, and the snapshot that placement reads."""

    def __init__(self, kernels: Backend = PLAIN) -> None:
        self.journal = journal = Journal()
        self.snapshot = snapshot = Snapshot(kernels)
        self.headroom = headroom = Headroom(snapshot)
        self.calendars = Calendars(snapshot)
        self.version = 0
        self.counter = 0
        self.last_seq: dict[str, int] = {}
        self.committed_attempts: dict[AttemptId, Attempt] = {}
        """The attempts as last committed: what engines act on, never what might be undone.
        Replaced whole at each change, so that another thread can read it as it is."""
        self.committed_subscriptions: dict[SubscriptionId, Subscription] = {}
        """The subscriptions as last committed: what is sent follows from these alone."""
        self.seen_running_ms: dict[AttemptId, int] = {}
        """When an engine last saw an attempt running, since this memory was loaded."""
        self.settled = True
        """Whether it is known what the store holds: while it is not, engines get no orders."""
        self._keep_marks()

        self.tenants = Table[TenantId, Tenant]("tenant", lambda r: r.id, journal)
        self.quotas = Table[tuple[TenantId, str], Quota](
            "quota", lambda r: (r.tenant_id, r.kind), journal
        )
        self.users = Table[UserId, User]("user", lambda r: r.id, journal)
        self.keys = Table[KeyId, Key]("key", lambda r: r.id, journal)
        self._make_lease_tables(journal, snapshot, headroom)
        self.money = MoneyBook(journal)
        self.contracts = ContractBook(journal)
        self.recalls = RecallBook(self.leases, self.contracts)
        self.credit = CreditBook(journal)
        self.closing = ClosingBook(journal, self.money.accruals)
        self.pending = PendingDues(self.money, self.credit, self.contracts)
        self.receipts = ReceiptBook(journal)
        self.openings = OpeningBook(journal)
        self._make_entitlement_tables(journal)
        self._make_operating_tables(journal)
        self._make_subscriptions(journal)
        self.all_tables: tuple[Table, ...] = (  # type: ignore[type-arg]
            self.tenants, self.quotas, self.users, self.keys, self.inbound, self.nodes,
            self.fabrics, self.runtimes, self.leases, self.allocations, self.breaches, self.jobs,
            self.attempts, self.entitlements, self.policies, self.lending_marks, self.settings,
            self.reclaim_counts, self.subscriptions, *self.money.tables, *self.contracts.tables,
            *self.credit.tables,
            *self.closing.tables, *self.receipts.tables, *self.openings.tables,
        )  # fmt: skip
        self._index()
        self._index_losses()
        self._forget_prices()
        self._keep_agenda()

    def _make_subscriptions(self, journal: Journal) -> None:
        self.subscriptions = Table[SubscriptionId, Subscription](
            "subscription", lambda r: r.id, journal
        )
        self.subscriptions_of = Index[str, Subscription](
            self.subscriptions, lambda s: s.tenant_id or HOUSE
        )

    def _make_lease_tables(self, journal: Journal, snapshot: Snapshot, headroom: Headroom) -> None:
        """What placement reads hears of changes first, what counts it hears after."""
        self.inbound = Table[InboundLeaseId, InboundLease](
            "inbound_lease", lambda r: r.id, journal, snapshot.feed_inbound, headroom.feed_inbound
        )
        self.nodes = Table[NodeId, Node](
            "node", lambda r: r.id, journal, snapshot.feed_node, headroom.feed_node
        )
        self.fabrics = Table[tuple[str, str], Fabric](
            "fabric", lambda r: (r.site, r.cluster), journal
        )
        self.runtimes = Table[RuntimeId, Runtime]("runtime", lambda r: r.id, journal)
        self.leases = Table[LeaseId, Lease](
            "lease",
            lambda r: r.id,
            journal,
            snapshot.feed_lease,
            headroom.feed_lease,
            self.calendars.feed_lease,
            self.waiting.feed,
        )
        self.allocations = Table[AllocationId, Allocation](
            "allocation",
            lambda r: r.id,
            journal,
            snapshot.feed_allocation,
            headroom.feed_allocation,
            self.calendars.feed_allocation,
        )
        self.breaches = Table[BreachId, Breach]("breach", lambda r: r.id, journal)
        self.jobs = Table[JobId, Job]("job", lambda r: r.id, journal)
        self.attempts = Table[AttemptId, Attempt]("attempt", lambda r: r.id, journal)

    def _make_operating_tables(self, journal: Journal) -> None:
        self.settings = Table[str, Setting]("setting", lambda r: r.name, journal)
        self.reclaim_counts = Table[tuple[str, int], ReclaimCount](
            "reclaim_count", lambda r: (r.kind, r.day_ms), journal
        )

    def _make_entitlement_tables(self, journal: Journal) -> None:
        self.entitlements = Table[EntitlementId, Entitlement](
            "entitlement", lambda r: r.id, journal, self.headroom.feed_entitlement
        )
        self.policies = Table[LeaseClass, ClassPolicy]("policy", lambda r: r.lease_class, journal)
        self.lending_marks = Table[tuple[TenantId, str], LendingMark](
            "lending_mark", lambda r: (r.tenant_id, r.kind), journal
        )

    def _keep_marks(self) -> None:
        """What turns have done, and what they will look at: none of it is stored or undone."""
        self.queue_tried_at = -1
        """The snapshot's version at which every waiting lease was last tried in vain."""
        self.queue_resumes_after: tuple[str, QueueKey] | None = None
        """How far the queue was tried when a turn had done enough; None: to its end."""
        self.waiting = Waiting()
        """Who waits, in the order of the queue."""
        self.shadows: dict[str, Shadow] = {}
        """By kind, what the last turn kept for the first that waits, if it had to."""
        self.agenda = Agenda[LeaseId]()
        """The leases that the next turn looks at."""
        self.supply_agenda = Agenda[InboundLeaseId]()
        self.entitlement_agenda = Agenda[EntitlementId]()
        self.node_agenda = Agenda[NodeId]()
        """The nodes that the next turn tends: lost, checked, or due for maintenance."""
        self.checking: dict[NodeId, Node] = {}
        """The nodes in quarantine, as last committed: what the check loops look at."""
        self.replaced_in_vain: dict[LeaseId | NodeId, tuple[int, int]] = {}
        """Snapshot's version, and when, as nothing was found for a lease or a node's holders."""

    def _keep_agenda(self) -> None:
        """Every change of a lease, or of what hangs on it, brings it before the next turn."""
        touch = self.agenda.touch
        self.leases.feed(lambda old, new: touch((new or old).id))  # type: ignore[union-attr]
        self.allocations.feed(lambda old, new: touch((new or old).lease_id))  # type: ignore[union-attr]
        self.allocations.feed(self._wake_neighbours)
        self.attempts.feed(lambda old, new: touch((new or old).lease_id))  # type: ignore[union-attr]
        self.jobs.feed(lambda old, new: touch((new or old).lease_id))  # type: ignore[union-attr]
        self.inbound.feed(lambda old, new: self.supply_agenda.touch((old or new).id))  # type: ignore[union-attr]
        self.entitlements.feed(lambda old, new: self.entitlement_agenda.touch((old or new).id))  # type: ignore[union-attr]
        self.closing.statuses.feed(self.receipts.judge_again)
        self.nodes.feed(self._wake_node)
        self.attempts.feed(self._wake_lost)
        self.allocations.feed(self._wake_loser)

    def _forget_prices(self) -> None:
        """What is agreed with somebody is read anew when it has changed."""
        self.contracts.versions.feed(self.money.forget_prices)
        self.contracts.acts.feed(self.money.forget_prices)
        self.contracts.credit_blocks.feed(self._forget_cuts)
        self.credit.entities.feed(self.money.forget_prices)
        self.credit.admissions.feed(self.money.forget_prices)

    def _forget_cuts(self, old: CreditBlock | None, new: CreditBlock | None) -> None:
        """A block was made or taken away; what is drawn of it changes no price."""
        if old is None or new is None or old.state is not new.state:
            self.money.forget_prices()

    def _wake_neighbours(self, old: Allocation | None, new: Allocation | None) -> None:
        """Something was freed: promises on the same node may be kept now."""
        if old is None or (new is not None and new.fenced_at_ms is None):
            return
        for other in self.snapshot.standing_on(old.node_id):
            if other.delivered_from_ms is None:
                self.agenda.touch(other.lease_id)

    def _wake_node(self, old: Node | None, new: Node | None) -> None:
        """A node changed: what stands or is promised there may be due."""
        if new is None:
            return
        self.replaced_in_vain.clear()
        if new.state is not NodeState.IN_SERVICE or new.maintenance_from_ms is not None:
            self.node_agenda.touch(new.id)
        if old is not None and old.state is not new.state:
            for allocation in self.snapshot.standing_on(new.id):
                self.agenda.touch(allocation.lease_id)

    def _wake_lost(self, old: Attempt | None, new: Attempt | None) -> None:
        """Work on a lost node ended: it may be fenced."""
        if new is not None and new.over and self.lost_on.count(new.node_id):
            self.node_agenda.touch(new.node_id)

    def _wake_loser(self, old: Allocation | None, new: Allocation | None) -> None:
        if new is not None and new.lost:
            self.node_agenda.touch(new.node_id)

    def _index_leases(self) -> None:
        self.leases_by_state = Index[LeaseState, Lease](self.leases, lambda x: x.state)
        self.victims_of = Index[LeaseId, Lease](
            self.leases,
            lambda x: (
                x.reclaimed_for if x.state in (LeaseState.ACTIVE, LeaseState.SCHEDULED) else None
            ),
        )
        self.leases_by_series = Index[SeriesId, Lease](
            self.leases, lambda x: None if x.state in FINAL else x.series
        )
        self.leases_by_tenant = Index[TenantId, Lease](
            self.leases, lambda x: None if x.state in FINAL else x.tenant_id
        )
        self.standing_leases = Index[tuple[TenantId, str], Lease](
            self.leases, lambda x: (x.tenant_id, x.kind) if x.state in STANDING else None
        )
        self.standing_sums = Sums[tuple[TenantId, str], Lease](
            self.leases,
            lambda x: (x.tenant_id, x.kind) if x.state in STANDING else None,
            lambda x: x.accelerators,
        )
        self.borrowed_sums = Sums[tuple[TenantId, str], Lease](
            self.leases,
            lambda x: (x.tenant_id, x.kind) if x.borrowed and x.state in STANDING else None,
            lambda x: x.accelerators,
        )
        self.accelerators_of = Sums[tuple[TenantId, str], Lease](
            self.leases,
            lambda x: None if x.state in FINAL else (x.tenant_id, x.kind),
            lambda x: x.accelerators,
        )
        self.borrowed_leases = Index[str, Lease](
            self.leases, lambda x: x.kind if x.borrowed else None
        )
        self.lent_leases = Index[str, Lease](self.leases, lambda x: x.kind if x.lent else None)

    def _index(self) -> None:
        self.tenant_by_slug = Index[str, Tenant](self.tenants, lambda t: t.slug)
        self.keys_by_prefix = Index[str, Key](self.keys, lambda k: k.prefix)
        self.keys_by_user = Index[UserId, Key](self.keys, lambda k: k.user_id)
        self._index_leases()
        self.queued_jobs = Index[LeaseId, Job](
            self.jobs, lambda j: j.lease_id if j.state is JobState.QUEUED else None
        )
        self.live_attempts = Index[LeaseId, Attempt](
            self.attempts, lambda a: None if a.over else a.lease_id
        )
        self.inbound_by_name = Index[str, InboundLease](
            self.inbound, lambda x: x.name if x.state is InboundState.ACTIVE else None
        )
        self.inbound_by_kind = Index[str, InboundLease](
            self.inbound, lambda x: x.kind if x.state is InboundState.ACTIVE else None
        )
        self.nodes_by_inbound = Index[InboundLeaseId, Node](
            self.nodes, lambda n: None if n.state is NodeState.RETIRED else n.inbound_lease_id
        )
        self.nodes_by_name = Index[str, Node](
            self.nodes, lambda n: None if n.state is NodeState.RETIRED else n.name
        )
        self.entitlements_by_kind = Index[str, Entitlement](self.entitlements, lambda e: e.kind)
        self.entitlements_by_holder = Index[Holder, Entitlement](
            self.entitlements, lambda e: e.holder
        )

    def setting(self, name: str) -> int:
        """The value of a setting, as set or by default."""
        found = self.settings.get(name)
        return SETTINGS[name].default if found is None else found.value

    def _index_losses(self) -> None:
        self.lost_on = Index[NodeId, Allocation](
            self.allocations, lambda a: a.node_id if a.lost else None
        )
        self.short_leases = Index[LeaseState, Lease](
            self.leases, lambda x: x.state if x.lost else None
        )
        self.open_breaches = Index[LeaseId, Breach](
            self.breaches, lambda b: b.lease_id if b.open else None
        )
        self.spares = Index[str, Node](
            self.nodes,
            lambda n: n.kind if n.spare and n.state is NodeState.IN_SERVICE else None,
        )
        self.moving_nodes = Index[bool, Node](
            self.nodes,
            lambda n: (
                True
                if n.state is NodeState.DRAINING and n.maintenance_from_ms is not None
                else None
            ),
        )

    def load(self, loaded: Loaded) -> None:
        """Fill an empty memory with what the store holds."""
        self.version, self.counter = loaded.version, loaded.counter
        self.last_seq = dict(loaded.last_seq)
        self.snapshot.advance(loaded.last_at_ms)
        for table in self.all_tables:
            for row in loaded.rows.get(table.name, ()):
                table.load(row)
        self.committed_attempts = dict(self.attempts.rows)
        self.closing.publish()
        self.openings.publish()
        self.checking = {n.id: n for n in self.nodes if n.state is NodeState.CHECKING}
        self.committed_subscriptions = dict(self.subscriptions.rows)
        self.snapshot.settle()

    def next_seq(self, table: str) -> int:
        """The next number of an append-only table."""
        self.last_seq[table] = self.last_seq.get(table, 0) + 1
        return self.last_seq[table]

    def policy(self, lease_class: LeaseClass) -> ClassPolicy:
        """What the operator has settled for a class, or the default."""
        return self.policies.get(lease_class) or DEFAULTS[lease_class]

    def allocations_of(self, lease_id: LeaseId) -> list[Allocation]:
        """The allocations of a lease that are not settled yet."""
        return list(self.snapshot.allocations_of.get(lease_id, {}).values())

    def publish(self, rows: dict[str, list[object]]) -> None:
        """Let engines, checkers and senders see what a commit has made true."""
        if "subscription" in rows:
            self._publish_subscriptions(rows["subscription"])
        nodes = [node for node in rows.get("node", ()) if isinstance(node, Node)]
        if any(n.state is NodeState.CHECKING or n.id in self.checking for n in nodes):
            kept = {**self.checking, **{node.id: node for node in nodes}}
            self.checking = {n.id: n for n in kept.values() if n.state is NodeState.CHECKING}
        if nodes:
            self.snapshot.settle()
        if "attempt" not in rows:
            return
        committed = dict(self.committed_attempts)
        for attempt in rows["attempt"]:
            assert isinstance(attempt, Attempt)
            if attempt.forgotten:
                committed.pop(attempt.id, None)
            else:
                committed[attempt.id] = attempt
        self.committed_attempts = committed

    def _publish_subscriptions(self, rows: list[object]) -> None:
        committed = dict(self.committed_subscriptions)
        for subscription in rows:
            assert isinstance(subscription, Subscription)
            if subscription.state is SubscriptionState.DELETED:
                committed.pop(subscription.id, None)
            else:
                committed[subscription.id] = subscription
        self.committed_subscriptions = committed

    def evict_ended(self, rows: dict[str, list[object]]) -> None:
        """Drop what the commit of `rows` has ended for good."""
        self.money.evict_ended(rows)
        self.contracts.evict_ended(rows)
        self.closing.evict_ended(rows)
        self.credit.evict_ended(rows)
        self.receipts.evict_ended(rows)
        self.openings.evict_ended(rows)
        for attempt in rows.get("attempt", ()):
            assert isinstance(attempt, Attempt)
            if attempt.forgotten:
                self.attempts.evict(attempt.id)
                self.seen_running_ms.pop(attempt.id, None)
        for job in rows.get("job", ()):
            assert isinstance(job, Job)
            if job.state in FINAL_JOB_STATES:
                self.jobs.evict(job.id)
        for allocation in rows.get("allocation", ()):
            assert isinstance(allocation, Allocation)
            if allocation.settled:
                self.allocations.evict(allocation.id)
        for breach in rows.get("breach", ()):
            assert isinstance(breach, Breach)
            if not breach.open:
                self.breaches.evict(breach.id)
        for lease in rows.get("lease", ()):
            assert isinstance(lease, Lease)
            if lease.state in FINAL and lease.id in self.leases:
                self._evict_lease(lease.id)
        for allocation in rows.get("allocation", ()):
            assert isinstance(allocation, Allocation)
            kept = self.leases.get(allocation.lease_id)
            if kept is not None and kept.state in FINAL:
                self._evict_lease(kept.id)
        for subscription in rows.get("subscription", ()):
            assert isinstance(subscription, Subscription)
            if subscription.state is SubscriptionState.DELETED:
                self.subscriptions.evict(subscription.id)
        for node in rows.get("node", ()):
            assert isinstance(node, Node)
            if node.state is NodeState.RETIRED:
                self.nodes.evict(node.id)
        for inbound in rows.get("inbound_lease", ()):
            assert isinstance(inbound, InboundLease)
            if inbound.state is InboundState.ENDED:
                self.inbound.evict(inbound.id)

    def _evict_lease(self, lease_id: LeaseId) -> None:
        busy = self.allocations_of(lease_id) or self.live_attempts.count(lease_id)
        if not busy:
            self.leases.evict(lease_id)
            self.replaced_in_vain.pop(lease_id, None)
