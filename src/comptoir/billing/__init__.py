"""Billing: accruals, invoices and chargeback statements, and their entries.

Invariants: an accrual has posted exactly the floor of its exact sum; an invoice's
total is the sum of its lines and of its postings; numbers have no gaps and are
given only when an invoice is final. Neighbours: `pricing` and `ledger` below.
"""
