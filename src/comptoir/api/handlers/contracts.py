"""Contracts: proposed, approved, acted on, shown; commitments and credit.

A tenant sees its own contracts, once a version was approved; what the house buys is the house's.
"""

from collections.abc import Sequence
from typing import Any

from fastapi import Response

from comptoir.api.door import Ask, Asking, said
from comptoir.api.encoding import instant, money
from comptoir.api.shapes import contracts as shapes
from comptoir.api.words import Id, Pages, Word
from comptoir.desk import contract_requests as requests
from comptoir.desk.contracts import party_of
from comptoir.desk.operations.money.explain_contract import CommitmentStanding, ContractExplained
from comptoir.sales.contract_file import read_contract_file
from comptoir.sales.contracts import AgreedPrice, Contract, ContractVersion, Direction, prices_of
from comptoir.sales.credit_blocks import PPM, CreditBlock, CreditSource
from comptoir.sales.supply_cost import burn_down
from comptoir.sales.tranches import ContractAct, TrancheStanding
from comptoir.store.views import contracts as views
from comptoir.store.views.tenant_book import Drawing
from comptoir.store.views.tenant_book import drawing as drawing_of
from comptoir.units.ids import ContractId
from comptoir.units.money import NUMERATOR_PER_MICRO, format_price, round_to_minor_micros


async def propose_contract(ask: Ask, body: shapes.ContractBody) -> Response:
    """Propose what a contract file says, or say what the book thinks of it."""
    file = await ask.work(read_contract_file, body.file, body.text)
    request = requests.ProposeContract(file, body.dry_run)
    return await ask.do("propose_contract", request, lambda made: _proposed(ask, made), 201)


async def approve_contract(ask: Ask, contract: Id, number: shapes.VersionNumber) -> Response:
    """Put a proposed version in force from its date on; nobody approves their own."""
    ref = requests.ContractVersionRef(ContractId(contract), number)
    return await ask.do("approve_contract", ref, lambda made: _proposed(ask, made))


async def withdraw_contract(ask: Ask, contract: Id, number: shapes.VersionNumber) -> Response:
    """Take a proposed version back."""
    ref = requests.ContractVersionRef(ContractId(contract), number)
    return await ask.do("withdraw_contract", ref, lambda made: _proposed(ask, made))


async def act_on_contract(ask: Ask, contract: Id, body: shapes.ActBody) -> Response:
    """Deliver, accept, reject or cancel a tranche; use an option; give notice of an exit."""
    given: Any = body
    request = requests.ContractDeed(
        ContractId(contract), body.act, body.about, given.effective_at, body.note
    )
    return await ask.do("act_on_contract", request, _act, 201)


async def list_contracts(
    ask: Ask, pages: Pages, tenant: Word = None, direction: Direction | None = None
) -> Response:
    """Contracts, newest first; to a tenant, its own."""
    return await ask.page(
        "contracts",
        pages,
        views.contracts,
        lambda contract: _contract(ask, contract),
        tenant_id=ask.of_tenant(tenant),
        direction=direction,
        approved=not ask.house,
    )


async def get_contract(ask: Ask, contract: Id) -> Response:
    """One contract by its number or id: its versions, and what the one in force says."""
    found: ContractExplained = await ask.value(
        "explain_contract", requests.ContractRef(ContractId(contract))
    )
    buyer, now_ms = found.contract.tenant_id, ask.door.desk.clock.now_ms()
    drawing = Drawing({}, ()) if buyer is None else await ask.read(drawing_of, buyer, now_ms)
    shown = {
        **_contract(ask, found.contract),
        "entity": found.entity,
        "state": found.state,
        "ends_at": instant(found.ends_at_ms),
        "version": found.version.number,
        "versions": [_version(ask, version) for version in found.versions],
        "text": found.version.text,
        "next_text": found.next_text,
        "prices": [_price(price) for price in prices_of(found.version.body)],
        "inbound": list(found.version.body.inbound),
        "tranches": [_tranche(one) for one in found.tranches],
        "acts": [_act(act) for act in found.acts],
        "commitments": [
            _commitment(one, drawing, now_ms, found.contract.currency) for one in found.commitments
        ],
    }
    return said(shown)


async def list_credit_blocks(ask: Ask, pages: Pages, tenant: Word = None) -> Response:
    """Credit that may be drawn, or was, newest first; to a tenant, its own."""
    return await ask.page(
        "credit_blocks", pages, views.credit_blocks, _block, tenant_id=ask.of_tenant(tenant)
    )


async def list_drawdowns(
    ask: Ask, pages: Pages, tenant: Word = None, credit_block: Word = None
) -> Response:
    """What was drawn of credit for good, newest first; to a tenant, its own."""
    return await ask.page(
        "drawdowns",
        pages,
        views.drawdowns,
        _drawdown,
        tenant_id=ask.of_tenant(tenant),
        block_id=credit_block,
    )


async def settle_supply(ask: Ask, body: shapes.SettleBody) -> Response:
    """Book the cost of bought capacity up to now, or to an instant before."""
    given: Any = body
    return await ask.do("settle_supply", requests.SettleSupply(given.until))


def _proposed(ask: Asking, made: requests.ProposedContract) -> dict[str, Any]:
    return {
        **_contract(ask, made.contract),
        "dry_run": made.dry_run,
        "version": _version(ask, made.version),
        "text": made.version.text,
    }


def _contract(ask: Asking, contract: Contract) -> dict[str, Any]:
    shown = ask.encode(contract)
    shown["party"] = party_of(ask.door.desk.book, contract)
    if not ask.house:
        shown["created_by"] = None
    return shown


def _version(ask: Asking, version: ContractVersion) -> dict[str, Any]:
    return {
        "id": version.id,
        "number": version.number,
        "effective_from": instant(version.effective_from_ms),
        "ends_at": instant(version.until_ms),
        "state": version.state,
        "proposed_by": version.proposed_by if ask.house else None,
        "proposed_at": instant(version.proposed_at_ms),
        "approved_by": version.approved_by if ask.house else None,
        "approved_at": None if version.approved_at_ms is None else instant(version.approved_at_ms),
        "text_sha256": version.text_sha256,
    }


def _price(price: AgreedPrice) -> dict[str, Any]:
    nanos, factor = price.price_nanos, price.factor_ppm
    return {
        "kind": price.kind,
        "lease_class": price.lease_class,
        "site": price.site,
        "term": price.term,
        "starts_at": instant(price.from_ms),
        "ends_at": instant(price.until_ms),
        "price_per_accelerator_hour": None if nanos is None else format_price(nanos),
        "factor": None if factor is None else share(factor),
    }


def share(ppm: int) -> str:
    """Millionths as a decimal string: 0.25."""
    whole, rest = divmod(ppm, PPM)
    return f"{whole}.{f'{rest:06d}'.rstrip('0') or '0'}"


def _tranche(one: TrancheStanding) -> dict[str, Any]:
    def at(instant_ms: int | None) -> str | None:
        return None if instant_ms is None else instant(instant_ms)

    return {
        "name": one.tranche.name,
        "kind": one.tranche.kind,
        "accelerators": one.tranche.accelerators,
        "site": one.tranche.site,
        "state": one.state,
        "delivery_at": instant(one.tranche.delivery_at_ms),
        "delivered_at": at(one.delivered_at_ms),
        "accept_by": at(one.accept_by_ms),
        "accepted_at": at(one.accepted_at_ms),
        "deemed": one.deemed,
    }


def _act(act: ContractAct) -> dict[str, Any]:
    return {
        "id": act.id,
        "act": act.type,
        "about": act.subject,
        "effective_at": instant(act.effective_at_ms),
        "noted_at": instant(act.noted_at_ms),
        "note": act.note,
    }


def _commitment(
    one: CommitmentStanding, drawing: Drawing, now_ms: int, currency: str
) -> dict[str, Any]:
    commitment, after = one.commitment, _after(one, drawing)
    hourly = one.supply_nanos + drawing.hourly_nanos(commitment.covers)
    rolling = [(b.rollover_ppm if b.tenant_id else 0, b.rolls_until_ms or 0) for b in after]
    burn = burn_down(_steps(one, after), hourly, now_ms, rolling)
    drawn = sum(b.drawn_micros for b in one.blocks) if one.blocks else burn.drawn_micros
    rolled = sum(b.granted_micros for b in after if b.source is CreditSource.ROLLOVER)
    left = burn.left_micros

    def whole(micros: int) -> str:
        exact = micros * NUMERATOR_PER_MICRO
        return money(round_to_minor_micros(exact, currency))

    coming = one.next_instalment
    hours = commitment.accelerator_hours
    return {
        "name": commitment.name,
        "type": commitment.type,
        "unit": commitment.unit,
        "alive": one.alive,
        "fell_away": one.fell_away,
        "tranche": commitment.tranche,
        "starts_at": instant(commitment.from_ms),
        "ends_at": instant(commitment.until_ms),
        "granted": whole(burn.granted_micros - rolled),
        "drawn": whole(drawn),
        "pending": whole(burn.drawn_micros - drawn),
        "expired": whole(burn.expired_micros - rolled),
        "left": whole(left),
        "left_accelerator_hours": None if hours(left) is None else str(hours(left)),
        "hourly": format_price(hourly),
        "used_up_at": None if burn.used_up_at_ms is None else instant(burn.used_up_at_ms),
        "short": whole(burn.short_micros),
        "next_instalment": None
        if coming is None
        else {"at": instant(coming.at_ms), "amount": whole(coming.micros)},
        "steps": [
            {
                "starts_at": instant(from_ms),
                "ends_at": instant(until_ms),
                "granted": whole(granted),
                "drawn": whole(drawn),
                "expired": whole(expired),
            }
            for from_ms, until_ms, granted, drawn, expired in _steps(one, one.blocks)
        ],
    }


Step = tuple[int, int, int, int, int]


def _after(one: CommitmentStanding, drawing: Drawing) -> list[CreditBlock]:
    """The credit of a commitment as open usage leaves it, what would roll over among it."""
    known = {block.id: block for block in one.blocks}
    named = {block.commitment_id for block in one.blocks}
    made = {
        id_: block
        for id_, block in drawing.after.items()
        if id_ in known or (block.commitment_id is not None and block.commitment_id in named)
    }
    return sorted((known | made).values(), key=lambda block: (block.from_ms, block.created_at_ms))


def _steps(one: CommitmentStanding, blocks: Sequence[CreditBlock]) -> list[Step]:
    """(from, until, granted, drawn, expired) of each step of a commitment."""
    if one.fell_away and not blocks:
        return []
    if one.spent:
        return [(s.from_ms, s.until_ms, s.micros, spent, 0) for s, spent in one.spent]
    if not blocks:
        return [(step.from_ms, step.until_ms, step.micros, 0, 0) for step in one.commitment.access]
    return [
        (b.from_ms, b.until_ms or 0, b.granted_micros, b.drawn_micros, b.expired_micros)
        for b in blocks
    ]


def _block(block: CreditBlock) -> dict[str, Any]:
    covers = block.covers
    return {
        "id": block.id,
        "tenant_id": block.tenant_id or None,
        "contract_id": block.contract_id,
        "commitment": (block.commitment_id or "").partition("/")[2] or None,
        "source": block.source,
        "state": block.state,
        "currency": block.currency,
        "granted": money(block.granted_micros),
        "drawn": money(block.drawn_micros),
        "expired": money(block.expired_micros),
        "left": money(block.left_micros),
        "starts_at": instant(block.from_ms),
        "ends_at": None if block.until_ms is None else instant(block.until_ms),
        "priority": block.priority,
        "kinds": list(covers.kinds),
        "lease_classes": list(covers.lease_classes),
        "sites": list(covers.sites),
        "conditions": list(block.conditions),
        "created_at": instant(block.created_at_ms),
    }


def _drawdown(row: Any) -> dict[str, Any]:
    return {
        "seq": row.seq,
        "credit_block_id": row.block_id,
        "tenant_id": row.tenant_id or None,
        "subject": row.subject,
        "currency": row.currency,
        "amount": money(row.micros),
        "starts_at": instant(row.from_ms),
        "ends_at": instant(row.until_ms),
        "booked_at": instant(row.booked_at_ms),
        "invoice_id": row.invoice_id,
    }
