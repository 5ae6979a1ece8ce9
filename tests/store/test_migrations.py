"""The migrations make exactly the schema that the code describes, triggers and checks included."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

from comptoir.store import migrations
from comptoir.store.maintenance import bring_up_to_date, run_steps
from comptoir.store.migrations import HEAD, REVISIONS
from comptoir.store.opening import (
    BOOK_FILE,
    create_tables,
    open_store,
    postgres_engine,
    schema_revision,
    sqlite_engine,
)
from comptoir.store.tables import APPEND_ONLY
from comptoir.store.views import Views, close
from comptoir.units.errors import Conflict
from tests.servers.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
def two_databases(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Engine, Engine]]:
    """Two empty databases of one kind."""
    if request.param == "sqlite":
        engines = [sqlite_engine(tmp_path / name, "OFF") for name in ("one.db", "two.db")]
        yield engines[0], engines[1]
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        names = [server.create_database(), server.create_database()]
        engines = [postgres_engine(server.url(name)) for name in names]
        yield engines[0], engines[1]
    for engine in engines:
        engine.dispose()
    if request.param != "sqlite":
        for name in names:
            server.drop_database(name)


def described(engine: Engine) -> dict[str, object]:
    """All that a database knows of its schema, in an order of its own."""
    there = inspect(engine)
    found: dict[str, object] = {}
    for table in sorted(there.get_table_names()):
        columns = there.get_columns(table)
        checks = there.get_check_constraints(table)
        indexes = there.get_indexes(table)
        found[table] = {
            "columns": [(c["name"], str(c["type"]), c["nullable"]) for c in columns],
            "key": there.get_pk_constraint(table)["constrained_columns"],
            "unique": sorted(u["column_names"] for u in there.get_unique_constraints(table)),
            "checks": sorted((str(check["name"]), check["sqltext"]) for check in checks),
            "indexes": sorted((str(i["name"]), i["column_names"], i["unique"]) for i in indexes),
        }
    found["triggers"] = triggers(engine)
    return found


def triggers(engine: Engine) -> list[str]:
    query = (
        "SELECT sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
        if engine.dialect.name == "sqlite"
        else "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname"
    )
    with engine.connect() as connection:
        return [row[0] for row in connection.execute(text(query))]


def test_migrations_make_the_schema_of_the_code(two_databases: tuple[Engine, Engine]) -> None:
    migrated, made = two_databases
    run_steps(migrated)
    create_tables(made, "test")
    assert described(migrated) == described(made)
    assert schema_revision(migrated) == schema_revision(made) == HEAD


@pytest.mark.parametrize("revision", REVISIONS)
def test_append_only_triggers_survive_each_migration(
    two_databases: tuple[Engine, Engine], revision: str
) -> None:
    engine, _ = two_databases
    for step in REVISIONS[: REVISIONS.index(revision) + 1]:
        run_steps(engine, step)
    there = set(inspect(engine).get_table_names())
    assert len(there.intersection(APPEND_ONLY)) >= 6
    for table in there.intersection(APPEND_ONLY):
        assert any(f" {table} " in f"{sql} ".replace("public.", "") for sql in triggers(engine))


def test_a_book_that_is_open_gets_the_houses_entity_in_its_currency(
    two_databases: tuple[Engine, Engine],
) -> None:
    old, empty = two_databases
    for step in REVISIONS[: REVISIONS.index("0008")]:
        run_steps(old, step)
    with old.begin() as connection:
        connection.execute(text("INSERT INTO rate_card VALUES ('rc_0001', 'list', 'EUR', 5)"))
    for engine in (old, empty):
        run_steps(engine, "0008")
    found = text("SELECT id, currency, zone, invoice_series, created_at_ms FROM legal_entity")
    with old.connect() as connection:
        house = ("le_house", "EUR", "UTC", "{tenant}-{year}", 5)
        assert [tuple(row) for row in connection.execute(found)] == [house]
    with empty.connect() as connection:
        assert connection.execute(found).all() == []


def test_revisions_are_alembics() -> None:
    config = Config()
    config.set_main_option("script_location", "comptoir.store:migrations")
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    assert script.get_current_head() == HEAD
    assert [step.revision for step in script.walk_revisions()][::-1] == list(REVISIONS)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    open_store(tmp_path, None, "test").close()
    engine = create_engine(f"sqlite:///{tmp_path / BOOK_FILE}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(Conflict, match=r"schema_too_new.*9999"):
        open_store(tmp_path, None, "test")


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / BOOK_FILE}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
    engine.dispose()
    with pytest.raises(Conflict, match="not_a_book"):
        open_store(tmp_path, None, "test")


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    open_store(tmp_path, None, "first").close()
    store = open_store(tmp_path, None, "second")
    assert bring_up_to_date(store.engine, tmp_path, None) == f"already at schema {HEAD}"
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT instance FROM book")).scalar_one() == "first"
    store.close()


def test_invoices_from_before_the_close_keep_their_numbers_and_get_a_status(
    two_databases: tuple[Engine, Engine],
) -> None:
    engine, _ = two_databases
    run_steps(engine, "0014")
    line = {
        "number": 1, "description": "d", "kind": "k", "lease_class": "spot",
        "measure": "delivered", "rate_id": "ra", "price_nanos": 1, "starts_at_ms": 0,
        "ends_at_ms": 1, "leases": 1, "accelerator_ms": 1, "numerator": 1,
        "amount_micros": 10_000, "correction": False,
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO tenant (id, slug, name, kind, state, rate_card_id, created_at_ms,"
                " grants, residency) VALUES ('tn', 'acme', 'Acme', 'enterprise', 'active', 'rc', 0,"
                " '[]', '')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO invoice VALUES ('iv', 'ACME-2026-000001', 'ACME-2026', 1, 'invoice',"
                " 'tn', 'USD', 0, 1, 5, 10000, :lines)"
            ),
            {"lines": json.dumps([line])},
        )
        connection.execute(text("INSERT INTO series VALUES ('ACME-2026', 1)"))
    run_steps(engine)
    billed = close.invoice(Views(engine), "ACME-2026-000001")
    assert billed is not None
    assert (billed.invoice.entity_id, billed.invoice.buyer.name) == ("le_house", "Acme")
    assert billed.invoice.lines[0].amount_micros == 10_000
    assert (billed.status.state, billed.status.open_micros) == ("finalised", 10_000)
    with engine.connect() as connection:
        series = connection.execute(text("SELECT entity_id, name, last FROM number_series")).all()
    assert [tuple(row) for row in series] == [("le_house", "ACME-2026", 1)]


def test_steps_that_are_agreed_are_counted_from_the_charges_there_are(
    two_databases: tuple[Engine, Engine],
) -> None:
    """$300 for a step of ten days, of which $1 was charged; another that a close has passed."""
    engine, _ = two_databases
    run_steps(engine, "0018")
    covers = {"kinds": ["cpu-core"], "lease_classes": [], "sites": []}
    access = [{"from_ms": at, "until_ms": at + 10, "micros": 300_000_000} for at in (0, 10, 20)]
    commitment = {"name": "base", "type": "postpaid", "access": access, "covers": covers}
    asked = [{"type": "true_up", "reference": "ct/base/0", "amount_micros": 299_000_000}]
    numbers = "1, 3600000000000000000"
    statements = (
        "INSERT INTO contract VALUES ('ct', 'A-1', 'sold', 'tn', '', 'le', 'USD', 'us', 0)",
        "INSERT INTO contract_version VALUES ('cv', 'ct', 1, 0, 30, 'approved', 'a', 0, 'b', 0,"
        " '', '', :body)",
        "INSERT INTO contract_act VALUES ('ca', 'ct', 'exit', '', 25, 20, 'us', '')",
        "INSERT INTO billing_mark VALUES ('tn', 20, 20)",
        "INSERT INTO billed_key VALUES ('ct/base/0', 'iv')",
        "INSERT INTO invoice_draft VALUES ('iv', 'le', 'tn', 'invoice', NULL, 'USD', 'draft', 0, 1,"
        " 1, 0, :lines, '[]')",
        *(
            f"INSERT INTO charge VALUES ({seq}, 1, 'ac', 'ra', 'tn', 'ls', 'spot', '{kind}',"
            f" 'delivered', 2, 3, 1, {numbers}, 'USD', FALSE, '', {numbers}, '', 'hour', 'x',"
            " 'usage')"
            for seq, kind in ((1, "cpu-core"), (2, "h100"))
        ),
    )
    with engine.begin() as connection:
        given = {"body": json.dumps({"commitments": [commitment]}), "lines": json.dumps(asked)}
        for statement in statements:
            connection.execute(text(statement), given)
    run_steps(engine)
    query = "SELECT key, until_ms, committed_micros, numerator, asked_micros, settled FROM "
    with engine.connect() as connection:
        found = connection.execute(text(query + "committed_step ORDER BY key")).all()
    assert [(*row[:3], int(row[3]), row[4], bool(row[5])) for row in found] == [
        ("ct/base/0", 10, 300_000_000, 3_600_000_000_000_000_000, 299_000_000, True),
        ("ct/base/10", 20, 300_000_000, 0, 0, True),
        ("ct/base/20", 25, 150_000_000, 0, 0, False),
    ]


def test_every_migration_is_listed_once_and_no_two_share_a_number() -> None:
    versions = Path(migrations.__file__).parent / "versions"
    numbers = sorted(path.name[:4] for path in versions.glob("[0-9]*.py"))
    assert numbers == sorted(REVISIONS)
