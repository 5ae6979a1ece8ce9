"""Leases: the book itself: inbound and outbound leases, allocations, jobs, states.

Invariants: no accelerator is promised twice in one instant; a gang is whole or
absent; states move along the allowed edges only; nothing is promised past the end
of the inbound lease it stands on. Neighbours: `placement` reads it and
proposes; the desk commits.
"""
