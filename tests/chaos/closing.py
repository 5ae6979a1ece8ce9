"""A process that closes a month and makes its drafts final, until it is done or killed.

`python -m tests.chaos.closing DIRECTORY INSTANT_MS`. It says a dot a commit, so that whoever
kills it knows how far it is.
"""

import sys
from pathlib import Path

from comptoir.desk.close_requests import ClosePeriod, CloseSlice, DraftRef
from comptoir.desk.desk import Desk
from comptoir.store.opening import sqlite_engine
from comptoir.store.sql_store import SqlStore
from comptoir.tenants.entities import HOUSE_ENTITY
from tests.builders import SeededEntropy, ToldClock

MONTH = "2026-09"


def main(directory: Path, instant_ms: int) -> None:
    store = SqlStore(sqlite_engine(directory / "book.db"))
    desk = Desk(store, ToldClock(instant_ms), SeededEntropy())
    if not len(desk.book.closing.periods):
        desk.call("close_period", ClosePeriod(HOUSE_ENTITY, MONTH))
        say()
    (period,) = desk.book.closing.periods
    while not period.closed:
        period = desk.call("close_slice", CloseSlice(period.id, 3))
        say()
    for draft in list(desk.book.closing.drafts):
        desk.call("finalise_invoice", DraftRef(draft.id))
        say()
    store.close()


def say() -> None:
    sys.stdout.write(".")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
