"""The routes of money that comes in: bank files, payments, disputes, dunning, ageing."""

from comptoir.api.handlers import receipts
from comptoir.api.route import Route
from comptoir.api.shapes import receipts as shapes
from comptoir.api.shapes.common import ListOf
from comptoir.tenants.permissions import Permission

_R = shapes
_PAYMENT, _DISPUTE = "/v1/payments/{payment}", "/v1/disputes/{dispute}"
_FINANCE, _READ = Permission.PAYMENTS_WRITE, Permission.READ

RECEIPT_ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/bank-files", receipts.book_bank_file, _FINANCE, _R.BankFileBooked),
    Route("GET", "/v1/payments", receipts.list_payments, _READ, ListOf[_R.Payment]),
    Route("GET", _PAYMENT, receipts.get_payment, _READ, _R.Payment),
    Route("POST", f"{_PAYMENT}/allocate", receipts.allocate_payment, _FINANCE, _R.Payment),
    Route("POST", f"{_PAYMENT}/book", receipts.book_payment, _FINANCE, _R.Payment),
    Route("POST", f"{_PAYMENT}/refund", receipts.refund_payment, _FINANCE, _R.Payment),
    Route("POST", f"{_PAYMENT}/top-up", receipts.top_up, _FINANCE, _R.ToppedUp),
    Route(
        "POST",
        "/v1/invoices/{invoice:path}/disputes",
        receipts.open_dispute,
        Permission.DISPUTES_WRITE,
        _R.Dispute,
        201,
    ),
    Route("GET", "/v1/disputes", receipts.list_disputes, _READ, ListOf[_R.Dispute]),
    Route(
        "POST",
        f"{_DISPUTE}/resolve",
        receipts.resolve_dispute,
        Permission.INVOICES_WRITE,
        _R.Dispute,
    ),
    Route("GET", "/v1/dunning", receipts.get_dunning, Permission.READ_HOUSE, _R.Dunning),
    Route("PUT", "/v1/dunning", receipts.set_dunning, _FINANCE, _R.Dunning),
    Route("GET", "/v1/receivables", receipts.age_receivables, _READ, ListOf[_R.AgedAmounts]),
)
