"""The local engine: jobs in bubblewrap sandboxes on this machine.

Each attempt is watched by a small process of its own, the shim (`shim/`), that
outlives the control plane: the server's death stops no job and loses no exit
code. The engine (`engine.py`) only writes orders, starts shims and reads what
they recorded. Nothing runs without a sandbox: when the probes (`probes.py`) find
that none holds, the engine says which one failed and refuses.

Invariant: a job sees its own work directory, its runtime read-only, and nothing
else of this machine or of any other tenant.
Neighbours: implements `desk.engine_port`; imports it, `units` and the standard
library.
"""
