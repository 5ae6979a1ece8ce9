"""The routes of the close: periods, drafts, invoices, credit notes, statements, exports."""

from comptoir.api.handlers import documents, exports
from comptoir.api.handlers import invoices as handlers
from comptoir.api.route import Route
from comptoir.api.shapes import invoices as shapes
from comptoir.api.shapes.common import ListOf
from comptoir.api.shapes.receipts import Approval
from comptoir.tenants.permissions import Permission

_S, _H, _P = shapes, handlers, Permission

CLOSE_ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/periods", _H.close_period, _P.PERIODS_CLOSE, _S.Period, 201),
    Route("GET", "/v1/periods", _H.list_periods, _P.READ_HOUSE, ListOf[_S.Period]),
    Route("GET", "/v1/invoice-drafts", _H.list_drafts, _P.READ_HOUSE, ListOf[_S.InvoiceDraft]),
    Route("GET", "/v1/invoice-drafts/{draft}", _H.get_draft, _P.READ_HOUSE, _S.InvoiceDraft),
    Route(
        "POST",
        "/v1/invoice-drafts/{draft}/finalise",
        _H.finalise_invoice,
        _P.INVOICES_WRITE,
        _S.InvoiceDetail,
        201,
    ),
    Route(
        "GET",
        "/v1/tenants/{tenant}/invoice-preview",
        _H.preview_invoice,
        _P.READ,
        _S.InvoicePreview,
    ),
    Route(
        "POST",
        "/v1/tenants/{tenant}/prepayments",
        _H.draw_up_prepayments,
        _P.INVOICES_WRITE,
        _S.InvoicePreview,
        201,
    ),
    Route("GET", "/v1/tenants/{tenant}/statement", _H.give_statement, _P.READ, _S.Statements),
    Route("POST", "/v1/invoices", _H.issue_invoice, _P.INVOICES_WRITE, _S.InvoiceDetail, 201),
    Route("GET", "/v1/invoices", _H.list_invoices, _P.READ, ListOf[_S.Invoice]),
    Route("GET", "/v1/invoices/{invoice:path}/pdf", documents.get_invoice_pdf, _P.READ, None),
    Route("GET", "/v1/invoices/{invoice:path}/xml", documents.get_invoice_xml, _P.READ, None),
    Route("GET", "/v1/invoices/{invoice:path}", _H.get_invoice, _P.READ, _S.InvoiceDetail),
    Route(
        "POST",
        "/v1/invoices/{invoice:path}/credit-notes",
        _H.credit_invoice,
        _P.INVOICES_WRITE,
        Approval,
        201,
    ),
    Route("GET", "/v1/credit-notes", _H.list_credit_notes, _P.READ, ListOf[_S.CreditNote]),
    Route("GET", "/v1/credit-notes/{note}", _H.get_credit_note, _P.READ, _S.CreditNote),
    Route("GET", "/v1/exports/journal", exports.get_journal, _P.READ_HOUSE, None),
)
