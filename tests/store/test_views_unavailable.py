"""A view whose database has gone says so, and is no bug of the server."""

from pathlib import Path

import pytest

from comptoir.store.opening import open_store
from comptoir.store.views import Views, totals
from comptoir.units.errors import Unavailable
from tests.servers.postgres import PostgresServer


def test_a_database_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    server = PostgresServer()
    try:
        server.start()
        store = open_store(tmp_path, server.url(), "test")
        views = Views(store.engine)
        assert totals.instance(views) == "test"
        server.stop()
        with pytest.raises(Unavailable, match="store_unavailable"):
            totals.instance(views)
        server.start()
        assert totals.instance(views) == "test"
        store.close()
    finally:
        server.close()
