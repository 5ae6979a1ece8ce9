"""The shim: one process per attempt that starts, watches and records it.

It is started by path with an empty environment (`python -I -S`), so it imports
the standard library and its siblings only, relatively, and few of them: it must
be running within tens of milliseconds.
"""
