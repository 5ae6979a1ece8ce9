"""Placement: snapshot and request in, plan out. The one room that chooses accelerators.

`plan.py` decides, a reclaim included; `check.py` verifies a plan and shares no code
with it; `why.py` says why a lease waits. Same inputs, same plan. Neighbours:
`leases` gives the snapshot; the desk commits what the plan says.
"""
