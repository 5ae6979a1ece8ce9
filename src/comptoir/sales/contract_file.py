"""A contract file, read: TOML text in, a sound `ContractFile` out, or every problem with its line.

The same format says what we sell (`sold_to`) and what we buy (`bought_from`). `docs/contracts.md`
describes it. What only the book can judge (does the tenant exist, is the past left alone) is
judged by the desk when the file is proposed.
"""

from itertools import combinations

from comptoir.sales import contract_fields as own
from comptoir.sales import contract_parts as parts
from comptoir.sales.commitments import CommitmentType, CommitmentUnit
from comptoir.sales.contract_parts import MOST_PARTS
from comptoir.sales.contracts import ContractBody, ContractFile, Direction
from comptoir.tenants.entities import MOST_PAYMENT_DAYS
from comptoir.units import fields
from comptoir.units.errors import Invalid
from comptoir.units.reading import Judge, Reading, Table
from comptoir.units.time import LATEST_MS, Window, format_instant
from comptoir.units.toml_lines import Path

MOST_FILE_LETTERS = 1 << 20


def read_contract_file(name: str, text: str) -> ContractFile:
    """Read a contract file.

    Args:
        name: The file's, for its problems.
        text: Its TOML.

    Raises:
        Invalid: the code of the first problem; `facts` has `file`, `line`, `field`, and all
            `problems`.
    """
    reading = Reading(name, "docs/contracts.md: The file")
    document = reading.read_toml(text, MOST_FILE_LETTERS)
    found = None if document is None else _contract(Table(reading, (), document), text)
    reading.raise_problems()
    assert found is not None, "a file that could not be read has a problem"
    return found


def _contract(root: Table, text: str) -> ContractFile | None:
    number = root.take("contract", own.number)
    direction, party = _party(root)
    entity = root.take("entity", fields.text(32), "house")
    currency = root.take("currency", fields.currency, "USD")
    zone = root.take("zone", own.zone, "UTC")
    instant = fields.instant_in(zone or "UTC")
    starts = root.take("effective", instant)
    ends = root.take("until", instant)
    if starts is not None and ends is not None:
        try:
            Window(starts, ends)
        except Invalid as error:
            root.wrong("until", error)
    body = _body(root, currency or "USD", (starts or 0, ends or LATEST_MS), direction, instant)
    if not root.close() or root.reading.problems:
        return None
    return ContractFile(number, direction, party, entity, currency, starts, ends, body, text, zone)


def _party(root: Table) -> tuple[Direction, str]:
    sold = root.take("sold_to", fields.text(64), None)
    bought = root.take("bought_from", fields.text(100), None)
    if (sold is None) == (bought is None):
        both = "both sold_to and bought_from" if sold else "neither sold_to nor bought_from"
        root.wrong(
            "bought_from",
            Invalid(
                "file_missing_field",
                f"it has {both}",
                "say with whom: one of the two",
            ),
        )
    return (Direction.BOUGHT, bought) if bought is not None else (Direction.SOLD, sold or "")


def _body(
    root: Table, currency: str, window: tuple[int, int], direction: Direction, instant: Judge
) -> ContractBody:
    starts, ends = window

    def tables(name: str) -> list[Table]:
        return root.tables(name, False, MOST_PARTS)

    prices = [parts.price(table, starts, ends, instant) for table in tables("price")]
    ramps = [parts.ramp(table, ends, instant) for table in tables("ramp")]
    commitments = [parts.commitment(table, currency, instant) for table in tables("commitment")]
    tranches = [parts.tranche(table, instant) for table in tables("tranche")]
    expansions = [parts.expansion(table, instant) for table in tables("expansion")]
    inbound = root.take("inbound", own.many(fields.text(100)), ())
    if inbound and direction is Direction.SOLD:
        root.wrong("inbound", parts.only("inbound", Direction.BOUGHT))
    body = ContractBody(
        tuple(price for group in [prices, *ramps] for price in group if price is not None),
        tuple(one for one in commitments if one is not None),
        tuple(one for one in tranches if one is not None),
        tuple(one for one in expansions if one is not None),
        parts.exit_right(root, currency, instant),
        parts.recall_clause(root, direction),
        parts.sla_terms(root),
        inbound or (),
        root.take("payment_days", fields.whole(0, MOST_PAYMENT_DAYS), None),
        parts.move_clause(root, direction),
    )
    if not root.reading.problems:  # what is left out would shift the others
        _check_names(root, body)
        _check_quantities(root, body)
        _check_dates(root, body, ends)
    return body


def _check_names(root: Table, body: ContractBody) -> None:
    """Names are given once, and what is named is there."""
    named = (
        ("commitment", [one.name for one in body.commitments]),
        ("tranche", [one.name for one in body.tranches]),
        ("expansion", [one.name for one in body.expansions]),
    )
    for part, names in named:
        for at, name in enumerate(names):
            if name in names[:at]:
                error = Invalid(
                    "contract_duplicate_name", f"{part} {name!r} is named twice", "rename one"
                )
                root.reading.add((part, at, "name"), error)
    for at, one in enumerate(body.commitments):
        if one.tranche and body.tranche(one.tranche) is None:
            error = Invalid(
                "contract_unknown_name", f"there is no tranche {one.tranche!r}", "name one of it"
            )
            root.reading.add(("commitment", at, "tranche"), error)


def _check_dates(root: Table, body: ContractBody, ends: int) -> None:
    """Nothing is due, delivered or promised once the contract is over: it would never come.

    What lies before this version takes effect may be of an older one, which only the book knows.
    """
    dated: list[tuple[Path, str, int, bool]] = []  # where, what, when, whether the end itself does
    for at, one in enumerate(body.commitments):
        dated += [
            (("commitment", at, "access", n, "until"), "it ends", step.until_ms, True)
            for n, step in enumerate(one.access)
        ]
        if one.type is CommitmentType.PREPAID:
            dated += [
                (("commitment", at, "invoice", n, "date"), "it is due", instalment.at_ms, False)
                for n, instalment in enumerate(one.invoices)
            ]
    dated += [
        (("tranche", at, "delivery"), "it is delivered", tranche.delivery_at_ms, False)
        for at, tranche in enumerate(body.tranches)
    ]
    dated += [
        (("expansion", at, "exercise_by"), "it may be used until", option.exercise_by_ms, True)
        for at, option in enumerate(body.expansions)
    ]
    if body.exit is not None:
        dated.append((("exit", "not_before"), "it is", body.exit.earliest_ms, False))
    for path, what, at_ms, also_end in dated:
        if at_ms > ends or (at_ms == ends and not also_end):
            said = f"{what} {format_instant(at_ms)}, the contract ends {format_instant(ends)}"
            error = Invalid("bad_schedule", said, "give a date within the contract, or a later end")
            root.reading.add(path, error)


def _check_quantities(root: Table, body: ContractBody) -> None:
    """Two quantities of the same usage at the same time would have two prices."""
    quantities = [
        (at, one) for at, one in enumerate(body.commitments) if one.unit is CommitmentUnit.QUANTITY
    ]
    for (_, one), (at, other) in combinations(quantities, 2):
        meet = one.from_ms < other.until_ms and other.from_ms < one.until_ms
        if meet and one.price_nanos != other.price_nanos and one.covers == other.covers:
            said = f"{one.name} and {other.name} price the same usage at the same time"
            error = Invalid("bad_schedule", said, "give them one price, or other windows")
            root.reading.add(("commitment", at, "price"), error)
