"""Values of every table with every column at its limit, and how tests of stores commit them."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary

from comptoir.billing.credit_notes import CreditLine
from comptoir.billing.dunning import DunningStep
from comptoir.billing.invoices import InvoiceLine, LineType, Party, TaxLine
from comptoir.billing.opening import Brings, Total
from comptoir.billing.receipts import Part
from comptoir.desk.approval_requests import Act
from comptoir.desk.close_requests import CreditInvoice
from comptoir.desk.entity_requests import GiveGrant
from comptoir.desk.ports import Changes, Event
from comptoir.leases.lease import Alternative, LeaseClass, Shape
from comptoir.ledger.entries import Account, Entry, Posting, Unit
from comptoir.metering.usage import Measure
from comptoir.pricing.tiers import Tier
from comptoir.sales.contract_file import read_contract_file
from comptoir.sales.credit_blocks import Covers
from comptoir.store.schema import Choices, Exact, Json, Recurring, Word
from comptoir.store.tables import MAPPED
from comptoir.tenants.parties import Role
from comptoir.units.ids import CreditBlockId, InvoiceId, RateId, TenantId
from comptoir.units.recurrence import parse_recurrence

ODD_TEXT = "ünïcødé '\"; DROP TABLE lease; -- \u2028 🂡"


LINE = InvoiceLine(
    1, ODD_TEXT, "h100-sxm", LeaseClass.SPOT, Measure.BUSY, RateId("ra_1"), 2**62, 1, 2, 3,
    2**62, 10**59, 2**62, True, LineType.TOP_UP, 1, "cv_1", ODD_TEXT,
)  # fmt: skip


CONTRACT = (Path(__file__).parents[2] / "examples/contracts/acme-2027.toml").read_text()


PARTY = Party(ODD_TEXT, ("1 rue de Rivoli", ODD_TEXT), "FR", "FR40303265045")


MAKERS: dict[str, Any] = {
    "roles": (Role.APPROVER, Role.FINANCE),
    "accelerators": (0, 3, 1023),
    "lines": (LINE,),
    "blocks": (CreditBlockId("cb_1"), CreditBlockId("cb_2")),
    "act": Act(
        grant=GiveGrant(
            TenantId("tn_1"), "1.00", 2**53, (ODD_TEXT,), Covers(("h100-sxm",), (LeaseClass.SPOT,))
        ),
        credit_note=CreditInvoice(InvoiceId("iv_1"), ODD_TEXT, ((1, None), (2, "1.00"))),
    ),
    "taxes": (TaxLine("standard", "FR", 200_000, 2**62, 2**62, ODD_TEXT),),
    "seller": PARTY,
    "buyer": PARTY,
    "credited_by_line": (0, 2**62),
    "cuts": ((1, 2**62), (2, 2**62)),
    "lost": (8, 1024),
    "rejected": ("nd_7Q4M", "nd_8QMC"),
    "failed_checks": ("links", "nccl"),
    "parts": (Part(InvoiceId("iv_1"), 2**62, 2**62),),
    "steps": (DunningStep(ODD_TEXT, 30),),
    "data": {"numbers": [1, 2], "word": ODD_TEXT, "none": None},
    "starts_at_ms": 1,
    "types": ("lease.*", ODD_TEXT),
    "totals": (Total(Brings.OPENING, "USD", 1, -(2**62)),),
    "files": ("opening.toml", ODD_TEXT),
    "again": (1, 2**53),
    "grants": ("erc", "nsf-2026"),
    "covers": Covers(("h100-sxm",), (LeaseClass.RESERVED, LeaseClass.SPOT), ("paris-1",)),
    "body": read_contract_file("x", CONTRACT).body,
    "conditions": ("published within a year", ODD_TEXT),
    "thresholds": (50, 80),
    "address": ("1 rue de Rivoli", ODD_TEXT),
    "tax_ids": (("DE", "DE136695976"), ("FR", ODD_TEXT)),
    "alternatives": (Alternative("h100-sxm", 8, Shape.POD), Alternative("mi300x", 9, Shape.SITE)),
    "selling_windows": (parse_recurrence("weekdays 20:00 to 08:00 Europe/Paris"),),
}


JSON_OF = {
    "tiers": (Tier(3_600_000, 2**63 - 1),),
    "command": ("python", ODD_TEXT),
    "environment": (("NAME", ODD_TEXT),),
    "paths": ("/a",),
}


OF_TABLE: dict[tuple[str, str], Any] = {("credit_note", "lines"): (CreditLine(1, ODD_TEXT, 2**62),)}


def extreme(name: str, nulls: bool) -> Any:
    """A value of a table with every column at its limit, or absent where it may be."""
    mapped = MAPPED[name]
    given: dict[str, Any] = {}
    for field in fields(mapped.value):
        column = mapped.table.c[field.name]
        kind = column.type
        made: Any
        if column.nullable and nulls:
            made = None
        elif isinstance(kind, Word):
            made = list(kind.values)[-1]
        elif isinstance(kind, Json | Recurring | Choices):
            made = OF_TABLE.get((name, field.name)) or MAKERS.get(
                field.name, JSON_OF.get(field.name)
            )
        elif isinstance(kind, Exact):
            made = -(10**60 - 1)
        elif isinstance(kind, BigInteger):
            made = 1 if field.name == "starts_at_ms" else 2**63 - 1
        elif isinstance(kind, Integer):
            made = 2**31 - 1
        elif isinstance(kind, Boolean):
            made = True
        elif isinstance(kind, LargeBinary):
            made = bytes(range(256))
        else:
            made = f"{field.name}-ü" if column.primary_key else f"{field.name} {ODD_TEXT}"
        given[field.name] = made
    return mapped.value(**given)


def key_of(name: str, value: Any) -> tuple[Any, ...]:
    return tuple(getattr(value, c.name) for c in MAPPED[name].table.primary_key.columns)


def changes(version: int = 0, **given: Any) -> Changes:
    return Changes(version, version + 1, **given)


def event(seq: int) -> Event:
    return Event(seq, seq * 10, "a.b", "us", None, None, "x", {})


def entry(seq: int, key: str) -> Entry:
    legs = (Posting(Account("a"), Unit("USD"), 2**62), Posting(Account("b"), Unit("USD"), -(2**62)))
    return Entry(seq, key, "usage", ODD_TEXT, 1, 2, legs)
