"""Units: ids, instants and windows, quantities, money, errors, invariants.

The words every other room is written in. Nothing here knows about leases or
tenants; nothing here reads a clock or draws a random number. Imports nothing.
"""
