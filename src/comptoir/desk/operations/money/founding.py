"""A legal entity is founded by one person; where it is paid, two agree to from the first.

It is made without an account, and the account that was named is asked for in the same commit.
Until another approves it, its invoices name none.
"""

from comptoir.desk.approval_requests import Act, AskApproval
from comptoir.desk.entity_requests import ChangeAccount, CreateEntity
from comptoir.desk.operations.money.approvals import ask_approval
from comptoir.desk.operations.money.entities import create_entity
from comptoir.desk.transaction import Transaction
from comptoir.tenants.entities import LegalEntity
from comptoir.units.values import replace


def found_entity(tx: Transaction, request: CreateEntity) -> LegalEntity:
    """Make a legal entity, and ask for its account.

    Raises:
        Conflict: `entity_exists`, `series_taken`.
        Invalid: a field of it; `bad_iban`, `bad_bic`.
    """
    made = create_entity(tx, replace(request, iban="", bic=""))
    if request.iban or request.bic:
        account = ChangeAccount(made.id, request.iban or None, request.bic or None)
        ask_approval(tx, AskApproval(Act(account=account)))
    return made
