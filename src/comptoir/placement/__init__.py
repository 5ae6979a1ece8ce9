"""Placement: snapshot and request in, plan out. The one room that chooses accelerators.

`plan.py` decides; `reclaim.py` says who gives way; `check.py` verifies a plan and shares no
code with them; `why.py` says why a lease waits. They read `snapshot.py`: the book's rows, and
the flat tables of `pools.py` that the kernel (`kernel*.py`) searches. Same inputs, same plan.
Neighbours: `leases` gives the rows; the desk feeds the snapshot and commits what a plan says.
"""
