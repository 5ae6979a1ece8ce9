"""Metering: observed intervals become usage, each accelerator-millisecond once.

Usage is delivered (handed over until fenced), occupied (a job on it) or busy
(telemetry): three measures that are never added up. Invariant: a usage event is
named by (source, event id) for ever. Neighbours: `leases` below, `pricing` above.
"""
