"""The check loop: nodes in quarantine are checked by whoever can check nodes of their engine.

It chooses nothing: what a report means for a node is the book's to say
(`operations/node_checks.py`). A node that failed its checks is checked again after a while.
"""

import logging
from collections.abc import Callable
from typing import Any

from comptoir.desk.failure_requests import ReportChecks
from comptoir.desk.memory import Memory
from comptoir.desk.ports import Checker
from comptoir.fleet.nodes import Node
from comptoir.units.errors import ComptoirError, Unavailable
from comptoir.units.ids import NodeId

log = logging.getLogger("comptoir.checks")

AGAIN_AFTER_MS = 600_000
SOON_MS = 5_000

Submit = Callable[[ReportChecks], Any]
"""How a step tells the book: the `report_checks` operation, through the queue or directly."""


class CheckLoop:
    """One checker's side of the book. `step` is one round; who calls it keeps the time."""

    def __init__(self, checker: Checker, book: Callable[[], Memory], submit: Submit) -> None:
        self._checker = checker
        self._book = book
        self._submit = submit
        self._due: dict[NodeId, tuple[int, int]] = {}
        """Node -> (since when it is in quarantine, when it is checked again)."""

    def step(self, now_ms: int) -> bool:
        """Check the nodes that are due; returns whether any was checked."""
        mine = [n for n in self._book().checking.values() if n.engine == self._checker.name]
        self._due = {n.id: self._due[n.id] for n in mine if n.id in self._due}
        due = [node for node in mine if self._is_due(node, now_ms)]
        for node in due:
            after_ms = self._check(node)
            self._due[node.id] = (node.state_since_ms, now_ms + after_ms)
        return bool(due)

    def _is_due(self, node: Node, now_ms: int) -> bool:
        since, at_ms = self._due.get(node.id, (-1, 0))
        return since != node.state_since_ms or now_ms >= at_ms

    def _check(self, node: Node) -> int:
        """Check one and tell; returns after how long to look at it again."""
        try:
            self._submit(ReportChecks(node.id, tuple(self._checker.check(node))))
        except Unavailable as error:
            log.warning("%s cannot be checked now: %s", node.name, error.message)
            return SOON_MS
        except ComptoirError as error:  # it is not fenced yet, or has left meanwhile
            log.info("the checks of %s were not taken: %s", node.name, error.message)
            return SOON_MS
        return AGAIN_AFTER_MS
