"""Moving in: what a schedule brings from another system before anything else happens.

Odd amounts in two currencies, a contract in each direction with steps that are over and steps that
run and roll over, and numbers that go on. Neighbours: `audit_openings.py` holds what must come of
it.
"""

import random
from dataclasses import replace
from string import Template

from comptoir.billing.opening import OpeningState, piece_of
from comptoir.billing.opening_file import read_opening
from comptoir.desk.desk import Call, Desk
from comptoir.desk.opening_loop import items_of
from comptoir.desk.opening_requests import ApproveOpening, BringSlice, ProposeOpening
from comptoir.tenants.parties import SYSTEM, Actor
from comptoir.units.errors import NotFound, Unavailable

MOST_TRIES = 200
SOLD = """
contract = "uni-moved"
sold_to = "uni"
effective = 2026-01-01
until = 2026-09-21T15:00:00Z
[[commitment]]
name = "ahead"
type = "prepaid"
rollover = 0.5
rollover_for = "12d"
access = [
  { from = 2026-01-01, until = 2026-07-01, amount = "100.00" },
  { from = 2026-07-01, until = 2026-09-21T14:30:00Z, amount = "200.00" },
]
invoice = [
  { date = 2026-01-01, amount = "200.00" },
  { date = 2026-09-21T14:20:00Z, amount = "100.00" },
]
[[commitment]]
name = "least"
type = "postpaid"
access = [
  { from = 2026-01-01, until = 2026-07-01, amount = "50.00" },
  { from = 2026-07-01, until = 2026-09-21T14:40:00Z, amount = "80.00" },
]
"""
BOUGHT = """
contract = "partner-moved"
bought_from = "partner"
effective = 2026-01-01
until = 2026-12-01
inbound = ["later"]
[[commitment]]
name = "ahead"
type = "prepaid"
access = [ { from = 2026-01-01, until = 2026-12-01, amount = "900.00" } ]
invoice = [ { date = 2026-01-01, amount = "900.00" } ]
"""


MAIN = Template("""
opening = "house-moves"
entity = "house"
cut_over = 2026-09-01
from = "another"
[[contract]]
file = "sold.toml"
[[contract.commitment]]
name = "ahead"
invoiced = "200.00"
steps = [
  { from = 2026-01-01, used = "70.00", settled = "30.00" },
  { from = 2026-07-01, used = "$used" },
]
[[contract.commitment]]
name = "least"
steps = [
  { from = 2026-01-01, used = "20.00", settled = "30.00" },
  { from = 2026-07-01, used = "$spent" },
]
[[contract]]
file = "bought.toml"
[[contract.commitment]]
name = "ahead"
invoiced = "900.00"
steps = [ { from = 2026-01-01, used = "$bought" } ]
[[invoice]]
number = "ACME-2026-000004"
tenant = "acme"
date = 2026-08-01
due = 2026-08-31
gross = "$dollars"
tax = "$tax"
tax_rate = "20"
paid = "$paid"
[[invoice]]
number = "R/7"
tenant = "borealis"
date = 2026-08-01
due = 2026-08-31
currency = "EUR"
gross = "$euros"
[[prepaid]]
tenant = "acme"
source = "top_up"
amount = "$left"
[[prepaid]]
tenant = "borealis"
source = "grant"
currency = "EUR"
amount = "5.00"
until = 2026-12-31
[[credit]]
tenant = "acme"
amount = "$loose"
date = 2026-08-02
[[payable]]
partner = "partner"
amount = "$owed"
due = 2026-10-01
reference = "P-1"
[[balance]]
account = "cash"
amount = "$cash"
[[balance]]
account = "tax_payable"
amount = "$minus_taxes"
[[next_number]]
series = "ACME-2026"
next = 5
[[next_number]]
series = "CN-ACME-2026"
next = $note
""")


def _money(cents: int) -> str:
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def files_of(rng: random.Random) -> dict[str, str]:
    """An opening's files, with the controls that are true of them."""
    dollars, euros = rng.randrange(100, 90_000), rng.randrange(100, 90_000)
    paid, left, loose = rng.randrange(99), rng.randrange(1, 5_000), rng.randrange(1, 5_000)
    owed, cash, taxes = rng.randrange(1, 9_000), rng.randrange(9_000), rng.randrange(900)
    used, bought, spent = rng.randrange(20_001), rng.randrange(90_001), rng.randrange(8_001)
    ahead = 20_000 - 10_000 - used
    tax = dollars - dollars * 100 // 120
    open_usd = dollars - paid
    equity = ahead + left + loose + owed - (90_000 - bought) - open_usd - (cash - taxes)
    amounts = {
        "used": used, "spent": spent, "bought": bought, "dollars": dollars, "tax": tax,
        "paid": paid, "euros": euros, "left": left, "loose": loose, "owed": owed, "cash": cash,
        "minus_taxes": -taxes,
    }  # fmt: skip
    said = {name: _money(cents) for name, cents in amounts.items()}
    main = MAIN.substitute(said, note=rng.choice((1, 2, 40)))
    sums = (
        ("commitments", "USD", ahead), ("supply", "USD", 90_000 - bought),
        ("invoices", "USD", open_usd), ("invoices", "EUR", euros), ("prepaid", "USD", left),
        ("prepaid", "EUR", 500), ("credits", "USD", loose), ("payables", "USD", owed),
        ("balances", "USD", cash - taxes), ("opening", "USD", equity), ("opening", "EUR", -euros),
    )  # fmt: skip
    for of, currency, cents in sums:
        main += f'[[control]]\nof = "{of}"\ncurrency = "{currency}"\namount = "{_money(cents)}"\n'
    return {"opening.toml": main, "sold.toml": SOLD, "bought.toml": BOUGHT}


class MovingIn:
    """Brings an opening of the house, in pieces of any size, however often the desk dies."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._files = files_of(rng)

    def begin(self, desk: Desk) -> None:
        """Propose it and approve it: again and again, until both are known to be done."""
        for _ in range(MOST_TRIES):
            opening = next(iter(desk.book.openings.openings), None)
            if opening is not None and opening.state is not OpeningState.PROPOSED:
                return
            file = read_opening(self._files, desk.book.credit.entity_by_slug.first)
            if opening is None:
                call = Call("propose_opening", ProposeOpening(file), _actor(desk, "seller"))
            else:
                request = ApproveOpening(opening.id, file)
                call = Call("approve_opening", request, _actor(desk, "approver"))
            error = desk.execute([call])[0].error
            # A proposal of which nobody knows yet may turn out not to have been committed.
            if error is not None and not isinstance(error, (Unavailable, NotFound)):
                raise error
        raise AssertionError("an opening never begins")

    def go_on(self, desk: Desk, pieces: int) -> None:
        """Some pieces of it; now and then one that was brought before."""
        for _ in range(pieces):
            for opening in desk.book.openings.committed_bringing:
                items = items_of(opening, desk.book, desk.store.find)
                first = opening.done_items if self._rng.random() < 0.9 else 0
                piece = piece_of(items, first, self._rng.choice((1, 2, 100)))
                desk.execute(
                    [Call("bring_slice", BringSlice(opening.id, opening.sha256, first, piece))]
                )


def _actor(desk: Desk, name: str) -> Actor:
    user = next(user for user in desk.book.users if user.name == name)
    return replace(SYSTEM, user_id=user.id)
