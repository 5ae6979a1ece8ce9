"""Plans made in a child process: bounded in time and memory, ended with the server.

One at a time, since it takes a core; the last few plans are kept in memory, and gone with the
server: a plan is a proposal, and is soon made again.
"""

import json
import logging
import secrets
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from comptoir.desk.plan_port import RebalanceAsk, RebalancePlan
from comptoir.store.nested import decoder
from comptoir.store.rebalancing import OUT_OF_MEMORY
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import ComptoirError, Conflict, Refused
from comptoir.units.ids import encode_id

log = logging.getLogger("comptoir.planning")

PLANS_KEPT = 8
MEMORY_BYTES = 8 << 30
CHILD = (sys.executable, "-P", "-m", "comptoir.store.rebalancing")
_ID_BITS = 40
"""A plan is in no book: its id is drawn, not counted."""


class PlanChild:
    """The planner of one book."""

    def __init__(
        self,
        data: Path,
        database_url: str | None,
        memory_bytes: int = MEMORY_BYTES,
        command: Sequence[str] = CHILD,
    ) -> None:
        self._data = data
        self._database_url = database_url
        self._memory_bytes = memory_bytes
        self._command = tuple(command)
        self._lock = threading.Lock()
        self._plans: OrderedDict[str, RebalancePlan | ComptoirError | None] = OrderedDict()
        self._child: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def begin(self, ask: RebalanceAsk, now_ms: int) -> str:
        """Begin to plan; returns the plan's id at once.

        Raises:
            Conflict: `planning_already`.
        """
        with self._lock:
            for plan_id, made in self._plans.items():
                if made is None:
                    raise Conflict(
                        "planning_already",
                        f"{plan_id} is being planned, and one plan is made at a time",
                        f"wait for it: comptoir fleet rebalance --plan {plan_id} --dry-run",
                        {"plan": plan_id},
                    )
            plan_id = encode_id("rb", secrets.randbits(_ID_BITS))
            self._plans[plan_id] = None
            while len(self._plans) > PLANS_KEPT:
                self._plans.popitem(last=False)
            self._thread = threading.Thread(
                target=self._run, args=(plan_id, ask, now_ms), name="planning", daemon=True
            )
            self._thread.start()
        return plan_id

    def plan(self, plan_id: str) -> RebalancePlan | None:
        """A plan; None while it is being made.

        Raises:
            NotFound: it is not kept, or never was.
            Refused: it could not be made.
        """
        with self._lock:
            if plan_id not in self._plans:
                raise not_found(f"plan {plan_id[:32]}")
            made = self._plans[plan_id]
        if isinstance(made, ComptoirError):
            raise made
        return made

    def close(self) -> None:
        """End, and leave no child behind."""
        with self._lock:
            self._closed = True
            child, thread = self._child, self._thread
        if child is not None:
            child.kill()
        if thread is not None:
            thread.join()

    def _run(self, plan_id: str, ask: RebalanceAsk, now_ms: int) -> None:
        made: RebalancePlan | ComptoirError
        try:
            made = self._made(plan_id, ask, now_ms)
        except ComptoirError as error:
            made = error
        except Exception as error:
            log.exception("planning %s failed", plan_id)
            made = _failed(f"{type(error).__name__}: {error}")
        with self._lock:
            self._child = None
            self._plans[plan_id] = made

    def _made(self, plan_id: str, ask: RebalanceAsk, now_ms: int) -> RebalancePlan:
        asked = {
            "id": plan_id, "ask": asdict(ask), "now_ms": now_ms, "data": str(self._data),
            "database_url": self._database_url, "memory_bytes": self._memory_bytes,
        }  # fmt: skip
        with self._lock:
            if self._closed:
                raise _failed("the server stops")
            self._child = child = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        try:
            answer, said = child.communicate(json.dumps(asked), timeout=ask.time_limit_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            raise Refused(
                "planning_out_of_time",
                f"the plan was not made within {ask.time_limit_s:,} s",
                "give it longer (--time-limit), or plan one kind of accelerator (--kind)",
                {"time_limit_s": ask.time_limit_s},
            ) from None
        if child.returncode == 0:
            plan: RebalancePlan = decoder(RebalancePlan)(json.loads(answer))
            return plan
        log.warning("planning %s ended with %d: %s", plan_id, child.returncode, said[-2_000:])
        if child.returncode == OUT_OF_MEMORY or "bad_alloc" in said:
            raise Refused(
                "planning_out_of_memory",
                f"the plan needs more than {self._memory_bytes >> 20:,} MiB",
                "plan one kind of accelerator (--kind), or racks instead of nodes",
                {"memory_bytes": self._memory_bytes},
            )
        raise _failed(f"the planning process ended with {child.returncode}")


def _failed(what: str) -> Refused:
    return Refused("planning_failed", what, "the server's log says more; nothing was changed")
