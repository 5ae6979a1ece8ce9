"""The routes of contracts: proposed, approved, acted on; commitments, credit, bought supply."""

from comptoir.api.handlers import contracts
from comptoir.api.route import Route
from comptoir.api.shapes import contracts as shapes
from comptoir.api.shapes.common import ListOf
from comptoir.tenants.permissions import Permission

_C = shapes
_ONE = "/v1/contracts/{contract}"
_VERSION = f"{_ONE}/versions/{{number}}"
_WRITE, _APPROVE, _READ = (
    Permission.CONTRACTS_WRITE,
    Permission.CONTRACTS_APPROVE,
    Permission.READ,
)

CONTRACT_ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/contracts", contracts.propose_contract, _WRITE, _C.ContractProposed, 201),
    Route("GET", "/v1/contracts", contracts.list_contracts, _READ, ListOf[_C.Contract]),
    Route("GET", _ONE, contracts.get_contract, _READ, _C.ContractDetail),
    Route("POST", f"{_VERSION}/approve", contracts.approve_contract, _APPROVE, _C.ContractProposed),
    Route("POST", f"{_VERSION}/withdraw", contracts.withdraw_contract, _WRITE, _C.ContractProposed),
    Route("POST", f"{_ONE}/acts", contracts.act_on_contract, Permission.CONTRACTS_ACT, _C.Act, 201),
    Route("GET", "/v1/credit-blocks", contracts.list_credit_blocks, _READ, ListOf[_C.CreditBlock]),
    Route("GET", "/v1/drawdowns", contracts.list_drawdowns, _READ, ListOf[_C.Drawdown]),
    Route(
        "POST",
        "/v1/supply/settle",
        contracts.settle_supply,
        Permission.INVOICES_WRITE,
        _C.SupplySettled,
    ),
)
