"""The client's way to legal entities, imported tables, and admissions of customers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from comptoir.client.entity_records import (
    Admission,
    Budget,
    Credit,
    Entity,
    FxRate,
    TableImported,
    TaxRule,
)
from comptoir.client.parties import PAGE
from comptoir.client.receipt_records import Approval
from comptoir.client.transport import Transport, path_of


class Entities:
    """Legal entities that sell, and the tables of taxes and rates of exchange."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        slug: str,
        name: str,
        country: str,
        currency: str,
        *,
        zone: str = "UTC",
        address: Sequence[str] = (),
        tax_ids: Mapping[str, str] | None = None,
        iban: str = "",
        bic: str = "",
        invoice_series: str = "{entity}-{year}",
        credit_note_series: str = "CN-{entity}-{year}",
        admission_required: bool = False,
        payment_days: int = 30,
    ) -> Entity:
        """Make a legal entity; its currency, zone and series are for good.

        Args:
            slug: A short name of your own.
            name: Its legal name.
            country: Two letters.
            currency: Of its books.
            zone: Where its months begin.
            address: Its lines.
            tax_ids: Number by country.
            iban: Where it is paid.
            bic: Of that bank.
            invoice_series: A pattern of {entity}, {tenant} and {year}.
            credit_note_series: As that, and another.
            admission_required: Whether customers ask for nothing before they are admitted.
            payment_days: After how many days its invoices are due, where no contract says.
        """
        body = {
            "slug": slug,
            "name": name,
            "country": country,
            "currency": currency,
            "zone": zone,
            "address": list(address),
            "tax_ids": dict(tax_ids or {}),
            "iban": iban,
            "bic": bic,
            "invoice_series": invoice_series,
            "credit_note_series": credit_note_series,
            "admission_required": admission_required,
            "payment_days": payment_days,
        }
        return cast(Entity, self._transport.write("POST", path_of("entities"), body))

    def change(
        self,
        entity: str,
        *,
        name: str | None = None,
        country: str | None = None,
        address: Sequence[str] | None = None,
        tax_ids: Mapping[str, str] | None = None,
        admission_required: bool | None = None,
        payment_days: int | None = None,
    ) -> Entity:
        """Change what its next invoices say; None leaves it as it is."""
        body = {
            "name": name,
            "country": country,
            "address": None if address is None else list(address),
            "tax_ids": None if tax_ids is None else dict(tax_ids),
            "admission_required": admission_required,
            "payment_days": payment_days,
        }
        path = path_of("entities", entity, "change")
        return cast(Entity, self._transport.write("POST", path, body))

    def change_account(
        self, entity: str, iban: str | None = None, bic: str | None = None
    ) -> Approval:
        """Ask to change where it is paid; None leaves it as it is."""
        path = path_of("entities", entity, "account")
        body = {"iban": iban, "bic": bic}
        return cast(Approval, self._transport.write("POST", path, body))

    def list(self) -> Iterator[Entity]:
        """Every legal entity."""
        return self._transport.pages(path_of("entities"), PAGE)

    def get(self, entity: str) -> Entity:
        """One, by its id or slug."""
        return cast(Entity, self._transport.get(path_of("entities", entity)))

    def import_tax_rules(self, text: str, source: str) -> TableImported:
        """Take in tax rules: seller,buyer_country,buyer,treatment,rate_percent,from,note."""
        body = {"text": text, "source": source}
        return cast(TableImported, self._transport.write("POST", path_of("tax-rules"), body))

    def import_fx_rates(self, text: str, source: str) -> TableImported:
        """Take in rates of exchange: date,base,quote,rate."""
        body = {"text": text, "source": source}
        return cast(TableImported, self._transport.write("POST", path_of("fx-rates"), body))

    def tax_rules(self, seller: str | None = None) -> Iterator[TaxRule]:
        """Tax rules, the last to come into force first."""
        return self._transport.pages(path_of("tax-rules"), PAGE, seller=seller)

    def fx_rates(self, base: str | None = None) -> Iterator[FxRate]:
        """Rates of exchange, newest first."""
        return self._transport.pages(path_of("fx-rates"), PAGE, base=base)


class Admissions:
    """How customers come in."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def invite(
        self,
        tenant: str,
        legal_name: str,
        country: str,
        terms_version: str,
        *,
        entity: str = "house",
        address: Sequence[str] = (),
        tax_id: str = "",
        is_business: bool = True,
        exemption: str = "",
    ) -> Admission:
        """Invite a customer to accept a version of the terms, and say who it is."""
        body = {
            "entity": entity,
            "legal_name": legal_name,
            "country": country,
            "terms_version": terms_version,
            "address": list(address),
            "tax_id": tax_id,
            "is_business": is_business,
            "exemption": exemption,
        }
        return self._write(tenant, None, body)

    def accept(self, tenant: str, terms_version: str) -> Admission:
        """Yes: said by the customer's own admin."""
        return self._write(tenant, "accept", {"terms_version": terms_version})

    def screen(
        self, tenant: str, screened_at: str, evidence: str, credit_limit: str | None
    ) -> Admission:
        """Record a screening, and propose a credit limit; None is no limit."""
        body = {"screened_at": screened_at, "evidence": evidence, "credit_limit": credit_limit}
        return self._write(tenant, "screen", body)

    def admit(self, tenant: str, credit_limit: str | None) -> Admission:
        """Put the proposed limit in force; nobody admits whom they invited or screened."""
        return self._write(tenant, "admit", {"credit_limit": credit_limit})

    def refuse(self, tenant: str, because: str) -> Admission:
        """Turn it away."""
        return self._write(tenant, "refuse", {"because": because})

    def get(self, tenant: str) -> Admission:
        """A customer's admission."""
        return cast(Admission, self._transport.get(path_of("tenants", tenant, "admission")))

    def list(self, state: str | None = None) -> Iterator[Admission]:
        """Every admission that you may see."""
        return self._transport.pages(path_of("admissions"), PAGE, state=state)

    def credit(self, tenant: str) -> Credit:
        """What a tenant owes and may come to owe, and the credit that it has."""
        return cast(Credit, self._transport.get(path_of("tenants", tenant, "credit")))

    def grant(
        self,
        tenant: str,
        amount: str,
        until: str,
        *,
        conditions: Sequence[str] = (),
        kinds: Sequence[str] = (),
    ) -> Approval:
        """Ask to give a customer credit that costs it nothing, until it expires."""
        body = {
            "amount": amount, "until": until, "conditions": [*conditions], "kinds": [*kinds],
        }  # fmt: skip
        path = path_of("tenants", tenant, "grants")
        return cast(Approval, self._transport.write("POST", path, body))

    def _write(self, tenant: str, step: str | None, body: Mapping[str, Any]) -> Admission:
        path = path_of("tenants", tenant, "admission", *([step] if step else []))
        return cast(Admission, self._transport.write("POST", path, body))


class Budgets:
    """What tenants and their projects mean to spend."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def set(
        self,
        amount: str,
        *,
        tenant: str | None = None,
        project: str | None = None,
        period: str | None = None,
        thresholds: Sequence[int] | None = None,
        when_spent: str | None = None,
    ) -> Budget:
        """Set a budget; the one that the tenant or project has is changed.

        Args:
            amount: A decimal string in the tenant's currency, without tax.
            tenant: For house users: whose.
            project: Only of this project's work.
            period: `month` (the default), or `once`.
            thresholds: Percent at which it is told; 50 and 80 if not said.
            when_spent: `warn`, `stop` (the default) or `take_back`.
        """
        body = {
            "amount": amount,
            "tenant": tenant,
            "project": project,
            "period": period,
            "thresholds": None if thresholds is None else [*thresholds],
            "when_spent": when_spent,
        }
        return cast(Budget, self._transport.write("POST", path_of("budgets"), body))

    def list(self, tenant: str | None = None, project: str | None = None) -> Iterator[Budget]:
        """Every budget that you may see and that counts."""
        return self._transport.pages(path_of("budgets"), PAGE, tenant=tenant, project=project)

    def get(self, budget_id: str) -> Budget:
        """One budget."""
        return cast(Budget, self._transport.get(path_of("budgets", budget_id)))

    def end(self, budget_id: str) -> Budget:
        """End it."""
        path = path_of("budgets", budget_id, "end")
        return cast(Budget, self._transport.write("POST", path))
