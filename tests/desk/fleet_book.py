"""A book with whole nodes in racks, and the words in which failures are told."""

from pathlib import Path

from comptoir.desk.engine_port import EngineNode, NodeSight
from comptoir.desk.failure_requests import FailNode, PlanMaintenance, ReportChecks
from comptoir.desk.requests import DeclareSupply, NewNode, NodeRef, Observed
from comptoir.fleet.checks import CheckOutcome, CheckResult
from comptoir.fleet.nodes import Node
from comptoir.leases.allocation import Allocation
from comptoir.leases.breaches import Breach
from comptoir.leases.lease import Lease
from tests.builders import HOUR_MS, Book

H100 = "h100-sxm"


class FleetBook(Book):
    """Prices for cores and for whole nodes; nodes by their names."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.price_all()
        self.price_all(H100)

    def racks(self, *racks: int, accelerators: int = 8, engine: str = "", **more: object) -> None:
        """Racks with so many nodes each, named `r<rack>n<node>`."""
        nodes = tuple(
            NewNode(f"r{r}n{n}", accelerators, 1 << 30, engine, rack=f"rack-{r}", **more)  # type: ignore[arg-type]
            for r, count in enumerate(racks)
            for n in range(count)
        )
        self.desk.call("declare_supply", DeclareSupply("racks", H100, nodes), self.operator)
        self.turn()

    def hour(self, hours: int = 1) -> int:
        """An instant so many hours from now."""
        return self.clock.instant_ms + hours * HOUR_MS

    def node(self, name: str) -> Node:
        found = self.desk.book.nodes_by_name.first(name)
        assert found is not None
        return found

    def do(self, operation: str, name: str) -> Node:
        """Drain, resume or repair a node."""
        done = self.desk.call(operation, NodeRef(self.node(name).id), self.operator)
        self.turn()
        return done

    def fail(self, name: str, **more: object) -> Node:
        request = FailNode(self.node(name).id, "it is dead", **more)  # type: ignore[arg-type]
        failed = self.desk.call("fail_node", request, self.operator)
        self.turn()
        return failed

    def maintain(self, name: str, from_ms: int | None, until_ms: int | None = None) -> Node:
        request = PlanMaintenance(self.node(name).id, from_ms, until_ms, "new firmware")
        planned = self.desk.call("plan_maintenance", request, self.operator)
        self.turn()
        return planned

    def report(self, name: str, *, at_ms: int | None = None, **outcomes: bool) -> Node:
        """Checks that passed or not, by name."""
        results = tuple(
            CheckResult(check, CheckOutcome.PASSED if passed else CheckOutcome.FAILED, "seen")
            for check, passed in outcomes.items()
        )
        request = ReportChecks(self.node(name).id, results, at_ms)
        told = self.desk.call("report_checks", request, self.operator)
        self.turn()
        return told

    def sight(self, name: str, sight: NodeSight, since_ms: int | None = None) -> None:
        """The engine tells how it sees a node, and the book turns."""
        node = self.node(name)
        seen = EngineNode(name, node.kind, node.accelerators, 0, sight, since_ms, "no answer")
        self.desk.call("observe", Observed("local", nodes=(seen,)))
        self.turn()

    def held(self, lease: Lease) -> dict[str, Allocation]:
        """What a lease has now, by node name."""
        names = {node.id: node.name for node in self.desk.book.nodes}
        parts = [a for a in self.desk.book.allocations_of(lease.id) if a.delivered]
        return {names[part.node_id]: part for part in parts}

    def breaches(self, lease: Lease) -> list[Breach]:
        """All rows of a lease, open and closed, in the order in which they were opened."""
        with self.store.engine.connect() as connection:
            ids = connection.exec_driver_sql("SELECT id FROM breach ORDER BY rowid").scalars()
            rows = [self.store.find("breach", (id,)) for id in ids.all()]
        return [row for row in rows if row is not None and row.lease_id == lease.id]

    def delivered_ms(self, lease: Lease) -> int:
        """Delivered accelerator-milliseconds as they were booked."""
        with self.store.engine.connect() as connection:
            sql = "SELECT sum(accelerator_ms) FROM usage WHERE lease_id=? AND measure='delivered'"
            return connection.exec_driver_sql(sql, (lease.id,)).scalar() or 0

    def told(self, type: str) -> list[str]:
        """The subjects of all events of a type."""
        with self.store.engine.connect() as connection:
            sql = "SELECT subject FROM event WHERE type = ? ORDER BY seq"
            return list(connection.exec_driver_sql(sql, (type,)).scalars())
