"""The routes of money that comes in: bank files, payments, disputes, dunning, ageing; approvals."""

from comptoir.api.handlers import approvals, receipts
from comptoir.api.route import Route
from comptoir.api.shapes import receipts as shapes
from comptoir.api.shapes.common import ListOf
from comptoir.tenants.permissions import Permission

_R = shapes
_PAYMENT, _DISPUTE = "/v1/payments/{payment}", "/v1/disputes/{dispute}"
_APPROVAL = "/v1/approvals/{approval}"
_FINANCE, _READ, _HOUSE = Permission.PAYMENTS_WRITE, Permission.READ, Permission.READ_HOUSE
_BILLS, _APPROVER = Permission.INVOICES_WRITE, Permission.MONEY_APPROVE
_ASKING = Permission.MONEY_ASK

RECEIPT_ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/bank-files", receipts.book_bank_file, _FINANCE, _R.BankFileBooked),
    Route("GET", "/v1/payments", receipts.list_payments, _READ, ListOf[_R.Payment]),
    Route("GET", _PAYMENT, receipts.get_payment, _READ, _R.Payment),
    Route("POST", f"{_PAYMENT}/allocate", receipts.allocate_payment, _FINANCE, _R.Payment),
    Route("POST", f"{_PAYMENT}/book", receipts.book_payment, _FINANCE, _R.Payment),
    Route("POST", f"{_PAYMENT}/refund", receipts.refund_payment, _FINANCE, _R.Approval, 201),
    Route("POST", f"{_PAYMENT}/post", receipts.post_payment, _FINANCE, _R.Approval, 201),
    Route("POST", f"{_PAYMENT}/top-up", receipts.top_up, _FINANCE, _R.Approval, 201),
    Route(
        "POST",
        "/v1/invoices/{invoice:path}/disputes",
        receipts.open_dispute,
        Permission.DISPUTES_WRITE,
        _R.Dispute,
        201,
    ),
    Route("GET", "/v1/disputes", receipts.list_disputes, _READ, ListOf[_R.Dispute]),
    Route("POST", f"{_DISPUTE}/uphold", receipts.uphold_dispute, _BILLS, _R.Approval, 201),
    Route("POST", f"{_DISPUTE}/reject", receipts.reject_dispute, _BILLS, _R.Dispute),
    Route("GET", "/v1/approvals", approvals.list_approvals, _HOUSE, ListOf[_R.Approval]),
    Route("GET", _APPROVAL, approvals.get_approval, _HOUSE, _R.Approval),
    Route("POST", f"{_APPROVAL}/approve", approvals.approve_act, _APPROVER, _R.Approval),
    Route("POST", f"{_APPROVAL}/withdraw", approvals.withdraw_act, _ASKING, _R.Approval),
    Route("GET", "/v1/dunning", receipts.get_dunning, Permission.READ_HOUSE, _R.Dunning),
    Route("PUT", "/v1/dunning", receipts.set_dunning, _FINANCE, _R.Dunning),
    Route("GET", "/v1/payables", receipts.list_payables, _HOUSE, ListOf[_R.PayableOwed]),
    Route("GET", "/v1/receivables", receipts.age_receivables, _READ, ListOf[_R.AgedAmounts]),
)
