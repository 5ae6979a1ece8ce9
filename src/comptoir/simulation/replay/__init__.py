"""Replay: a trace of real jobs through the real desk, on a virtual clock, and what came of it.

`trace` reads, `mixing` gives classes and overlays copies, `player` lets the jobs live through
requests, waits, reclaims and failures, `tally` counts, `page` draws. The desk, placement,
metering and pricing are those that serve; only the machines and the clock are pretended.
Invariant: the same trace, fleet, options and seed give the same report, byte for byte.
"""
