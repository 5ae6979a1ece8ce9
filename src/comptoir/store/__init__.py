"""The store: tables, commits, views, migrations. An adapter of the desk's port.

State tables are the truth; every commit is fenced by the book's version and appends to
the event table. Ledger, usage, charge, event and invoice tables are append-only, held
so by triggers. SQLite (WAL, synchronous=FULL) or PostgreSQL; no ORM. Doors read
`views`; only the desk commits.
"""
