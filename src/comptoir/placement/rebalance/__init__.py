"""Rebalance: moves that make places whole again, and spread what is sold over fault domains.

rows      what is read of the book: columns, one pool at a time
problem   which places could be whole, who would have to move, and where there is room
program   that, as an integer program by classes of leases and nodes
highs     solved: the linear program, then a search among integers beside its answer
greedy    solved without a solver, the cheapest place first
plan      the answer as steps, one lease a step, with what each gains and costs
check     the independent check, after every step

**Invariant: a step uses only accelerators on which nothing stands now or later, and no two
steps the same ones.** So steps need no order, any of them may be left out, and one that the book
has overtaken spoils no other. Everything is integers: gains and costs are accelerator-ms.
"""
