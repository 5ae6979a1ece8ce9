"""The arena of a replay: a book of its own with the fleet, its people and prices; no durability.

Commits are gathered and written together: nobody's promise hangs on a replay's disk. What is
read is written first, so that the desk and the auditor see what they would.
"""

import shutil
import sqlite3
import tempfile
from pathlib import Path

from comptoir.desk.desk import Desk
from comptoir.desk.kernel_threads import LEAST_NODES, is_kept
from comptoir.desk.pricing_requests import ImportRateCard
from comptoir.desk.requests import ApplyFleet, CreateTenant, Opening, RateRef, SetEntitlement
from comptoir.fleet.files import FleetFile
from comptoir.placement.backend import compiled
from comptoir.placement.compiled import can_compile
from comptoir.placement.warming import warmed
from comptoir.pricing.card_files import CardFile
from comptoir.simulation.audit_entitled import entitled_problems
from comptoir.simulation.audit_memory import memory_problems
from comptoir.simulation.audit_money import money_problems
from comptoir.simulation.audit_space import space_problems
from comptoir.simulation.audit_windows import window_problems
from comptoir.simulation.clock import SeededEntropy, VirtualClock
from comptoir.simulation.replay.gathering import GatheringStore
from comptoir.store.opening import create_tables, sqlite_engine
from comptoir.store.sql_store import SqlStore
from comptoir.tenants.parties import SYSTEM, Tenant, TenantKind
from comptoir.units.ids import RateCardId, UserId
from comptoir.units.values import replace


class Arena:
    """A desk of a replay's own, in a directory that goes with it."""

    def __init__(self, start_ms: int, seed: int) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="comptoir-replay-"))
        self._book = self._directory / "book.db"
        engine = sqlite_engine(self._book, synchronous="OFF")
        create_tables(engine, "replay")
        self.store = GatheringStore(SqlStore(engine))
        self.clock = VirtualClock(start_ms)
        self.desk = Desk(self.store, self.clock, SeededEntropy(seed))
        self.store.know(self.desk)
        self.desk.call("open_book", Opening())

    def __enter__(self) -> "Arena":
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def supply(self, fleet: FleetFile, card: CardFile) -> RateCardId:
        """Declare a fleet, and put the prices of a card in force.

        A large one is planned with compiled kernels where they are ready: the plans are the same.
        """
        if sum(lease.node_count for lease in fleet.leases) >= LEAST_NODES and _compiled_is_ready():
            self.desk.use(warmed())
        self.desk.call("apply_fleet", ApplyFleet(fleet))
        imported = self.desk.call("import_rate_card", ImportRateCard(card))
        approver = replace(SYSTEM, user_id=UserId("us_approver"))
        for rate in imported.proposed:
            self.desk.call("approve_rate", RateRef(rate.id), approver)
        return RateCardId(imported.card.id)

    def tenant(self, slug: str, name: str, internal: bool, card: RateCardId) -> Tenant:
        """A team, or a customer."""
        kind = TenantKind.TEAM if internal else TenantKind.ENTERPRISE
        made = self.desk.call("create_tenant", CreateTenant(slug, name[:100], kind, card))
        assert isinstance(made, Tenant)
        return made

    def entitle(self, team: Tenant, kind: str, accelerators: int) -> None:
        """Give a team its own of a kind, from now on."""
        request = SetEntitlement(kind, accelerators, tenant_id=team.id)
        self.desk.call("set_entitlement", request)

    def revenue(self) -> dict[str, int]:
        """Class -> micros earned, from the ledger's own postings."""
        found = self._select(
            "SELECT account AS name, -sum(amount) AS total FROM posting "
            "WHERE account LIKE 'revenue:%' GROUP BY account"
        )
        return {name.partition(":")[2]: total for name, total in found.items()}

    def booked_ms(self) -> dict[str, int]:
        """Class -> accelerator-milliseconds of delivered time, from the usage that was booked."""
        return self._select(
            "SELECT lease_class AS name, sum(accelerator_ms) AS total FROM usage "
            "WHERE measure = 'delivered' GROUP BY lease_class"
        )

    def _select(self, statement: str) -> dict[str, int]:
        rows = self.rows()
        try:
            return {row["name"]: row["total"] for row in rows.execute(statement)}
        finally:
            rows.close()

    def problems(self) -> list[str]:
        """Every rule of the book that the replay has left broken; the simulator's auditor."""
        rows = self.rows()
        self.desk.book.version = self.store.version  # it counts commits, the store writings
        try:
            return [
                *space_problems(rows, windows_of_the_workload=False),
                *window_problems(rows),
                *entitled_problems(rows),
                *money_problems(rows),
                *memory_problems(self.desk),
            ]
        finally:
            rows.close()

    def rows(self) -> sqlite3.Connection:
        """A connection to the book as it is on disk."""
        self.store.flush()
        connection = sqlite3.connect(self._book)
        connection.row_factory = sqlite3.Row
        return connection


def _compiled_is_ready() -> bool:
    return can_compile() and is_kept(compiled())
