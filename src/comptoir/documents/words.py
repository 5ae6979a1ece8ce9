"""The words of documents, in English and in French.

What a contract or a person wrote stays as it is: only our own words are translated. A word that
one language has and the other lacks fails a test.
"""

from dataclasses import dataclass
from typing import Final

from comptoir.billing.invoices import InvoiceKind, InvoiceLine, LineType
from comptoir.metering.usage import Measure
from comptoir.units.errors import Invalid


@dataclass(frozen=True, slots=True)
class Words:
    """One language. `decimal` and `thousands` are how its numbers are written."""

    code: str
    decimal: str
    thousands: str
    titles: dict[InvoiceKind, str]
    types: dict[LineType, str]
    measures: dict[Measure, str]
    treatments: dict[str, str]
    usage: str
    top_up: str
    late: str
    not_taxed: str
    labels: dict[str, str]

    def line(self, line: InvoiceLine) -> str:
        """What a line is called (BT-153)."""
        if line.type is LineType.USAGE and line.measure is not None:
            measure = self.measures[line.measure]
            return self.usage.format(kind=line.kind, cls=line.lease_class, measure=measure)
        if line.type is LineType.TOP_UP:
            return self.top_up.format(kind=line.kind, cls=line.lease_class)
        return self.types[line.type]


ENGLISH: Final = Words(
    code="en",
    decimal=".",
    thousands=",",
    titles={
        InvoiceKind.INVOICE: "Invoice",
        InvoiceKind.PREPAYMENT: "Prepayment invoice",
        InvoiceKind.CHARGEBACK: "Chargeback statement",
    },
    types={
        LineType.USAGE: "Usage",
        LineType.TOP_UP: "Minimum or whole step",
        LineType.DRAWDOWN: "Drawn from prepaid credit",
        LineType.INSTALMENT: "Instalment of a commitment",
        LineType.TRUE_UP: "True-up of a commitment",
        LineType.SLA_CREDIT: "Service level credit",
        LineType.RECALL_FEE: "Recall of reserved capacity",
        LineType.ON_ACCOUNT: "Paid on account",
        LineType.CARRIED: "Carried to your credit",
        LineType.OPENING: "Brought from another system",
    },
    measures={
        Measure.DELIVERED: "delivered",
        Measure.OCCUPIED: "occupied",
        Measure.BUSY: "busy",
    },
    treatments={
        "standard": "VAT",
        "reverse_charge": "Reverse charge",
        "zero": "Zero-rated",
        "exempt": "Exempt",
        "outside": "Outside the scope of VAT",
    },
    usage="{kind}, {cls}: accelerator-hours {measure}",
    top_up="{kind}, {cls}: up to the minimum or the whole step",
    late="Used in an earlier month, reported after its close",
    not_taxed="Not subject to VAT",
    labels={
        "number": "Number",
        "issued": "Issued",
        "due": "Due",
        "period": "For",
        "to": "to",
        "seller": "From",
        "buyer": "To",
        "tax_id": "Tax id",
        "what": "Description",
        "quantity": "Quantity",
        "price": "Price per acc-h",
        "amount": "Amount",
        "hours": "acc-h",
        "net": "Net",
        "gross": "Total",
        "on": "on",
        "settled": "Paid ahead",
        "due_amount": "Amount due",
        "pay": "Please pay to",
        "reference": "with the reference",
        "currency": "All amounts in",
        "rounding": "Quantities are shown to the thousandth of an accelerator-hour; amounts are "
        "made of exact milliseconds and rounded once a line.",
        "nothing": "Nothing is asked for: this statement is for the team's information.",
        "embedded": "The electronic invoice (EN 16931) is embedded in this file: factur-x.xml",
        "page": "Page",
        "of": "of",
    },
)

FRENCH: Final = Words(
    code="fr",
    decimal=",",
    thousands="\u202f",
    titles={
        InvoiceKind.INVOICE: "Facture",
        InvoiceKind.PREPAYMENT: "Facture d'acompte",
        InvoiceKind.CHARGEBACK: "Relevé de refacturation interne",
    },
    types={
        LineType.USAGE: "Utilisation",
        LineType.TOP_UP: "Minimum ou pas entier",
        LineType.DRAWDOWN: "Prélevé sur le crédit prépayé",
        LineType.INSTALMENT: "Échéance d'un engagement",
        LineType.TRUE_UP: "Complément d'un engagement",
        LineType.SLA_CREDIT: "Avoir de niveau de service",
        LineType.RECALL_FEE: "Reprise de capacité réservée",
        LineType.ON_ACCOUNT: "Déjà versé",
        LineType.CARRIED: "Porté à votre crédit",
        LineType.OPENING: "Repris d'un autre système",
    },
    measures={
        Measure.DELIVERED: "livrées",
        Measure.OCCUPIED: "occupées",
        Measure.BUSY: "actives",
    },
    treatments={
        "standard": "TVA",
        "reverse_charge": "Autoliquidation",
        "zero": "Taux zéro",
        "exempt": "Exonéré",
        "outside": "Hors champ de la TVA",
    },
    usage="{kind}, {cls} : heures-accélérateur {measure}",
    top_up="{kind}, {cls} : jusqu'au minimum ou au pas entier",
    late="Utilisé un mois antérieur, transmis après sa clôture",
    not_taxed="Non soumis à la TVA",
    labels={
        "number": "Numéro",
        "issued": "Émise le",
        "due": "Échéance",
        "period": "Période",
        "to": "au",
        "seller": "Vendeur",
        "buyer": "Client",
        "tax_id": "N° de TVA",
        "what": "Désignation",
        "quantity": "Quantité",
        "price": "Prix par h-acc",
        "amount": "Montant",
        "hours": "h-acc",
        "net": "Total HT",
        "gross": "Total TTC",
        "on": "sur",
        "settled": "Déjà réglé",
        "due_amount": "Net à payer",
        "pay": "À régler sur le compte",
        "reference": "avec la référence",
        "currency": "Tous les montants en",
        "rounding": "Les quantités sont montrées au millième d'heure-accélérateur ; les montants "
        "viennent des millisecondes exactes et sont arrondis une fois par ligne.",
        "nothing": "Rien n'est demandé : ce relevé informe l'équipe.",
        "embedded": "La facture électronique (EN 16931) est jointe à ce fichier : factur-x.xml",
        "page": "Page",
        "of": "sur",
    },
)

LANGUAGES: Final = {words.code: words for words in (ENGLISH, FRENCH)}


def words_of(language: str) -> Words:
    """The words of a language.

    Raises:
        Invalid: `unknown_language`.
    """
    if language not in LANGUAGES:
        raise Invalid(
            "unknown_language",
            f"documents are written in {', '.join(LANGUAGES)}, not in {language[:20]!r}",
            "say --language en or fr",
            {"field": "language"},
        )
    return LANGUAGES[language]
