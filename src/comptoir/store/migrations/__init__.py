"""Migrations: the schema's history, one file a step, applied by Alembic.

Expand, migrate, contract; a backup is taken before. A SQLite table that a step rebuilds loses
its triggers: the step makes them again, and a test compares what every step leaves. To add
one: a file in `versions/`, then `REVISIONS` here; a test holds both to each other.
"""

REVISIONS = (
    "0001",
    "0002",
    "0004",
    "0003",
    "0005",
    "0006",
    "0007",
    "0009",
    "0008",
    "0013",
    "0014",
    "0010",
    "0015",
    "0016",
    "0017",
    "0018",
    "0020",
    "0021",
    "0022",
    "0030",
    "0031",
    "0040",
    "0045",
    "0046",
    "0050",
    "0055",
    "0075",
    "0070",
    "0065",
    "0060",
    "0061",
)
"""Oldest first. Kept here so that a start need not load Alembic to know them."""

HEAD = REVISIONS[-1]
