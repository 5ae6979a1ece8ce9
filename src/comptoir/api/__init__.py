"""The HTTP door: parse, authenticate, ask the desk or read a view, say it in JSON.

Invariants: no route without a declared permission; no answer without a status and a
shape in openapi/; every no is an RFC 9457 problem with a stable code; a tenant never
learns that another tenant's thing exists. Pydantic lives here alone. Neighbours: the
desk's queue takes writes, `store.views` answers reads, engines hold files and logs.

Start reading at `routes.py`, the one table of routes, then `door.py`.
"""
