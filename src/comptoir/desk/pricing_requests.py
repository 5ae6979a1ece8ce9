"""What doors ask of the desk about whole rate cards. Neighbours: `requests.py` has one rate's."""

from dataclasses import dataclass

from comptoir.pricing.card_files import CardFile
from comptoir.pricing.rates import Rate, RateCard


@dataclass(frozen=True, slots=True)
class ImportRateCard:
    """Propose every rate of a file that the book does not have yet; make its card if needed."""

    file: CardFile


@dataclass(frozen=True, slots=True)
class RateCardImported:
    """The answer to `ImportRateCard`: what was proposed, and how many rates were there before."""

    card: RateCard
    created: bool
    proposed: tuple[Rate, ...]
    unchanged: int
