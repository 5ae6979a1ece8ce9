"""Ledger: accounts, entries, postings.

Double entry over any unit: a currency in micros, or the accelerator-milliseconds
of a kind. Invariant: in every entry each unit sums to zero; entries are never
changed. Source: the transfers of TigerBeetle, the commodities of Beancount.
"""
