"""The triggers that hold ledger, usage, charges, events, checks and invoices append-only.

A row of `FINAL_ROWS` is live until its last column is set, and append-only from then on.
"""

from comptoir.store.tables import APPEND_ONLY, FINAL_ROWS


def trigger_statements(dialect: str) -> list[str]:
    """DDL for an empty database."""
    statements = []
    if dialect == "postgresql":
        statements.append(
            "CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
        for name in APPEND_ONLY:
            statements.append(
                f"CREATE TRIGGER {name}_append_only BEFORE UPDATE OR DELETE ON {name} "
                "FOR EACH ROW EXECUTE FUNCTION append_only()"
            )
        for name, last in FINAL_ROWS.items():
            statements += [
                f"CREATE TRIGGER {name}_final BEFORE UPDATE ON {name} FOR EACH ROW "
                f"WHEN (OLD.{last} IS NOT NULL) EXECUTE FUNCTION append_only()",
                f"CREATE TRIGGER {name}_kept BEFORE DELETE ON {name} "
                "FOR EACH ROW EXECUTE FUNCTION append_only()",
            ]
        return statements
    for name in APPEND_ONLY:
        for verb in ("UPDATE", "DELETE"):
            statements.append(
                f"CREATE TRIGGER {name}_no_{verb.lower()} BEFORE {verb} ON {name} "
                f"BEGIN SELECT RAISE(ABORT, '{name} is append-only'); END"
            )
    for name, last in FINAL_ROWS.items():
        statements += [
            f"CREATE TRIGGER {name}_final BEFORE UPDATE ON {name} WHEN OLD.{last} IS NOT NULL "
            f"BEGIN SELECT RAISE(ABORT, '{name} is final once closed'); END",
            f"CREATE TRIGGER {name}_kept BEFORE DELETE ON {name} "
            f"BEGIN SELECT RAISE(ABORT, '{name} is append-only'); END",
        ]
    return statements
