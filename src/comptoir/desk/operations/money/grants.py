"""Grants: credit that costs its tenant nothing and expires; and what credit a tenant has."""

from comptoir.desk.credit import exposure_of
from comptoir.desk.dues import cut_open
from comptoir.desk.entity_requests import Credit, GiveGrant, ShowCredit
from comptoir.desk.terms import currency_at
from comptoir.desk.transaction import Transaction
from comptoir.fleet.kinds import check_kind
from comptoir.sales.credit_blocks import (
    DEFAULT_PRIORITY,
    BlockState,
    CreditBlock,
    CreditSource,
    check_block,
    order_of_drawing,
)
from comptoir.units.errors import Invalid, Refused
from comptoir.units.ids import CreditBlockId
from comptoir.units.money import parse_amount
from comptoir.units.text import check_count, check_text
from comptoir.units.time import check_instant, format_instant

MOST_CONDITIONS = 16
MOST_KINDS = 32


def give_grant(tx: Transaction, request: GiveGrant) -> CreditBlock:
    """Give a customer credit for its use from now on, until it expires.

    Raises:
        Refused: `not_a_customer`: a team is charged back.
        Invalid: `grant_over`: it would have expired already; `bad_amount`, `too_many_decimals`.
    """
    tenant = tx.tenant(request.tenant_id)
    if tenant.is_internal:
        raise Refused(
            "not_a_customer",
            f"{tenant.slug} is an internal team: it is charged back, not granted credit",
            "give it a budget: comptoir budget set",
        )
    until_ms = check_instant("until", request.until_ms)
    if until_ms <= tx.now_ms:
        raise Invalid(
            "grant_over",
            f"a grant until {format_instant(until_ms)} would be over already",
            "give a later end",
            {"field": "until"},
        )
    check_count("conditions", len(request.conditions), 0, MOST_CONDITIONS)
    check_count("kinds", len(request.covers.kinds), 0, MOST_KINDS)
    for kind in request.covers.kinds:
        check_kind(kind)
    currency = currency_at(tx.book, tenant.id, tx.now_ms)
    block = check_block(
        CreditBlock(
            id=CreditBlockId(tx.new_id("cb")),
            tenant_id=tenant.id,
            contract_id=None,
            commitment_id=None,
            source=CreditSource.GRANT,
            currency=currency,
            granted_micros=parse_amount(request.amount, currency, "amount", least=1),
            drawn_micros=0,
            expired_micros=0,
            from_ms=tx.now_ms,
            until_ms=until_ms,
            priority=DEFAULT_PRIORITY,
            covers=request.covers,
            conditions=tuple(check_text("condition", c, 1, 200) for c in request.conditions),
            state=BlockState.OPEN,
            created_at_ms=tx.now_ms,
        )
    )
    tx.book.contracts.credit_blocks.put(block)
    cut_open(tx, tenant.id)
    tx.emit(
        "grant.given", block.id, tenant.id, currency=currency,
        granted_micros=block.granted_micros, until_ms=until_ms, conditions=block.conditions,
    )  # fmt: skip
    return block


def show_credit(tx: Transaction, request: ShowCredit) -> Credit:
    """What a tenant owes and may come to owe, and the credit that it has, next drawn first."""
    tenant = tx.tenant(request.tenant_id)
    blocks = sorted(tx.book.contracts.credit_of.get(tenant.id), key=order_of_drawing)
    return Credit(
        exposure_of(tx, tenant.id), tuple(blocks), tx.book.credit.holds_of.count(tenant.id)
    )
