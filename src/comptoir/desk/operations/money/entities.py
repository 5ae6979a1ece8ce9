"""Legal entities made and changed; tables of taxes and rates of exchange taken in."""

from typing import Any

from comptoir.billing import fx, tax
from comptoir.desk.entity_requests import (
    ChangeAccount,
    ChangeEntity,
    CreateEntity,
    ImportTable,
    TableImported,
)
from comptoir.desk.transaction import Transaction
from comptoir.tenants.entities import (
    MOST_PAYMENT_DAYS,
    LegalEntity,
    check_address,
    check_series,
    check_tax_ids,
)
from comptoir.tenants.permissions import not_found
from comptoir.units.banking import check_bic, check_iban
from comptoir.units.countries import check_country
from comptoir.units.errors import Conflict
from comptoir.units.ids import LegalEntityId
from comptoir.units.money import check_currency
from comptoir.units.recurrence import check_zone
from comptoir.units.text import check_count, check_slug, check_text
from comptoir.units.values import replace


def create_entity(tx: Transaction, request: CreateEntity) -> LegalEntity:
    """Make a legal entity. Its currency, zone and series are for good.

    Raises:
        Conflict: `entity_exists`, or `series_taken`: two entities may not share their numbers.
        Invalid: a field of it.
    """
    slug = check_slug("slug", request.slug)
    if tx.book.credit.entity_by_slug.first(slug) is not None:
        raise Conflict("entity_exists", f"there is an entity {slug!r} already", "choose another")
    entity = LegalEntity(
        id=LegalEntityId(tx.new_id("le")),
        slug=slug,
        name=check_text("name", request.name, 1, 100),
        address=check_address("address", request.address),
        country=check_country("country", request.country),
        currency=check_currency(request.currency),
        zone=check_zone(request.zone),
        tax_ids=check_tax_ids(request.tax_ids),
        iban=check_iban("iban", request.iban) if request.iban else "",
        bic=check_bic("bic", request.bic) if request.bic else "",
        invoice_series=check_series("invoice_series", request.invoice_series),
        credit_note_series=check_series("credit_note_series", request.credit_note_series),
        admission_required=request.admission_required,
        created_at_ms=tx.now_ms,
        payment_days=check_count("payment_days", request.payment_days, 0, MOST_PAYMENT_DAYS),
    )
    _refuse_shared_series(tx, entity)
    tx.book.credit.entities.put(entity)
    tx.emit("entity.created", entity.id, None, slug=slug, currency=entity.currency)
    return entity


def change_entity(tx: Transaction, request: ChangeEntity) -> LegalEntity:
    """Change what an entity's next invoices say; what is issued stays as it was.

    Raises:
        NotFound: the entity.
        Conflict: `country_settled`: an entity does not move; make another.
    """
    entity = find_entity(tx, request.entity_id)
    changes: dict[str, Any] = {}
    if request.country is not None and request.country != entity.country:
        if entity.country:
            raise Conflict(
                "country_settled",
                f"{entity.slug} is in {entity.country} and does not move to {request.country}",
                "make another entity there",
            )
        changes["country"] = check_country("country", request.country)
    if request.name is not None:
        changes["name"] = check_text("name", request.name, 1, 100)
    if request.address is not None:
        changes["address"] = check_address("address", request.address)
    if request.tax_ids is not None:
        changes["tax_ids"] = check_tax_ids(request.tax_ids)
    if request.admission_required is not None:
        changes["admission_required"] = request.admission_required
    if request.payment_days is not None:
        days = check_count("payment_days", request.payment_days, 0, MOST_PAYMENT_DAYS)
        changes["payment_days"] = days
    changed = replace(entity, **changes)
    if changed != entity:
        tx.book.credit.entities.put(changed)
        tx.emit("entity.changed", entity.id, None, slug=entity.slug, fields=sorted(changes))
    return changed


def change_account(tx: Transaction, request: ChangeAccount) -> LegalEntity:
    """Change where an entity is paid; its next invoices say so.

    Raises:
        NotFound: the entity.
        Invalid: `bad_iban`, `bad_bic`.
        Conflict: `nothing_changes`: it is paid there already.
    """
    entity = find_entity(tx, request.entity_id)
    iban, bic = entity.iban, entity.bic
    if request.iban is not None:
        iban = check_iban("iban", request.iban) if request.iban else ""
    if request.bic is not None:
        bic = check_bic("bic", request.bic) if request.bic else ""
    if (iban, bic) == (entity.iban, entity.bic):
        raise Conflict(
            "nothing_changes",
            f"{entity.slug} is paid at {iban or 'no account'} {bic}".strip() + " already",
            "give another iban or bic",
        )
    tx.emit("entity.changed", entity.id, None, slug=entity.slug, fields=["bic", "iban"])
    return tx.book.credit.entities.put(replace(entity, iban=iban, bic=bic))


def find_entity(tx: Transaction, named: str) -> LegalEntity:
    """An entity by its id or slug.

    Raises:
        NotFound: there is none.
    """
    credit = tx.book.credit
    found = credit.entities.get(LegalEntityId(named)) or credit.entity_by_slug.first(named)
    if found is None:
        raise not_found(f"entity {named}")
    return found


def import_tax_rules(tx: Transaction, request: ImportTable) -> TableImported:
    """Take in a table of tax rules, whole or not at all.

    Raises:
        Invalid: `bad_table`.
        Conflict: `tax_rule_contradicts`: the book says otherwise of the same line and day.
    """
    source = check_text("source", request.source, 1, 200)
    table, added = tx.book.credit.tax_rules, 0
    read = tax.read_tax_rules(request.text, source, tx.now_ms, tx.actor.user_id)
    for rule in read:
        known = table.get(rule.key)
        if known is None:
            table.put(rule)
            added += 1
        else:
            tax.refuse_contradiction(rule, known)
    tx.emit("tax_rules.imported", source, None, added=added, repeated=len(read) - added)
    return TableImported(added, len(read) - added)


def import_fx_rates(tx: Transaction, request: ImportTable) -> TableImported:
    """Take in a table of rates of exchange, whole or not at all.

    Raises:
        Invalid: `bad_table`.
        Conflict: `fx_rate_contradicts`: the book has another rate of the same pair and day.
    """
    source = check_text("source", request.source, 1, 200)
    table, added = tx.book.credit.fx_rates, 0
    read = fx.read_fx_rates(request.text, source, tx.now_ms, tx.actor.user_id)
    for rate in read:
        known = table.get(rate.key)
        if known is None:
            table.put(rate)
            added += 1
        else:
            fx.refuse_contradiction(rate, known)
    tx.emit("fx_rates.imported", source, None, added=added, repeated=len(read) - added)
    return TableImported(added, len(read) - added)


def _refuse_shared_series(tx: Transaction, entity: LegalEntity) -> None:
    """Two entities, or invoices and credit notes, never give numbers of one series."""
    own = [entity.invoice_series, entity.credit_note_series]
    taken = [
        pattern
        for other in tx.book.credit.entities
        for pattern in (other.invoice_series, other.credit_note_series)
        if pattern in own and "{entity}" not in pattern
    ]
    if taken or own[0] == own[1]:
        raise Conflict(
            "series_taken",
            f"the series {(taken or own)[0]!r} gives numbers to something else already",
            "put {entity} in it, or other letters",
        )
