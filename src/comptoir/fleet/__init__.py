"""Fleet: accelerator kinds, and the nodes that hold them, in their places.

Invariant: every node belongs to exactly one inbound lease. Neighbours: `leases`
says what stands on a node and when.
"""
