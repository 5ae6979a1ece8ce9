"""Housekeeping: what is kept for a stated time and no longer."""

from comptoir.desk.transaction import Transaction


def forget_answers(tx: Transaction, kept_ms: int) -> int:
    """Drop answers to idempotency keys older than `kept_ms`; returns how many."""
    return tx.store.forget_answers(tx.now_ms - kept_ms)


def forget_deliveries(tx: Transaction, kept_ms: int) -> int:
    """Drop tries to send notices older than `kept_ms`; returns how many."""
    return tx.store.forget_deliveries(tx.now_ms - kept_ms)
