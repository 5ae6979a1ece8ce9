"""What is my share, and why: where every team and group stands now."""

from dataclasses import dataclass

from comptoir.desk.requests import ExplainEntitlements
from comptoir.desk.transaction import Transaction
from comptoir.leases.claims import Ground
from comptoir.leases.kind_book import KindBook
from comptoir.leases.lease import LeaseClass
from comptoir.tenants.entitlements import ROOT, Holder
from comptoir.tenants.lending import Lending, Position
from comptoir.units.ids import TenantId

TEAM = "team"
HOUSE = "nobody"
_WORDS = {
    str(ROOT): HOUSE,
    str(Ground.SOLD): "sold",
    str(Ground.LENT): LeaseClass.ON_DEMAND.value,
    str(Ground.RECALL): LeaseClass.RESERVED.value,
}
"""How whoever is no team is called: what is sold for good, and classes that may be taken back."""


@dataclass(frozen=True, slots=True)
class Party:
    """One side of a loan: a team (`tenant_id`), a group's name, a class, or `HOUSE`."""

    word: str
    tenant_id: TenantId | None
    accelerators: int


@dataclass(frozen=True, slots=True)
class Share:
    """A holder's numbers of one kind at one instant. `name` is a team's slug or a group's name."""

    kind: str
    tenant_id: TenantId | None
    name: str
    parent: str
    at_ms: int
    entitled: int
    used: int
    borrowed: int
    idle: int
    lent: int
    may_lend: int
    may_borrow: int
    lent_to: tuple[Party, ...]
    borrowed_from: tuple[Party, ...]
    sentence: str


def explain_entitlements(tx: Transaction, request: ExplainEntitlements) -> list[Share]:
    """The shares that the actor may see: all to the house, its own to a team."""
    wanted = request.tenant_id or tx.actor.tenant_id
    only = None if wanted is None else Holder(tx.tenant(wanted).id)
    shares = []
    for kind in tx.book.headroom.kinds():
        book = tx.book.headroom.book(kind, tx.now_ms)
        if book is None or request.kind not in (None, kind):
            continue
        lending = book.lending(tx.now_ms)
        shares += [
            _share(tx, book, lending, holder)
            for holder in lending.holders()
            if only in (None, holder)
        ]
    return sorted(shares, key=lambda share: (share.kind, share.parent, share.name))


def _share(tx: Transaction, book: KindBook, lending: Lending, holder: Holder) -> Share:
    place = lending.position(holder)
    team = tx.book.tenants.get(TenantId(holder))
    return Share(
        kind=book.kind,
        tenant_id=None if team is None else team.id,
        name=holder if team is None else team.slug,
        parent=place.parent,
        at_ms=tx.now_ms,
        entitled=place.entitled,
        used=place.used,
        borrowed=place.borrowed,
        idle=place.idle,
        lent=place.lent,
        may_lend=place.may_lend,
        may_borrow=place.may_borrow,
        lent_to=tuple(
            _party(tx, str(loan.borrower), loan.accelerators)
            for loan in lending.loans
            if loan.lender == holder
        ),
        borrowed_from=tuple(
            _party(tx, loan.lender, loan.accelerators)
            for loan in lending.loans
            if loan.borrower == holder
        ),
        sentence=_sentence(tx, lending, place),
    )


def _party(tx: Transaction, word: str, accelerators: int) -> Party:
    team = tx.book.tenants.get(TenantId(word))
    if team is not None:
        return Party(TEAM, team.id, accelerators)
    return Party(_WORDS.get(word, word), None, accelerators)


def _sentence(tx: Transaction, lending: Lending, place: Position) -> str:
    out_of = f" out of {place.parent}'s" if place.parent else ""
    said = f"entitled to {place.entitled:,}{out_of}, uses {place.used:,}"
    if place.borrowed:
        said += f" ({place.borrowed:,} of it borrowed)"
    said += f"; {place.idle:,} idle, of which others use {place.lent:,}"
    most, whose = lending.borrow_bound(place.holder)
    if whose == ROOT:
        return f"{said}; may borrow {most:,} more, all that is idle and lent"
    team = tx.book.tenants.get(TenantId(whose))
    name = "its own" if whose == place.holder else f"{team.slug if team else whose}'s"
    return f"{said}; may borrow {most:,} more, by {name} borrow limit"
