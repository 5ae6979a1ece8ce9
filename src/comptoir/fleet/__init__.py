"""Fleet: accelerator kinds, the nodes that hold them, their places, and fleet files.

Invariant: every node belongs to exactly one inbound lease. Neighbours: `leases`
says what stands on a node and when.
"""
