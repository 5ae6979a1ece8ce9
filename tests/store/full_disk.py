"""Run by test_full_disk.py on a file system of a few megabytes: fill it, and say what held."""

import json
import os
import sys
from pathlib import Path

from comptoir.desk.desk import Call, Desk
from comptoir.desk.memory import Memory
from comptoir.desk.queue import DeskQueue
from comptoir.desk.requests import (
    CreateTenant,
    DeclareSupply,
    LeaseRef,
    NewNode,
    Opening,
    ProposeRate,
    RateRef,
    RequestLease,
    Turn,
)
from comptoir.leases.lease import LeaseClass, LeaseState
from comptoir.store.opening import open_store
from comptoir.tenants.parties import Actor, Role, TenantKind
from comptoir.units.errors import Unavailable
from comptoir.units.ids import UserId
from tests.builders import SeededEntropy, ToldClock

LEFT_BYTES = 1 << 20


def main(data: Path) -> None:
    clock = ToldClock()
    store = open_store(data, None, "test")
    desk = Desk(store, clock, SeededEntropy())
    desk.call("open_book", Opening())
    card = next(iter(desk.book.money.rate_cards))
    rate = desk.call("propose_rate", ProposeRate(card.id, "cpu-core", LeaseClass.SPOT, 10**10))
    approver = Actor(UserId("us_approver"), None, None, (Role.APPROVER,))
    desk.call("approve_rate", RateRef(rate.id), approver)
    tenant = desk.call("create_tenant", CreateTenant("acme", "Acme", TenantKind.ENTERPRISE))
    desk.call("declare_supply", DeclareSupply("m", "cpu-core", (NewNode("n", 64),)))
    ask = RequestLease("cpu-core", 1, LeaseClass.SPOT, notice_s=0, tenant_id=tenant.id)
    queue = DeskQueue(desk, turn_every_s=3_600, meter_every_ms=1_000)
    queue.start()

    def call(operation: str, request: object) -> object:
        return queue.call(Call(operation, request)).unwrap()

    for _ in range(64):
        call("request_lease", ask)
    call("turn", Turn())
    stat = os.statvfs(data)
    with (data / "filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, stat.f_bavail * stat.f_frsize - LEFT_BYTES)
    codes: list[str] = []
    taken = 64
    for _ in range(30_000):
        try:
            call("request_lease", ask)
            taken += 1
        except Unavailable as error:
            codes.append(error.code)
            if len(codes) == 3:
                break
    clock.instant_ms += 10_000
    ended = 0
    for lease in [x for x in desk.book.leases if x.state is LeaseState.ACTIVE]:
        call("end_lease", LeaseRef(lease.id))
        ended += 1
    call("turn", Turn())
    fresh = Memory()
    fresh.load(store.load())
    facts = {
        "codes": codes,
        "taken": taken,
        "kept": len(fresh.leases) + ended,
        "ended": ended,
        "broken": desk.broken,
        "same": all(
            mine.rows == theirs.rows
            for mine, theirs in zip(desk.book.all_tables, fresh.all_tables, strict=True)
        ),
        "accelerator_ms": {b.account: b.amount for b in fresh.money.balances if ":" in b.unit},
    }
    (data / "filler").unlink()
    call("request_lease", ask)
    facts["again"] = True
    queue.stop()
    store.close()
    json.dump(facts, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
