"""The ledger as plain text that `bean-check` accepts: another program's proof that it balances.

Beancount's signs are ours: a debit is positive. Money is written with six decimals, always, as
the ledger holds it; accelerator-milliseconds are a commodity beside money. An account's own name
stands in the metadata of its `open`, since Beancount's names hold fewer letters than ours.

Source: beancount.github.io/docs/beancount_language_syntax.html.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Final

from comptoir.ledger.entries import Account, Entry, Unit
from comptoir.units.money import format_micros
from comptoir.units.time import format_day, format_instant

TYPES: Final = {
    "capacity": "Equity:Accelerators",
    "usage": "Equity:Accelerators",
    "opening_balance": "Equity",
    "brokerage": "Equity",
    "cash": "Assets",
    "receivable": "Assets",
    "unbilled": "Assets",
    "revaluation": "Assets",
    "prepaid_capacity": "Assets",
    "internal_transfer": "Assets",
    "deferred_revenue": "Liabilities",
    "customer_credit": "Liabilities",
    "tax_payable": "Liabilities",
    "supplier_payable": "Liabilities",
    "unidentified_receipts": "Liabilities",
    "revenue": "Income",
    "breakage": "Income",
    "fx_gain_loss": "Income",
    "prior_revenue": "Income",
    "bank_fees": "Expenses",
    "cost_of_capacity": "Expenses",
    "grants": "Expenses",
    "lender_credit": "Expenses",
    "recall_fees": "Expenses",
    "rounding": "Expenses",
    "sla_credit": "Expenses",
}
"""Which of Beancount's kinds of account each of ours is, by the word before the colon."""

_LETTERS = re.compile(r"[^A-Za-z0-9-]+")
_COMMODITY = re.compile(r"[^A-Z0-9'._-]+")
_ID = re.compile(r"[a-z]{2}_([0-9A-Z]+|house)")
MOST_COMMODITY = 24


def journal_text(
    accounts: Iterable[Account], entries: Iterable[Entry], first_ms: int, about: Iterable[str]
) -> Iterator[str]:
    """The journal, a piece at a time.

    Args:
        accounts: All that the entries name.
        entries: In the order in which they shall stand.
        first_ms: When the first counts: accounts are opened on that day.
        about: Lines of comment at the top.
    """
    yield "".join(f"; {line}\n" for line in about) + "\n"
    first = format_day(first_ms)
    names = {account: account_name(account) for account in accounts}
    for account, name in names.items():
        yield f"{first} open {name}\n  account: {_quoted(account)}\n"
    commodities: dict[Unit, str] = {}
    for entry in entries:
        lines = [
            f"\n{format_day(entry.effective_at_ms)} * {_quoted(entry.kind)} "
            f"{_quoted(entry.description)}\n"
            f"  entry: {_quoted(str(entry.seq))}\n  key: {_quoted(entry.key)}\n"
            f"  booked: {_quoted(format_instant(entry.booked_at_ms))}\n"
        ]
        for posting in entry.postings:
            unit = posting.unit
            if unit not in commodities:
                commodities[unit] = commodity_name(unit)
            amount = _amount(unit, posting.amount)
            lines.append(f"  {names[posting.account]}  {amount} {commodities[unit]}\n")
        yield "".join(lines)


def account_name(account: Account) -> str:
    """How Beancount calls an account; two of ours never have one name.

    Raises:
        KeyError: an account of a kind that `TYPES` does not have.
    """
    kind, _, of = account.partition(":")
    parts = [TYPES[kind], "".join(word.capitalize() for word in kind.split("_"))]
    if of:
        parts.append(_component(of))
    return ":".join(parts)


def _component(name: str) -> str:
    """A part of a name: it begins with a capital or a digit; what is lost is told by a hash."""
    plain = _LETTERS.sub("-", name).strip("-")
    kept = plain[:1].upper() + plain[1:]
    if _ID.fullmatch(name):  # an id: its form says all
        return name.upper().replace("_", "-")
    if kept == name:
        return kept
    return f"{kept or 'X'}-{_told(name)}"


def commodity_name(unit: Unit) -> str:
    """How Beancount calls a unit: a currency as it is, accelerator-ms by their kind."""
    of = unit.partition(":")[2]
    if not of:
        return unit
    plain = _COMMODITY.sub("-", f"MS-{of.upper()}")
    if plain == f"MS-{of.upper()}" and of == of.lower() and _fits(plain):
        return plain
    return f"{plain[: MOST_COMMODITY - 9].rstrip(chr(39) + '._-')}-{_told(of).upper()}"


def _fits(name: str) -> bool:
    return len(name) <= MOST_COMMODITY and name[-1].isalnum()


def _told(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def _amount(unit: Unit, amount: int) -> str:
    """Six decimals, always."""
    return f"{amount}.000000" if ":" in unit else format_micros(amount)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("\r", " ")
    return f'"{escaped}"'
