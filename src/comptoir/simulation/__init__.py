"""Simulation: the real desk and the real store on a virtual clock, with faults, and an audit.

A schedule is made from its seed alone: tenants and operators act, time passes, the desk is
killed and started again, answers are lost and repeated. Afterwards the auditor reads the raw
rows and works everything out again. `python -m comptoir.simulation --seed N` replays one.
Neighbours: everything below; nothing imports this room.
"""
