"""The notice loop live: one thread that looks, and a short one for each subscription served.

A slow receiver holds one thread for a bounded time and nobody else. What is under way when the
server stops is left: it was not settled, so it is sent again.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from comptoir.desk.notice_loop import NoticeLoop
from comptoir.desk.ports import Event
from comptoir.units.ids import SubscriptionId

log = logging.getLogger("comptoir.notices")

MOST_SERVED = 32
LOOK_EVERY_S = 0.5
LEAST_BETWEEN_LOOKS_S = 0.02
LEFT_AFTER_S = 3.0


class NoticeThreads:
    """Runs a loop until it is stopped. `hear` is what the desk is to tell of commits."""

    def __init__(self, loop: NoticeLoop, now_ms: Callable[[], int]) -> None:
        self._loop = loop
        self._now_ms = now_ms
        self._serving: dict[SubscriptionId, threading.Thread] = {}
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)

    def hear(self, events: Sequence[Event]) -> None:
        """Take the events of a commit; see `Desk.listen`."""
        if self._loop.hear(events):
            self._wake.set()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Serve nobody anew, and wait a little for those being served."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        until = time.monotonic() + LEFT_AFTER_S
        for thread in list(self._serving.values()):
            thread.join(max(until - time.monotonic(), 0))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except Exception:
                log.exception("looking for notices to send failed")
                self._stop.wait(LOOK_EVERY_S)
            self._stop.wait(LEAST_BETWEEN_LOOKS_S)
            self._wake.wait(LOOK_EVERY_S)
            self._wake.clear()

    def _look(self) -> None:
        serving = list(self._serving)
        room = MOST_SERVED - len(serving)
        for id in self._loop.due(self._now_ms(), serving)[:room]:
            thread = threading.Thread(target=self._serve, args=(id,), name=f"to-{id}", daemon=True)
            self._serving[id] = thread
            thread.start()

    def _serve(self, id: SubscriptionId) -> None:
        try:
            self._loop.serve(id, self._now_ms)
        except Exception as error:
            if not self._stop.is_set():  # the store closes behind us
                log.exception("serving %s failed", id, exc_info=error)
        finally:
            self._serving.pop(id, None)
            self._wake.set()
