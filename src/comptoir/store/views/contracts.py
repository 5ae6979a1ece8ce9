"""Contracts, credit blocks and drawdowns as lists."""

from sqlalchemy import select

from comptoir.sales.contracts import Contract, Direction, VersionState
from comptoir.sales.credit_blocks import CreditBlock
from comptoir.sales.drawdown import Drawdown
from comptoir.store import tables as t
from comptoir.store.views.reading import Ask, Page, Views, equal


def contracts(
    views: Views,
    ask: Ask,
    tenant_id: str | None = None,
    direction: Direction | None = None,
    approved: bool = False,
) -> Page[Contract]:
    """Contracts, newest first; `approved`: those of which a version was."""
    c, v = t.contract.c, t.contract_version.c
    agreed = c.id.in_(select(v.contract_id).where(v.state == VersionState.APPROVED))
    wanted = equal(c.tenant_id, tenant_id), equal(c.direction, direction)
    return views.page(
        "contract", ask, *wanted, agreed if approved else None, keys=("created_at_ms", "id")
    )


def credit_blocks(
    views: Views, ask: Ask, tenant_id: str | None = None, contract_id: str | None = None
) -> Page[CreditBlock]:
    """Credit blocks, newest first."""
    c = t.credit_block.c
    wanted = equal(c.tenant_id, tenant_id), equal(c.contract_id, contract_id)
    return views.page("credit_block", ask, *wanted, keys=("created_at_ms", "id"))


def drawdowns(
    views: Views, ask: Ask, tenant_id: str | None = None, block_id: str | None = None
) -> Page[Drawdown]:
    """What was drawn of credit for good, newest first."""
    c = t.drawdown.c
    wanted = equal(c.tenant_id, tenant_id), equal(c.block_id, block_id)
    return views.page("drawdown", ask, *wanted, keys=("seq",))
