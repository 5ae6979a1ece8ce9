"""An opening held against itself: its controls, its numbers, what happened under its contracts.

Everything here follows from the files and from what stays for good of their legal entity; what
else is in the book is the desk's to judge.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from comptoir.billing.opening import (
    CommitmentBefore,
    NextNumber,
    OpeningFile,
    OpenInvoice,
    RunningContract,
    Total,
    Where,
)
from comptoir.billing.opening_faults import Faults
from comptoir.sales.commitments import (
    AccessStep,
    Commitment,
    CommitmentType,
    instalments_due,
)
from comptoir.tenants.entities import LegalEntity
from comptoir.units.errors import Invalid
from comptoir.units.ids import ContractId
from comptoir.units.money import MICROS_PER_UNIT, MINOR_DIGITS, format_minor, format_percent
from comptoir.units.time import LATEST_MS, format_instant
from comptoir.units.wire import money

PPM = 1_000_000
MOST_MICROS = 10**17
"""A hundred billion of a currency: an opening that brings more has a slip in it."""
_NUMBERED = re.compile(r"(.+)-([0-9]{6,})")
_WORDS = {"{tenant}": "[A-Z0-9-]+", "{entity}": "[A-Z0-9-]+", "{year}": "[0-9]{4}"}


def check_opening(file: OpeningFile, entity: LegalEntity, faults: Faults) -> None:
    """Note everything that is wrong with an opening by itself."""
    _check_once(file, faults)
    for invoice in file.invoices:
        _check_invoice(invoice, faults)
    for credit in file.prepaid:
        if credit.until_ms is not None and credit.until_ms <= max(credit.from_ms, file.cut_over_ms):
            faults.add(credit.where, "until", _over(credit.until_ms))
    for contract in file.contracts:
        _check_contract(contract, entity, file.cut_over_ms, faults)
    _check_apart(file, faults)
    _check_numbers(file, entity, faults)
    _check_controls(file, faults)
    _check_size(file, faults)


def _check_once(file: OpeningFile, faults: Faults) -> None:
    """What has a name of its own is there once."""
    named: tuple[tuple[str, Iterator[tuple[str, Where]]], ...] = (
        ("tenant", ((one.slug, one.where) for one in file.customers)),
        ("file", ((one.file.number, one.where) for one in file.contracts)),
        ("number", ((one.number, one.where) for one in file.invoices)),
        ("series", ((one.series, one.where) for one in file.numbers)),
        ("of", ((f"{one.of} in {one.currency}", one.where) for one in file.controls)),
        ("account", ((f"{one.account} in {one.currency}", one.where) for one in file.balances)),
    )
    for field, found in named:
        seen: dict[str, Where] = {}
        for name, where in found:
            if name in seen:
                first = seen[name]
                said = f"{name} is said before, at {first.file}:{first.line}"
                faults.add(where, field, Invalid("opening_twice", said, "say it once"))
            seen.setdefault(name, where)


def _check_invoice(invoice: OpenInvoice, faults: Faults) -> None:
    gross, coin = invoice.gross_micros, invoice.currency
    if invoice.due_at_ms < invoice.issued_at_ms:
        said = f"{invoice.number} is due before it was issued"
        faults.add(invoice.where, "due", Invalid("end_before_start", said, "mend either date"))
    if invoice.paid_micros >= gross:
        said = (
            f"{invoice.number} asks {format_minor(gross, coin)} {coin}, and "
            f"{format_minor(invoice.paid_micros, coin)} are paid: nothing of it is open"
        )
        faults.add(invoice.where, "paid", Invalid("invoice_not_open", said, "leave it out"))
    if invoice.net_micros < 0:
        said = f"{invoice.number} has more taxes than it asks"
        faults.add(invoice.where, "tax", Invalid("taxes_do_not_fit", said, "mend either"))
        return
    bases = sum(tax.base_micros for tax in invoice.taxes)
    if invoice.taxes and bases != invoice.net_micros:
        said = (
            f"the taxes of {invoice.number} are on {format_minor(bases, coin)} {coin}, its net "
            f"amount is {format_minor(invoice.net_micros, coin)}"
        )
        faults.add(invoice.where, "taxes", Invalid("taxes_do_not_fit", said, "mend either"))
    step = MICROS_PER_UNIT // 10 ** MINOR_DIGITS[coin]
    for tax in invoice.taxes:
        exact = tax.base_micros * tax.rate_ppm
        # Systems round by line: half a percent of the tax, or ten minor units, may be between.
        if abs(exact - tax.amount_micros * PPM) > max(exact // 200, 10 * step * PPM):
            said = (
                f"{format_percent(tax.rate_ppm)} % of {format_minor(tax.base_micros, coin)} {coin} "
                f"is not {format_minor(tax.amount_micros, coin)}"
            )
            faults.add(invoice.where, "tax", Invalid("taxes_do_not_fit", said, "mend either"))


def _check_contract(
    contract: RunningContract, entity: LegalEntity, cut_over_ms: int, faults: Faults
) -> None:
    file = contract.file
    if file.entity != entity.slug:
        said = f"{file.number} is with {file.entity}, the opening is of {entity.slug}"
        faults.add(contract.where, "file", Invalid("entity_of_another", said, "mend its entity"))
    if file.until_ms <= cut_over_ms:
        faults.add(contract.where, "file", _over(file.until_ms))
    tranches = {one.name for one in file.body.tranches}
    for name, at_ms in contract.accepted:
        if name not in tranches:
            said = f"{file.number} has no tranche {name!r}"
            faults.add(
                contract.where, "accepted", Invalid("contract_unknown_name", said, "see its file")
            )
        if at_ms >= cut_over_ms:
            said = f"{name} is accepted {format_instant(at_ms)}, not before the cut-over"
            faults.add(
                contract.where, "accepted", Invalid("after_cut_over", said, "accept it when it is")
            )
    for commitment in file.body.commitments:
        _check_commitment(contract, commitment, cut_over_ms, faults)


def _check_apart(file: OpeningFile, faults: Faults) -> None:
    """No two contracts of a customer are in force at once."""
    sold = [one for one in file.contracts if one.sold]
    sold.sort(key=lambda one: (one.file.party, one.file.effective_from_ms))
    for one, other in pairwise(sold):
        mine, theirs = one.file, other.file
        if mine.party == theirs.party and theirs.effective_from_ms < mine.until_ms:
            said = f"{mine.number} and {theirs.number} of {mine.party} are in force at once"
            fault = Invalid("contracts_overlap", said, "let one end before the other begins")
            faults.add(other.where, "file", fault)


def _check_commitment(
    contract: RunningContract, commitment: Commitment, cut_over_ms: int, faults: Faults
) -> None:
    """Each step that has begun is told, and one that is over comes to its amount."""
    before = contract.before(commitment.name)
    waits = commitment.tranche and commitment.tranche not in {n for n, _ in contract.accepted}
    told = {step.from_ms: step for step in before.steps}
    for step in commitment.access:
        found = told.pop(step.from_ms, None)
        if step.from_ms >= cut_over_ms or waits:
            if found is not None:
                said = (
                    f"the step of {commitment.name} from {format_instant(step.from_ms)} is to come"
                )
                fault = Invalid("after_cut_over", said, "leave it out")
                faults.add(found.where, "from", fault)
            continue
        used = 0 if found is None else found.used_micros
        settled = 0 if found is None else found.settled_micros
        for fault in _step_faults(contract, commitment, step, used, settled, cut_over_ms):
            where = before.where if found is None else found.where
            faults.add(where, "commitment.steps" if found is None else "used", fault)
    if commitment.type is CommitmentType.PREPAID:
        _check_invoiced(contract, commitment, before, cut_over_ms, faults)
    elif before.invoiced_micros:
        said = f"{commitment.name} is postpaid: nothing of it is invoiced ahead"
        fault = Invalid("bad_schedule", said, "say what was used, and settled by a true-up")
        faults.add(before.where, "invoiced", fault)


def _step_faults(
    contract: RunningContract,
    commitment: Commitment,
    step: AccessStep,
    used: int,
    settled: int,
    cut_over_ms: int,
) -> Iterator[Invalid]:
    coin, name = contract.file.currency, commitment.name
    over = step.until_ms <= cut_over_ms
    beyond = contract.sold and commitment.type is CommitmentType.POSTPAID
    said = (
        f"the step of {name} from {format_instant(step.from_ms)} is of "
        f"{money(step.micros)} {coin}; {format_minor(used, coin)} are used and "
        f"{format_minor(settled, coin)} settled"
    )
    if over and used + settled != step.micros and not (beyond and used > step.micros):
        yield Invalid("step_does_not_sum", f"{said}, and it is over", "they make up its amount")
    if not over and used > step.micros and not beyond:
        yield Invalid("step_does_not_sum", said, "use at most its amount")
    if not over and settled:
        yield Invalid(
            "step_does_not_sum", f"{said}, and it still runs", "settle it when it is over"
        )


def _check_invoiced(
    contract: RunningContract,
    commitment: Commitment,
    before: CommitmentBefore,
    cut_over_ms: int,
    faults: Faults,
) -> None:
    if invoiced_keys(ContractId(""), commitment, before, cut_over_ms) is not None:
        return
    coin = contract.file.currency
    sums, total = [], 0
    for one in instalments_due(ContractId(""), [commitment], 0, LATEST_MS):
        total += one.micros
        sums.append(f"{format_minor(total, coin)} up to {format_instant(one.at_ms)[:10]}")
    faults.add(
        before.where,
        "invoiced",
        Invalid(
            "invoiced_is_no_instalment",
            f"{format_minor(before.invoiced_micros, coin)} {coin} of {commitment.name} are said to "
            f"be invoiced; its instalments make {', '.join(sums[:12])}",
            "say the sum of those that were invoiced before the cut-over, the first ones whole",
        ),
    )


def invoiced_keys(
    contract_id: ContractId, commitment: Commitment, before: CommitmentBefore, cut_over_ms: int
) -> list[str] | None:
    """The keys of the instalments that were invoiced: the first ones, whole; None: no such sum."""
    keys, rest = [], before.invoiced_micros
    for one in instalments_due(contract_id, [commitment], 0, LATEST_MS):
        if not rest:
            break
        if one.micros > rest:
            return None
        keys.append(one.key)
        rest -= one.micros
    return None if rest else keys


def series_of(pattern: str) -> re.Pattern[str]:
    """What the series of a pattern look like."""
    pieces = re.split(r"(\{tenant\}|\{entity\}|\{year\})", pattern)
    return re.compile("".join(_WORDS.get(piece, re.escape(piece)) for piece in pieces))


def _check_numbers(file: OpeningFile, entity: LegalEntity, faults: Faults) -> None:
    """A number that this book would give again is one that its series is past."""
    patterns = (entity.invoice_series, entity.credit_note_series)
    ours = [series_of(pattern) for pattern in patterns]
    coming: dict[str, NextNumber] = {}
    for one in file.numbers:
        coming[one.series] = one
        if not any(series.fullmatch(one.series) for series in ours):
            said = (
                f"{entity.slug} gives no series {one.series!r}; it gives {' and '.join(patterns)}"
            )
            fault = Invalid("unknown_series", said, "write it as the entity would")
            faults.add(one.where, "series", fault)
    for invoice in file.invoices:
        found = _NUMBERED.fullmatch(invoice.number)
        if found is None or not any(series.fullmatch(found[1]) for series in ours):
            continue
        after = coming.get(found[1])
        if after is None or after.next <= int(found[2]):
            next_is = "is not said" if after is None else f"would be {after.next:,}"
            said = (
                f"{invoice.number} is a number of the series {found[1]}, whose next {next_is}: it "
                "would be given again"
            )
            step = f'[[next_number]] series = "{found[1]}", next = {int(found[2]) + 1} or more'
            faults.add(invoice.where, "number", Invalid("number_given_again", said, step))


def _check_controls(file: OpeningFile, faults: Faults) -> None:
    """What is brought comes to what the file says, kind by kind and currency by currency."""
    said = {(one.of, one.currency): one for one in file.controls}
    found = {(one.of, one.currency): one for one in file.totals}
    top = Where(file.texts[0][0], 1)
    for key in [*found, *(key for key in said if key not in found)]:
        total = found.get(key) or Total(*key, 0, 0)
        control = said.get(key)
        if control is None:
            fault = Invalid(
                "control_missing",
                f"nothing says what {total.of} in {total.currency} must come to",
                f'add [[control]] of = "{total.of}", currency = "{total.currency}" with the count '
                "and the amount of your own books",
            )
            faults.add(top, "control", fault)
        elif total.micros != control.micros or control.count not in (None, total.count):
            faults.add(control.where, "amount", _differs(total, control.count, control.micros))


def _check_size(file: OpeningFile, faults: Faults) -> None:
    """All of it fits the ledger, whatever comes after it."""
    amounts = [
        *((one.currency, one.gross_micros, one.where) for one in file.invoices),
        *((one.currency, one.micros, one.where) for one in file.prepaid),
        *((one.currency, one.micros, one.where) for one in file.credits),
        *((one.currency, one.micros, one.where) for one in file.payables),
        *((one.currency, one.micros, one.where) for one in file.balances),
        *(
            (one.file.currency, sum(each.micros for each in one.file.body.commitments), one.where)
            for one in file.contracts
        ),
    ]
    sums: dict[str, int] = {}
    for currency, micros, where in amounts:
        sums[currency] = sums.get(currency, 0) + abs(micros)
        if sums[currency] > MOST_MICROS:
            most = format_minor(MOST_MICROS, currency)
            said = f"what is brought up to here is more than {most} {currency}"
            faults.add(where, "amount", Invalid("more_than_fits", said, "look for a slip"))
            return


def _differs(total: Total, count: int | None, micros: int) -> Invalid:
    coin = total.currency
    said = f"{format_minor(micros, coin)} {coin}" + ("" if count is None else f" of {count:,}")
    return Invalid(
        "control_differs",
        f"{total.of} must come to {said}; brought are {format_minor(total.micros, coin)} {coin} of "
        f"{total.count:,}, {format_minor(total.micros - micros, coin)} apart",
        "mend what is brought, or the control",
        {
            "of": total.of,
            "currency": coin,
            "control": format_minor(micros, coin),
            "brought": format_minor(total.micros, coin),
            "count": total.count,
        },
    )


def _over(until_ms: int) -> Invalid:
    return Invalid(
        "over_before_cut_over",
        f"it is over {format_instant(until_ms)}, before it would be brought",
        "leave it out",
    )
