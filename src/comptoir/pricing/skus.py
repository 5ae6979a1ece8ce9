"""What can be sold, and in which unit it is priced.

An accelerator-hour is priced by the accelerator's kind. Storage and tokens have their place:
a rate may be proposed for them; nothing measures them yet.
"""

from dataclasses import dataclass

from comptoir.units.values import Term


class Sku(Term):
    """What a rate prices."""

    ACCELERATOR = "accelerator"
    STORAGE = "storage"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class SkuFacts:
    """`unit` is what a price is for one of; `kind` is what the kind of such a rate names."""

    unit: str
    kind: str
    metered: bool


CATALOGUE: dict[Sku, SkuFacts] = {
    Sku.ACCELERATOR: SkuFacts("accelerator-hour", "the accelerator kind", True),
    Sku.STORAGE: SkuFacts("GB-hour", "the kind of storage", False),
    Sku.TOKENS: SkuFacts("million tokens", "the model", False),
}
