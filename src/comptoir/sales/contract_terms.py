"""What contracts say about prices, in the words that pricing reads.

A version's prices count while it is in force and not an instant longer; where no contract is in
force, the rate card's own rates do. Neighbours: `contracts` below; the desk hands the result to
`pricing`, which knows no contract.
"""

from collections.abc import Iterable, Sequence

from comptoir.pricing.terms import Override, OverrideMode, Terms
from comptoir.sales.contracts import AgreedPrice, ContractVersion, prices_of, spans
from comptoir.sales.tranches import ContractAct
from comptoir.units.ids import ContractVersionId, RateCardId

NO_VERSION = ContractVersionId("")


def agreed_terms(
    contracts: Iterable[tuple[Sequence[ContractVersion], Sequence[ContractAct]]],
    rate_card_id: RateCardId,
) -> tuple[Terms, ...]:
    """The terms of a tenant over all time: its card's own first, then what its contracts say.

    Args:
        contracts: Of each sold contract of the tenant, its versions and its acts. No two are in
            force at once.
        rate_card_id: The tenant's card.

    Returns:
        Terms in order of time; each holds until the next begins.
    """
    found = [Terms(NO_VERSION, rate_card_id)]
    in_force = [span for versions, acts in contracts for span in spans(versions, acts)]
    in_force.sort(key=lambda span: span[0])
    for at, (from_ms, until_ms, version) in enumerate(in_force):
        known_ms = version.approved_at_ms or 0
        overrides = tuple(override_of(price) for price in prices_of(version.body))
        found.append(Terms(version.id, rate_card_id, overrides, from_ms, known_ms))
        following = in_force[at + 1][0] if at + 1 < len(in_force) else None
        if following is None or until_ms < following:
            found.append(Terms(NO_VERSION, rate_card_id, (), until_ms, known_ms))
    return tuple(found)


def override_of(price: AgreedPrice) -> Override:
    """An agreed price as pricing knows it."""
    scope = (
        price.kind, price.lease_class, price.site, price.term, price.from_ms, price.until_ms,
    )  # fmt: skip
    if price.price_nanos is not None:
        return Override(*scope, OverrideMode.OVERWRITE, price_nanos=price.price_nanos)
    assert price.factor_ppm is not None, "an agreed price is a price or a factor"
    return Override(*scope, OverrideMode.MULTIPLIER, factor_ppm=price.factor_ppm)
