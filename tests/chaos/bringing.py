"""A process that brings an opening until it is done or killed.

`python -m tests.chaos.bringing DIRECTORY INSTANT_MS`. It says a dot a commit, so that whoever
kills it knows how far it is.
"""

import sys
from pathlib import Path
from typing import Any

from comptoir.desk.desk import Desk
from comptoir.desk.opening_loop import OpeningLoop
from comptoir.desk.opening_requests import BringSlice
from comptoir.store.opening import sqlite_engine
from comptoir.store.sql_store import SqlStore
from tests.builders import SeededEntropy, ToldClock


def main(directory: Path, instant_ms: int) -> None:
    store = SqlStore(sqlite_engine(directory / "book.db"))
    desk = Desk(store, ToldClock(instant_ms), SeededEntropy())

    def submit(piece: BringSlice) -> Any:
        done = desk.call("bring_slice", piece)
        sys.stdout.write(".")
        sys.stdout.flush()
        return done

    loop = OpeningLoop(lambda: desk.book, store.find, submit)
    while loop.step():
        pass
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
