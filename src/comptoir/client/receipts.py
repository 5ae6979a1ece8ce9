"""The client's way to bank files, payments, disputes, dunning, receivables and approvals."""

from collections.abc import Iterator, Mapping
from typing import cast

from comptoir.client.parties import PAGE
from comptoir.client.receipt_records import (
    AgedAmounts,
    Approval,
    BankFileBooked,
    Dispute,
    Dunning,
    PayableOwed,
    Payment,
)
from comptoir.client.transport import Transport, path_of


class Payments:
    """Amounts that came in, and what they pay."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def book_file(
        self,
        name: str,
        text: str,
        entity: str = "house",
        columns: Mapping[str, str] | None = None,
    ) -> BankFileBooked:
        """Book a bank's file (camt.053 or CSV); booked again, it changes nothing.

        Args:
            name: Of the file, for what is wrong with it.
            text: What is in it.
            entity: Whose account it is of, by id or slug.
            columns: CSV: field -> the file's own word for it.
        """
        body = {"name": name, "entity": entity, "text": text, "columns": dict(columns or {})}
        path = path_of("bank-files")
        return cast(BankFileBooked, self._transport.write("POST", path, body))

    def list(self, tenant: str | None = None, state: str | None = None) -> Iterator[Payment]:
        """Payments, last booked first."""
        return self._transport.pages(path_of("payments"), PAGE, tenant=tenant, state=state)

    def get(self, payment: str) -> Payment:
        """One payment, and what it pays."""
        return cast(Payment, self._transport.get(path_of("payments", payment)))

    def book(self, payment: str) -> Payment:
        """Book what was flagged as a duplicate: it is a payment of its own."""
        path = path_of("payments", payment, "book")
        return cast(Payment, self._transport.write("POST", path, {}))

    def allocate(self, payment: str, invoice: str, amount: str | None = None) -> Payment:
        """Give what is left of a payment to an invoice, by default all that fits.

        Of an amount that went out and is not known, `invoice` is the payment that it took back.
        """
        path = path_of("payments", payment, "allocate")
        body = {"invoice": invoice, "amount": amount}
        return cast(Payment, self._transport.write("POST", path, body))

    def refund(self, payment: str, reason: str, amount: str | None = None) -> Approval:
        """Ask to send back what is left of a payment; approved, your bank does the sending."""
        path = path_of("payments", payment, "refund")
        body = {"reason": reason, "amount": amount}
        return cast(Approval, self._transport.write("POST", path, body))

    def top_up(
        self, payment: str, amount: str | None = None, tenant: str | None = None
    ) -> Approval:
        """Ask to make prepaid credit of what is left of a payment, from its value date on."""
        path = path_of("payments", payment, "top-up")
        body = {"amount": amount, "tenant": tenant}
        return cast(Approval, self._transport.write("POST", path, body))

    def post(self, payment: str, reason: str, contract: str | None = None) -> Approval:
        """Ask to post what went out and is not known: to a supplier's contract, or as bank fees."""
        path = path_of("payments", payment, "post")
        body = {"reason": reason, "contract": contract}
        return cast(Approval, self._transport.write("POST", path, body))

    def owed(self, partner: str | None = None) -> Iterator[PayableOwed]:
        """What suppliers are owed, due first before the rest."""
        return self._transport.pages(path_of("payables"), PAGE, partner=partner)

    def ageing(self, tenant: str | None = None) -> Iterator[AgedAmounts]:
        """What customers still owe, by days since it was due."""
        return self._transport.pages(path_of("receivables"), PAGE, tenant=tenant)


class Disputes:
    """Lines of invoices that customers say they do not owe."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def open(self, invoice: str, line: int, reason: str, amount: str | None = None) -> Dispute:
        """Dispute a line of an invoice, or a part of it."""
        path = path_of("invoices", invoice, "disputes")
        body = {"line": line, "reason": reason, "amount": amount}
        return cast(Dispute, self._transport.write("POST", path, body))

    def uphold(self, dispute: str, resolution: str) -> Approval:
        """Ask to uphold it; approved, it is credited in the same act."""
        path = path_of("disputes", dispute, "uphold")
        return cast(Approval, self._transport.write("POST", path, {"resolution": resolution}))

    def reject(self, dispute: str, resolution: str) -> Dispute:
        """Reject it: its line is asked for again."""
        path = path_of("disputes", dispute, "reject")
        return cast(Dispute, self._transport.write("POST", path, {"resolution": resolution}))

    def list(self, tenant: str | None = None, state: str | None = None) -> Iterator[Dispute]:
        """Disputes, newest first."""
        return self._transport.pages(path_of("disputes"), PAGE, tenant=tenant, state=state)


class Approvals:
    """Acts on money that one asks for and another approves."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, state: str | None = None) -> Iterator[Approval]:
        """Those that wait, were done or withdrawn, newest first."""
        return self._transport.pages(path_of("approvals"), PAGE, state=state)

    def get(self, approval: str) -> Approval:
        """One of them."""
        return cast(Approval, self._transport.get(path_of("approvals", approval)))

    def approve(self, approval: str) -> Approval:
        """Have it done; nobody approves what they asked for."""
        path = path_of("approvals", approval, "approve")
        return cast(Approval, self._transport.write("POST", path, {}))

    def withdraw(self, approval: str) -> Approval:
        """Say that it is not done."""
        path = path_of("approvals", approval, "withdraw")
        return cast(Approval, self._transport.write("POST", path, {}))


class DunningSteps:
    """When unpaid invoices are asked for again."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self) -> Dunning:
        """The steps in force."""
        return cast(Dunning, self._transport.get(path_of("dunning")))

    def set(self, steps: Mapping[str, int]) -> Dunning:
        """Settle them: name -> days after the invoice was due."""
        body = {"steps": dict(steps)}
        return cast(Dunning, self._transport.write("PUT", path_of("dunning"), body))
