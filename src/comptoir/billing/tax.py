"""Taxes on what is sold: dated rules that finance imports, and which of them a sale falls under.

A rule says how a seller in one country taxes a buyer in another. The most specific rule that is
in force on the day (in the seller's zone) counts: a named country before "*", a named sort of
buyer before "*". Nothing is guessed: a sale that no rule is for is refused.

Source: Council Directive 2006/112/EC, art. 44, 45 and 196 (services to businesses are taxed
where the buyer is, and the buyer pays: reverse charge).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from comptoir.billing.imported import read_rows
from comptoir.fleet.conditions import REGIONS
from comptoir.tenants.admissions import Admission
from comptoir.tenants.entities import LegalEntity
from comptoir.units.countries import check_country
from comptoir.units.errors import Conflict, Invalid, Refused
from comptoir.units.money import NUMERATOR_PER_MICRO, format_percent, round_to_minor_micros
from comptoir.units.recurrence import local_day_ms
from comptoir.units.text import check_text
from comptoir.units.time import format_day, parse_day
from comptoir.units.values import Term

PPM = 1_000_000
ANY = "*"
_PERCENT = re.compile(r"[0-9]{1,2}(\.[0-9]{1,4})?")
TAX_FIELDS = ("seller", "buyer_country", "buyer", "treatment", "rate_percent", "from")
TAX_OPTIONAL = ("note",)


class Treatment(Term):
    """How a sale is taxed. Only `standard` adds an amount."""

    STANDARD = "standard"
    REVERSE_CHARGE = "reverse_charge"
    ZERO = "zero"
    EXEMPT = "exempt"
    OUTSIDE = "outside"


class Buyer(Term):
    """Who buys. In the European Union a business is one with a tax id; elsewhere one that says so.

    Source: Council Implementing Regulation (EU) 282/2011, art. 18: a supplier may take for a
    business who has communicated a VAT number; who is outside the Union need not have one.
    """

    BUSINESS = "business"
    CONSUMER = "consumer"
    ANY = "*"


TaxKey = tuple[str, str, Buyer, int]


@dataclass(frozen=True, slots=True)
class TaxRule:
    """One line of the table: from a day on, until a later line of the same key.

    `seller` and `buyer_country` are countries, the latter also "*"; `rate_ppm` is parts per
    million; `note` is printed on the invoice.
    """

    seller: str
    buyer_country: str
    buyer: Buyer
    from_day_ms: int
    treatment: Treatment
    rate_ppm: int
    note: str
    source: str
    imported_at_ms: int
    imported_by: str

    @property
    def key(self) -> TaxKey:
        """What names it for ever."""
        return (self.seller, self.buyer_country, self.buyer, self.from_day_ms)

    def says_what(self) -> tuple[Treatment, int, str]:
        """What it says, whoever imported it."""
        return (self.treatment, self.rate_ppm, self.note)


@dataclass(frozen=True, slots=True)
class Tax:
    """How one sale is taxed, with the words and the numbers that its invoice shows."""

    treatment: Treatment
    rate_ppm: int
    note: str
    seller_country: str
    seller_tax_id: str
    buyer_tax_id: str

    def on(self, net_micros: int, currency: str) -> int:
        """The tax on a net amount, rounded once to the currency's minor unit."""
        exact = net_micros * self.rate_ppm * (NUMERATOR_PER_MICRO // PPM)
        return round_to_minor_micros(exact, currency)


def tax_for(
    rules: Iterable[TaxRule], entity: LegalEntity, admission: Admission | None, instant_ms: int
) -> Tax | None:
    """How what an entity sells to a customer is taxed at an instant.

    Args:
        rules: All there are, in any order.
        entity: Who sells.
        admission: Who buys; None for a tenant that was never admitted.
        instant_ms: The tax point.

    Returns:
        None where there are no tax lines at all: the entity has no tax id, or the tenant no
        admission.

    Raises:
        Refused: `no_tax_rule`, with the countries and the day.
    """
    if not entity.tax_ids or admission is None:
        return None
    country = admission.country
    seller = country if entity.tax_id_in(country) else entity.country
    named = (seller, entity.tax_id_in(seller), admission.tax_id)
    if admission.exemption:
        return Tax(Treatment.EXEMPT, 0, f"exempt: {admission.exemption}", *named)
    buyer = Buyer.BUSINESS if _is_business(admission) else Buyer.CONSUMER
    day_ms = local_day_ms(instant_ms, entity.zone)
    fitting = [
        rule
        for rule in rules
        if rule.seller == seller
        and rule.buyer_country in (country, ANY)
        and rule.buyer in (buyer, Buyer.ANY)
        and rule.from_day_ms <= day_ms
    ]
    if not fitting:
        raise Refused(
            "no_tax_rule",
            f"no tax rule of {seller} is for a {buyer} in {country} on {format_day(day_ms)}",
            "import one: comptoir entity import-tax FILE",
            {"seller": seller, "buyer_country": country, "buyer": buyer},
        )
    rule = max(
        fitting, key=lambda r: (r.buyer_country != ANY, r.buyer is not Buyer.ANY, r.from_day_ms)
    )
    return Tax(rule.treatment, rule.rate_ppm, rule.note, *named)


def _is_business(buyer: Admission) -> bool:
    return buyer.is_business and bool(buyer.tax_id or buyer.country not in REGIONS["EU"])


def read_tax_rules(text: str, source: str, now_ms: int, by: str) -> list[TaxRule]:
    """The rules of a CSV file, one for each country that a line names.

    `buyer_country` is "*", a country, several with spaces between, or a region such as EU: its
    countries but the seller's own.

    Raises:
        Invalid: `bad_table`, with line, field and value.
    """
    found: dict[TaxKey, TaxRule] = {}
    for row in read_rows(text, TAX_FIELDS, TAX_OPTIONAL):
        seller = row.read("seller", lambda word: check_country("seller", word))
        treatment = row.read("treatment", _treatment)
        rate_ppm = row.read("rate_percent", parse_percent)
        if (rate_ppm > 0) is not (treatment is Treatment.STANDARD):
            raise row.bad(
                "rate_percent", f"{row.cells['rate_percent']} % does not go with {treatment}"
            )
        for country in row.read("buyer_country", partial(_countries, seller)):
            rule = TaxRule(
                seller,
                country,
                row.read("buyer", _buyer),
                row.read("from", parse_day),
                treatment,
                rate_ppm,
                row.read("note", lambda text: check_text("note", text, 0, 200)),
                source,
                now_ms,
                by,
            )
            if rule.key in found:
                raise row.bad("buyer_country", f"{country} has two lines from the same day on")
            found[rule.key] = rule
    return list(found.values())


def refuse_contradiction(rule: TaxRule, known: TaxRule) -> None:
    """A line that was imported before may be imported again; it may not say something else.

    Raises:
        Conflict: `tax_rule_contradicts`.
    """
    if known.says_what() == rule.says_what():
        return
    raise Conflict(
        "tax_rule_contradicts",
        f"{rule.seller} to {rule.buyer} in {rule.buyer_country} from {format_day(rule.from_day_ms)}"
        f" is {known.treatment} {format_percent(known.rate_ppm)} %, and the file says "
        f"{rule.treatment} {format_percent(rule.rate_ppm)} %",
        "a change of the law is a new line with its own day",
        {"seller": rule.seller, "buyer_country": rule.buyer_country},
    )


def parse_percent(text: str) -> int:
    """Parts per million from a percentage such as "20" or "5.5".

    Raises:
        Invalid: `bad_percent`.
    """
    whole, _, part = text.partition(".")
    if not _PERCENT.fullmatch(text):
        raise Invalid(
            "bad_percent",
            f"{text[:40]!r} is not a percentage below 100 with at most 4 decimals",
            'write it like "20" or "5.5"',
        )
    return int(whole) * 10_000 + int(part.ljust(4, "0"))


def _countries(seller: str, text: str) -> list[str]:
    if text == ANY:
        return [ANY]
    found: list[str] = []
    for word in text.split() or [text]:
        if word in REGIONS:
            found += sorted(c for c in REGIONS[word] if c not in REGIONS and c != seller)
        else:
            found.append(check_country("buyer_country", word))
    return found


def _treatment(word: str) -> Treatment:
    return Treatment(_one_of(word, [str(t) for t in Treatment]))


def _buyer(word: str) -> Buyer:
    return Buyer(_one_of(word, [str(b) for b in Buyer]))


def _one_of(word: str, words: list[str]) -> str:
    if word not in words:
        raise Invalid("bad_word", f"{word[:40]!r} is none of {', '.join(words)}", "use one of them")
    return word
