"""The parts of a contract file, table by table: prices and ramps, commitments, tranches, SLA.

Each function reads one table and gives its value, or None once its problems are noted.
`contract_file.py` puts them together.
"""

from typing import Any

from comptoir.leases.breaches import BreachCause
from comptoir.leases.lease import LeaseClass
from comptoir.leases.policy import MOST_NOTICE_S
from comptoir.leases.term import LeaseTerm
from comptoir.sales import contract_fields as own
from comptoir.sales.commitments import (
    NANOS_PER_MICRO,
    AccessStep,
    Commitment,
    CommitmentType,
    CommitmentUnit,
    Instalment,
    check_schedules,
)
from comptoir.sales.contracts import AgreedPrice, Direction
from comptoir.sales.credit_blocks import DEFAULT_PRIORITY, PPM, Covers
from comptoir.sales.sla_terms import CreditStep, SlaTerms, SlaUnit, check_credits
from comptoir.sales.tranches import ExitRight, Expansion, MoveClause, RecallClause, Tranche
from comptoir.units import fields
from comptoir.units.errors import Invalid
from comptoir.units.reading import Judge, Table

MOST_PARTS = 1_000
MOST_ACCELERATORS = 10_000_000
MOST_FACTOR = 100
YEARS_20_S = 20 * 366 * 86_400


def _covers(table: Table) -> Covers:
    return Covers(
        table.take("kinds", own.many(own.kind), ()) or (),
        table.take("classes", own.many(own.word(LeaseClass)), ()) or (),
        table.take("sites", own.many(fields.text(64)), ()) or (),
    )


def commitment(table: Table, currency: str, instant: Judge) -> Commitment | None:
    """A commitment with its two schedules."""
    name = table.take("name", own.name)
    type_ = table.take("type", own.word(CommitmentType))
    unit = table.take("unit", own.word(CommitmentUnit), CommitmentUnit.SPEND)
    nanos = table.take("price", fields.price, None)
    covers = _covers(table)
    priority = table.take("priority", fields.whole(0, 10_000), DEFAULT_PRIORITY)
    rollover = table.take("rollover", own.share(), 0)
    rollover_s = table.take("rollover_for", fields.duration(YEARS_20_S), 0)
    tranche = table.take("tranche", own.name, "")
    quantity = unit is CommitmentUnit.QUANTITY
    if table.sound and quantity != bool(nanos):
        said = "a quantity has a price per accelerator-hour, a spend has none"
        table.wrong("price", Invalid("file_missing_field", said, "mend unit or price"))
    if table.sound and bool(rollover) != bool(rollover_s):
        said = "rollover and rollover_for go together"
        table.wrong("rollover", Invalid("file_missing_field", said, "say both or neither"))
    access = [
        _access(step, currency, nanos if quantity else None, instant)
        for step in table.tables("access", True, MOST_PARTS)
    ]
    invoices = [
        _instalment(one, currency, instant) for one in table.tables("invoice", False, MOST_PARTS)
    ]
    if not table.close() or None in access or None in invoices:
        return None
    steps = tuple(step for step in access if step is not None)
    given = tuple(one for one in invoices if one is not None)
    if not given and type_ is CommitmentType.POSTPAID:
        given = tuple(Instalment(step.until_ms, step.micros) for step in steps)
    commitment = Commitment(
        name, type_, unit, steps, given, covers, priority, rollover, rollover_s, nanos or None,
        tranche,
    )  # fmt: skip
    try:
        return check_schedules(commitment, currency)
    except Invalid as error:
        table.wrong("invoice" if error.code == "schedules_do_not_sum" else "access", error)
        return None


def _access(
    table: Table, currency: str, price_nanos: int | None, instant: Judge
) -> AccessStep | None:
    since = table.take("from", instant)
    until = table.take("until", instant)
    if price_nanos is None:
        micros = table.take("amount", own.amount(currency))
    else:
        hours = table.take("accelerator_hours", fields.whole(1, 10**12))
        exact = (hours or 0) * price_nanos
        micros = exact // NANOS_PER_MICRO
        if exact % NANOS_PER_MICRO:
            said = f"{hours:,} hours at that price are no whole number of micros"
            table.wrong("accelerator_hours", Invalid("bad_schedule", said, "round either"))
    if table.sound and micros <= 0:
        table.wrong("amount", Invalid("bad_schedule", "a step of nothing", "leave it out"))
    return AccessStep(since, until, micros) if table.close() else None


def _instalment(table: Table, currency: str, instant: Judge) -> Instalment | None:
    at = table.take("date", instant)
    micros = table.take("amount", own.amount(currency))
    return Instalment(at, micros) if table.close() else None


def tranche(table: Table, instant: Judge) -> Tranche | None:
    """A tranche."""
    long = fields.duration(YEARS_20_S)
    tranche = Tranche(
        table.take("name", own.name),
        table.take("kind", own.kind),
        table.take("accelerators", fields.whole(1, MOST_ACCELERATORS)),
        table.take("site", fields.text(64), ""),
        table.take("delivery", instant),
        table.take("accept_within", long, 72 * 3_600),
        table.take("early_by", long, 0),
        table.take("cancel_after", long, None),
    )
    return tranche if table.close() else None


def expansion(table: Table, instant: Judge) -> Expansion | None:
    """The right to more."""
    expansion = Expansion(
        table.take("name", own.name),
        table.take("kind", own.kind),
        table.take("accelerators", fields.whole(1, MOST_ACCELERATORS)),
        table.take("exercise_by", instant),
        table.take("price", fields.price, None),
        table.take("class", own.word(LeaseClass), LeaseClass.RESERVED),
        table.take("deliver_within", fields.duration(YEARS_20_S), 0),
    )
    return expansion if table.close() else None


def exit_right(root: Table, currency: str, instant: Judge) -> ExitRight | None:
    """The right to end it early, if there is one."""
    table = root.table("exit")
    if table is None:
        return None
    right = ExitRight(
        table.take("notice", fields.duration(YEARS_20_S)),
        table.take("not_before", instant, 0),
        table.take("fee", own.amount(currency), 0),
        table.take("rest", own.share(), 0),
    )
    return right if table.close() else None


def recall_clause(root: Table, direction: Direction) -> RecallClause | None:
    """What may be taken back for internal use, if anything."""
    table = root.table("recall")
    if table is None:
        return None
    clause = RecallClause(
        table.take("notice", fields.duration(MOST_NOTICE_S[LeaseClass.RESERVED])),
        table.take("fee", own.share(MOST_FACTOR), 0),
        table.take("times_a_year", fields.whole(0, 1_000)),
    )
    if direction is Direction.BOUGHT:
        root.wrong("recall", only("recall", Direction.SOLD))
    return clause if table.close() else None


def move_clause(root: Table, direction: Direction) -> MoveClause | None:
    """What may be moved while it runs, if anything."""
    table = root.table("move")
    if table is None:
        return None
    clause = MoveClause(
        table.take("notice", fields.duration(MOST_NOTICE_S[LeaseClass.RESERVED])),
        table.take("times_a_year", fields.whole(0, 1_000)),
    )
    if direction is Direction.BOUGHT:
        root.wrong("move", only("move", Direction.SOLD))
    return clause if table.close() else None


def only(what: str, direction: Direction) -> Invalid:
    """Said of what belongs to the other kind of contract."""
    return Invalid("file_unknown_field", f"only a {direction} contract has {what}", "leave it out")


def sla_terms(root: Table) -> SlaTerms | None:
    """What is guaranteed, if anything."""
    table = root.table("sla")
    if table is None:
        return None
    unit = table.take("unit", own.word(SlaUnit))
    minimum = table.take("healthy_minimum", own.share(), PPM)
    spares = table.take("spares", fields.whole(1, MOST_ACCELERATORS), 0)
    replace_within = table.take("replace_within", fields.duration(366 * 86_400), 0)
    degraded = table.take("degraded_counts", fields.flag, False)
    exclusions = table.take("exclusions", own.many(own.word(BreachCause)), ())
    steps = []
    for step in table.tables("credit", True, 20):
        found = CreditStep(step.take("below", own.share()), step.take("credit", own.share()))
        if step.close():
            steps.append(found)
    cap = table.take("cap", own.share(), PPM)
    if not table.close():
        return None
    try:
        check_credits(tuple(steps))
    except Invalid as error:
        table.wrong("credit", error)
    return SlaTerms(unit, minimum, spares, replace_within, degraded, exclusions, tuple(steps), cap)


def _price_or_factor(table: Table) -> tuple[int | None, int | None]:
    price = table.take("price", fields.price, None)
    factor = table.take("factor", own.share(MOST_FACTOR), None)
    if (price is None) == (factor is None) and table.sound:
        said = "both price and factor" if price is not None else "neither price nor factor"
        error = Invalid("file_missing_field", f"it has {said}", "say one of the two")
        table.wrong("price", error)
    return price, factor


def _scope(table: Table) -> tuple[Any, Any, Any, Any]:
    return (
        table.take("kind", own.kind, None),
        table.take("class", own.word(LeaseClass), None),
        table.take("site", fields.text(64), None),
        table.take("term", own.word(LeaseTerm), None),
    )


def price(table: Table, starts: int, ends: int, instant: Judge) -> AgreedPrice | None:
    """An agreed price, from the contract's start to its end if it does not say otherwise."""
    scope = _scope(table)
    since = table.take("from", instant, starts)
    until = table.take("until", instant, ends)
    price, factor = _price_or_factor(table)
    if not table.close():
        return None
    if not since < until <= ends:
        _outside(table, "from")
        return None
    return AgreedPrice(*scope, since, until, price, factor)


def ramp(table: Table, ends: int, instant: Judge) -> list[AgreedPrice | None]:
    """A ramp: phases, each until the next begins, the last until the contract ends."""
    scope = _scope(table)
    phases: list[tuple[int, int | None, int | None]] = []
    for phase in table.tables("phases", True, MOST_PARTS):
        since = phase.take("from", instant)
        price, factor = _price_or_factor(phase)
        if not phase.close():
            continue
        if not (phases[-1][0] if phases else -1) < since < ends:
            _outside(phase, "from")
            continue
        phases.append((since, price, factor))
    if not table.close():
        return []
    last = [since for since, _, _ in phases[1:]] + [ends] if phases else []
    return [
        AgreedPrice(*scope, since, until, price, factor)
        for (since, price, factor), until in zip(phases, last, strict=True)
    ]


def _outside(table: Table, field: str) -> None:
    table.wrong(
        field,
        Invalid(
            "bad_schedule",
            "it ends after the contract does, or does not follow the one above it",
            "write the windows in order of time, the last no later than until",
        ),
    )
