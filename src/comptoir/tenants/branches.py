"""Branches: a holder in the tree of entitlements, what it has idle, and what it could lend.

By site, and `ANYWHERE` for what is entitled at none. Invariant: nobody lends more than it has
idle. Neighbours: `lending.py` serves one borrower after the other out of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from comptoir.tenants.entitlements import ANYWHERE, Holder


@dataclass(slots=True)
class Branch:
    """A holder with what hangs below it, and what was lent so far.

    `has`, `own_by` and `lent_by` are by site, `ANYWHERE` for what is entitled at none; of a
    group, `has` is what its members do not have. `above_by` is what a team uses above its own.
    """

    holder: Holder
    parent: Holder
    entitled: int = 0
    has: dict[str, int] = field(default_factory=dict)
    used: int = 0
    own: int = 0
    own_by: dict[str, int] = field(default_factory=dict)
    above_by: dict[str, int] = field(default_factory=dict)
    lend_limit: int | None = None
    borrow_limit: int | None = None
    lent: int = 0
    lent_by: dict[str, int] = field(default_factory=dict)
    lent_outside: int = 0
    members: "list[Branch]" = field(default_factory=list)

    @property
    def idle(self) -> int:
        """Its entitlement without what its members have and what it uses itself."""
        return sum(self.has.values()) - sum(self.own_by.values())

    def free(self, of: str | None = None) -> int:
        """What of its idle nobody uses: what is entitled at a site, or `ANYWHERE`, or all."""
        if of is None:
            return self.idle - self.lent
        return self.has.get(of, 0) - self.own_by.get(of, 0) - self.lent_by.get(of, 0)

    def can_lend(self, of: str | None = None) -> int:
        """What of that it and its members could still lend to the world outside it."""
        amount = sum(self.offers(of).values()) if self.members else self.free(of)
        if self.lend_limit is not None:
            amount = min(amount, self.lend_limit - self.lent_outside)
        return max(amount, 0)

    def offers(self, of: str | None = None) -> dict[Holder, int]:
        """Where that would come from: itself, and its members."""
        return {self.holder: self.free(of), **{m.holder: m.can_lend(of) for m in self.members}}


Step = tuple[Branch, bool, list[Branch]]
"""A branch, whether it lends itself, and which of its members do."""


def offers_of(step: Step, of: str | None) -> dict[Holder, int]:
    above, itself, members = step
    offers = {member.holder: member.can_lend(of) for member in members}
    return {**offers, above.holder: above.free(of)} if itself else offers


def offered(step: Step, of: str | None) -> int:
    return sum(offers_of(step, of).values())


def left_over(has: Mapping[str, int], shares: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """What a group has not shared out, by site.

    What members have at a site comes out of what it has there, then out of what is good
    anywhere; what they have anywhere out of that, then out of its sites, by name.
    """
    wants: dict[str, int] = defaultdict(int)
    for share in shares:
        for site, amount in share.items():
            wants[site] += amount
    left = {site: max(n - wants[site], 0) for site, n in has.items() if site != ANYWHERE}
    sites = set(wants) - {ANYWHERE}
    spilled = wants[ANYWHERE] + sum(max(wants[s] - has.get(s, 0), 0) for s in sites)
    anywhere = has.get(ANYWHERE, 0)
    for site in sorted(left):
        part = min(left[site], max(spilled - anywhere, 0))
        left[site] -= part
        spilled -= part
    return {**left, ANYWHERE: max(anywhere - spilled, 0)}


def share_out(amount: int, most: Mapping[Holder, int]) -> dict[Holder, int]:
    """`amount` in proportion to `most`, whole, at most `most` each; it must fit.

    What rounding down leaves goes to the largest remainders, of equals to the first name.
    """
    total = sum(most.values())
    if amount <= 0 or total <= 0:
        return {}
    if amount == total:
        return dict(most)
    parts = {holder: amount * part // total for holder, part in most.items()}
    left = amount - sum(parts.values())
    if not left:
        return parts
    order = sorted(most, key=lambda holder: (-(amount * most[holder] % total), holder))
    for holder in order[:left]:
        parts[holder] += 1
    return parts
