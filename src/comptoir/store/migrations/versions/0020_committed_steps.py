"""Steps of postpaid commitments, each with what was used in it and what was asked for it.

Those that are agreed are counted from the charges there are; a step that was asked for, or that a
close has passed, is settled.

Revision: 0020
Revises: 0018
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0018"
branch_labels = None
depends_on = None

_AGREED = """
    SELECT c.id, c.tenant_id, c.currency, v.body, v.number,
        (SELECT min(effective_at_ms) FROM contract_act a
         WHERE a.contract_id = c.id AND a.type = 'exit') AS ends_ms,
        (SELECT closed_until_ms FROM billing_mark m WHERE m.tenant_id = c.tenant_id) AS closed_ms
    FROM contract c JOIN contract_version v ON v.contract_id = c.id
    WHERE c.direction = 'sold' AND v.state = 'approved' AND v.number =
        (SELECT max(number) FROM contract_version w
         WHERE w.contract_id = c.id AND w.state = 'approved')
"""
_CHARGED = """
    SELECT kind, lease_class, site, numerator FROM charge
    WHERE tenant_id = :tenant_id AND currency = :currency
        AND starts_at_ms >= :from_ms AND ends_at_ms <= :until_ms
"""
_ASKED = """
    SELECT lines FROM invoice_draft d JOIN billed_key k ON k.invoice_id = d.id WHERE k.key = :key
    UNION ALL
    SELECT lines FROM invoice i JOIN billed_key k ON k.invoice_id = i.id WHERE k.key = :key
"""


def upgrade() -> None:
    """One table, with the steps that are agreed."""
    postgres = op.get_bind().dialect.name == "postgresql"
    table = op.create_table(
        "committed_step",
        sa.Column("key", sa.String, primary_key=True),
        *_text("contract_id", "tenant_id", "commitment", "currency"),
        sa.Column("covers", sa.Text, nullable=False),
        *_big("from_ms", "until_ms", "committed_micros"),
        sa.Column("numerator", sa.Numeric(60, 0) if postgres else sa.Text(), nullable=False),
        *_big("asked_micros"),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("settled", "released")),
    )
    agreed = op.get_bind().execute(sa.text(_AGREED)).mappings().all()
    for row in [step for contract in agreed for step in _steps(contract)]:
        numerator = row["numerator"] if postgres else str(row["numerator"])
        op.get_bind().execute(table.insert().values(**{**row, "numerator": numerator}))


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")


def _steps(contract: Any) -> list[dict[str, Any]]:
    found = []
    for commitment in json.loads(contract["body"])["commitments"]:
        for step in commitment["access"] if commitment["type"] == "postpaid" else ():
            kept = _kept(step, contract["ends_ms"])
            if kept is None:
                continue
            key = f"{contract['id']}/{commitment['name']}/{step['from_ms']}"
            asked = _asked(key)
            row = {
                **{name: contract[name] for name in ("tenant_id", "currency")}, **kept,
                "key": key, "contract_id": contract["id"], "commitment": commitment["name"],
                "covers": json.dumps(commitment["covers"], separators=(",", ":"), sort_keys=True),
                "asked_micros": asked or 0, "released": False,
                "settled": asked is not None or kept["until_ms"] <= (contract["closed_ms"] or 0),
            }  # fmt: skip
            found.append({**row, "numerator": _charged(row, commitment["covers"])})
    return found


def _kept(step: dict[str, int], ends_ms: int | None) -> dict[str, int] | None:
    """A step as an exit leaves it."""
    start, end = step["from_ms"], step["until_ms"]
    if ends_ms is not None and ends_ms <= start:
        return None
    until = end if ends_ms is None else min(end, ends_ms)
    share = step["micros"] * (until - start) // (end - start)
    return {"from_ms": start, "until_ms": until, "committed_micros": share}


def _charged(row: dict[str, Any], covers: dict[str, list[str]]) -> int:
    charges = op.get_bind().execute(sa.text(_CHARGED), row)
    return sum(
        int(numerator)
        for kind, lease_class, site, numerator in charges
        if all(
            not named or said in named
            for named, said in (
                (covers["kinds"], kind),
                (covers["lease_classes"], lease_class),
                (covers["sites"], site),
            )
        )
    )


def _asked(key: str) -> int | None:
    """What was asked for a step, if anything was."""
    drawn_up = [
        json.loads(lines) for (lines,) in op.get_bind().execute(sa.text(_ASKED), {"key": key})
    ]
    if not drawn_up:
        return None
    return sum(
        int(line["amount_micros"])
        for lines in drawn_up
        for line in lines
        if line["type"] == "true_up" and line["reference"] == key
    )


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def _big(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]
