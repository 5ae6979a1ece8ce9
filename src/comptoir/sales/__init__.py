"""Sales: contracts in both directions, their commitments, and the credit that is drawn.

What a contract says about prices is handed to `pricing` as values; what it owes and grants is
handed to `billing`. Invariants: a version never changes once approved, nor the past; a credit
block is never drawn below zero, nor by usage outside its window. Neighbours: `placement` and
`pricing` below, `billing` above.
"""
