"""Tenants: who may hold an outbound lease, who may act, and what each role may do.

Invariant: an actor never sees or touches another tenant's things, and nobody
approves their own proposal. Neighbours: `leases` names tenants by id only.
"""
