"""What is judged of a bank file as a whole, before its first entry is booked.

Whose account it is of, that no day of it is still to come, and that the ledger can hold it.
Neighbours: `bank_files` read it; the door asks this of every statement, the desk of each part.
"""

from collections.abc import Iterable, Sequence

from comptoir.billing.bank_files import BankEntry
from comptoir.tenants.entities import LegalEntity
from comptoir.units.errors import Invalid, Refused
from comptoir.units.money import LEDGER_LIMIT, format_minor
from comptoir.units.recurrence import DAY_MS, local_day_ms
from comptoir.units.time import format_day

MOST_HELD_MICROS = LEDGER_LIMIT // 2
"""What one account may hold, so that no sum of two leaves the ledger's range."""


def check_account(account: str, entity: LegalEntity, entities: Iterable[LegalEntity]) -> None:
    """A statement's account is the entity's, as far as it is known.

    Raises:
        Invalid: `wrong_account`.
    """
    whose = next((e for e in entities if e.iban and e.iban == account), entity)
    if whose.id != entity.id:
        raise Invalid(
            "wrong_account",
            f"the statement is of {account}, which is {whose.slug}'s, not {entity.slug}'s",
            f"book it for {whose.slug}: --entity {whose.slug}",
            {"account": account, "entity": whose.slug},
        )
    if entity.iban and account and entity.iban != account:
        raise Invalid(
            "wrong_account",
            f"the statement is of {account}, and {entity.slug} is paid at {entity.iban}",
            "name the entity whose account it is",
            {"account": account, "iban": entity.iban},
        )


def check_days(entries: Sequence[BankEntry], entity: LegalEntity, now_ms: int) -> None:
    """No entry counts from a day that has not come where the entity is.

    Raises:
        Invalid: `value_date_to_come`.
    """
    today_ms = local_day_ms(now_ms, entity.zone)
    latest = max(entries, key=lambda entry: entry.day_ms, default=None)
    if latest is not None and latest.day_ms >= today_ms + DAY_MS:
        day, today = format_day(latest.day_ms), format_day(today_ms)
        raise Invalid(
            "value_date_to_come",
            f"the entry {(latest.reference or latest.id)[:60]!r} counts from {day}, and today is "
            f"{today} in {entity.zone}",
            f"nothing was booked; send the file again on {day}",
            {"value_date": day, "today": today},
        )


def check_sum(entries: Sequence[BankEntry], held_micros: int) -> None:
    """All that a file moves fits an account with what it holds already.

    Raises:
        Refused: `bank_file_too_large`.
    """
    moved = sum(abs(entry.micros) for entry in entries)
    if abs(held_micros) + moved > MOST_HELD_MICROS:
        code = entries[0].currency
        raise Refused(
            "bank_file_too_large",
            f"its entries move {format_minor(moved, code)} {code}; with the "
            f"{format_minor(_whole(held_micros), code)} that the account holds that is more than "
            "the ledger holds on one account",
            "nothing was booked; look at its amounts",
            {"moved": format_minor(moved, code), "currency": code},
        )


def _whole(micros: int) -> int:
    return micros - micros % 1_000_000
