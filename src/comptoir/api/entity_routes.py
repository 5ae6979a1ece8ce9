"""The routes of who sells and who buys: legal entities, taxes, rates of exchange, admissions;
and of credit, grants and budgets."""

from comptoir.api.handlers import credit, entities
from comptoir.api.route import Route
from comptoir.api.shapes import credit as credit_shapes
from comptoir.api.shapes import entities as shapes
from comptoir.api.shapes.common import ListOf
from comptoir.api.shapes.receipts import Approval
from comptoir.tenants.permissions import Permission

_E, _C = shapes, credit_shapes
_ONE = "/v1/tenants/{tenant}/admission"
_FINANCE, _SALES = Permission.ENTITIES_WRITE, Permission.ADMISSIONS_WRITE
_APPROVER, _HOUSE = Permission.ADMISSIONS_APPROVE, Permission.READ_HOUSE

ENTITY_ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/entities", entities.create_entity, _FINANCE, _E.Entity, 201),
    Route("GET", "/v1/entities", entities.list_entities, _HOUSE, ListOf[_E.Entity]),
    Route("GET", "/v1/entities/{entity}", entities.get_entity, _HOUSE, _E.Entity),
    Route("POST", "/v1/entities/{entity}/change", entities.change_entity, _FINANCE, _E.Entity),
    Route(
        "POST", "/v1/entities/{entity}/account", entities.change_account, _FINANCE, Approval, 201
    ),
    Route("POST", "/v1/tax-rules", entities.import_tax_rules, _FINANCE, _E.TableImported),
    Route("GET", "/v1/tax-rules", entities.list_tax_rules, _HOUSE, ListOf[_E.TaxRule]),
    Route("POST", "/v1/fx-rates", entities.import_fx_rates, _FINANCE, _E.TableImported),
    Route("GET", "/v1/fx-rates", entities.list_fx_rates, _HOUSE, ListOf[_E.FxRate]),
    Route("POST", _ONE, entities.invite_customer, _SALES, _E.Admission, 201),
    Route("GET", _ONE, entities.get_admission, Permission.READ, _E.Admission),
    Route("POST", f"{_ONE}/accept", entities.accept_terms, Permission.TERMS_ACCEPT, _E.Admission),
    Route("POST", f"{_ONE}/screen", entities.screen_customer, _SALES, _E.Admission),
    Route("POST", f"{_ONE}/admit", entities.admit_customer, _APPROVER, _E.Admission),
    Route("POST", f"{_ONE}/refuse", entities.refuse_customer, _APPROVER, _E.Admission),
    Route(
        "POST",
        "/v1/tenants/{tenant}/grants",
        credit.give_grant,
        Permission.GRANTS_WRITE,
        Approval,
        201,
    ),
    Route("GET", "/v1/tenants/{tenant}/credit", credit.show_credit, Permission.READ, _C.Credit),
    Route("POST", "/v1/budgets", credit.set_budget, Permission.BUDGETS_WRITE, _C.Budget),
    Route("GET", "/v1/budgets", credit.list_budgets, Permission.READ, ListOf[_C.Budget]),
    Route("GET", "/v1/budgets/{budget}", credit.get_budget, Permission.READ, _C.Budget),
    Route(
        "POST", "/v1/budgets/{budget}/end", credit.end_budget, Permission.BUDGETS_WRITE, _C.Budget
    ),
    Route("GET", "/v1/admissions", entities.list_admissions, Permission.READ, ListOf[_E.Admission]),
)
