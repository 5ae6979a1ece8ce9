"""Pricing: rate cards, and usage into exact charges.

A charge is usage priced under one rate: its numerator is exact and is kept.
Invariant: the same usage under the same rate gives the same charge, bit for bit.
Neighbours: `metering` below, `billing` above; `placement` is not known here.
"""
