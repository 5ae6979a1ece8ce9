"""Acts on money that one asks for and another approves; the handlers of the acts ask here."""

from fastapi import Response

from comptoir.api.door import Ask, Asking, said
from comptoir.api.words import Id, Pages
from comptoir.billing.approvals import ApprovalState
from comptoir.desk.approval_requests import Act, ApprovalRef, AskApproval
from comptoir.store.views import lists
from comptoir.store.views import receipts as views
from comptoir.units.ids import ApprovalId


async def ask_for(ask: Asking, act: Act) -> Response:
    """Ask for an act; it is judged now, and done when somebody else approves it."""
    return await ask.do("ask_approval", AskApproval(act), status=201)


async def list_approvals(ask: Ask, pages: Pages, state: ApprovalState | None = None) -> Response:
    """Acts on money that two people agree to, newest first."""
    return await ask.page("approvals", pages, views.approvals, state=state)


async def get_approval(ask: Ask, approval: Id) -> Response:
    """One act that waits, or was done or withdrawn."""
    return said(ask.encode(await ask.one("approval", approval, "act", lists.find)))


async def approve_act(ask: Ask, approval: Id) -> Response:
    """Do what another has asked for."""
    return await ask.do("approve_act", ApprovalRef(ApprovalId(approval)))


async def withdraw_act(ask: Ask, approval: Id) -> Response:
    """Say that it is not done."""
    return await ask.do("withdraw_act", ApprovalRef(ApprovalId(approval)))
