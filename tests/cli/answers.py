"""Answers of a server, made from the API's own description: whatever it may say, as long as real.

`Answers` stands in for the transport of a client: every route of `openapi/openapi.json` answers
with values of its own schema. Names are of 40 letters, amounts of 12 digits before the point,
sentences are sentences; `ordinary` gives what most books hold instead.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OPENAPI = Path(__file__).parents[2] / "openapi" / "openapi.json"
_DOCUMENT = json.loads(OPENAPI.read_text())
_SCHEMAS = _DOCUMENT["components"]["schemas"]
_ROUTES = [
    (method.upper(), re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), operation)
    for path, methods in sorted(_DOCUMENT["paths"].items(), key=lambda route: "{" in route[0])
    for method, operation in methods.items()
]
ROWS = 3
SETTLED = {"PeriodState": "closed", "OpeningState": "brought"}
"""States that a command waits for."""


@dataclass(frozen=True, slots=True)
class Words:
    """How long what people and machines write is."""

    name: str
    number: str
    amount: str
    instant: str
    id: str
    currency: str
    sentence: str
    count: int


LONG = Words(
    "Compagnie-Generale-de-Calcul-du-Nord-SAS",
    "COMPAGNIE-GENERALE-DU-NORD-2028-00001234",
    "-123456789012.34",
    "2028-09-27T16:30:00.000Z",
    "7Q4M9XJM2W",
    "CHF",
    "two nodes of the second rack were down from the evening of the third to the morning after it, "
    "and nobody was told before the fifth, as was agreed on the phone",
    12_345_678,
)
ORDINARY = Words(
    "acme-robotics",
    "ACME-2026-000003",
    "18744.00",
    "2026-11-28T06:00:00.000Z",
    "7Q4M9X",
    "USD",
    "two nodes of the second rack were down from the evening to the morning",
    1_234,
)
NAMES = {
    "legal_name", "name", "party", "partner", "payer", "slug", "tenant_slug", "source", "step",
    "project", "group", "parent", "what", "entry_id",
}  # fmt: skip
NUMBERS = {"contract", "number", "invoice_number"}
SENTENCES = {
    "because", "description", "detail", "evidence", "message", "note", "reason", "reference",
    "resolution", "sentence", "screening_evidence", "summary", "exemption",
}  # fmt: skip
SHORT = {
    "kind": "h100-sxm",
    "site": "paris-2",
    "zone": "Europe/Amsterdam",
    "country": "FR",
    "buyer_country": "FR",
    "seller": "FR",
    "base": "EUR",
    "quote": "USD",
    "from_date": "2026-11-01",
    "date": "2026-11-01",
    "iban": "FR7630006000011234567890189",
    "bic": "AGRIFRPPXXX",
    "tax_id": "FR61954506077",
    "terms_version": "2026-11",
    "treatment": "reverse_charge",
    "series": "{tenant}-{year}",
    "invoice_series": "{entity}-{year}",
    "credit_note_series": "CN-{entity}-{year}",
    "account": "prepaid_capacity:compagnie-generale-du-nord",
    "unit": "USD",
    "file": "open-invoices-of-september.csv",
    "rate_percent": "19.6",
    "tax_percent": "19.6",
    "rate": "1.08350000",
    "factor": "0.875",
    "type": "invoice.overdue",
    "text": "contract",
    "next_text": "contract",
}


class Answers:
    """What a server could answer, by its description."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def ask(self, method: str, path: str) -> Any:
        """The answer of a route."""
        for of, pattern, operation in _ROUTES:
            if of == method and pattern.fullmatch(path):
                said = next(a for code, a in operation["responses"].items() if code[0] == "2")
                schema = said.get("content", {}).get("application/json", {}).get("schema", {})
                return self._value("", schema)
        raise AssertionError(f"no route {method} {path}")

    def _value(self, name: str, schema: Mapping[str, Any]) -> Any:
        if "$ref" in schema:
            of = schema["$ref"].rsplit("/", 1)[-1]
            return SETTLED.get(of) or self._value(name, _SCHEMAS[of])
        for choice in schema.get("anyOf", ()):
            if choice.get("type") != "null":
                return None if name == "next_cursor" else self._value(name, choice)
        if "enum" in schema:
            return max(schema["enum"], key=len)
        match schema.get("type"):
            case "object":
                return self._object(schema)
            case "array":
                return [self._value(name, schema["items"]) for _ in range(ROWS)]
            case "integer":
                return min(self.words.count, schema.get("maximum", self.words.count))
            case "boolean":
                return True
        return schema.get("const") or self._text(name, schema)

    def _object(self, schema: Mapping[str, Any]) -> Any:
        known = schema.get("properties", {})
        if known or schema.get("additionalProperties") is None:
            return {key: self._value(key, part) for key, part in known.items()}
        more = schema["additionalProperties"]
        if more is True:  # an event's own numbers
            words = self.words
            return {
                "number": words.number, "step": "reminder", "amount": words.amount,
                "currency": words.currency,
            }  # fmt: skip
        return {f"{word}-of-it": self._value("", more) for word in ("first", "second")}

    def _text(self, name: str, schema: Mapping[str, Any]) -> str:
        words = self.words
        if schema.get("format") == "date-time":
            return words.instant
        if name.startswith("price_"):
            return "2.413579"
        if name.endswith(("_ms", "_hours")):
            return str(words.count * 3_600_000)
        is_decimal = "2.41" in schema.get("examples", ())
        if is_decimal and not name.endswith(("percent", "rate", "factor")):
            return words.amount
        if name in SHORT:
            return SHORT[name]
        if name == "currency":
            return words.currency
        if name == "id" or name.endswith(("_id", "_by", "_block")):
            return f"{'tn' if name in ('id', 'tenant_id') else name[:2]}_{words.id}"
        if name in SENTENCES:
            return words.sentence
        if name in NUMBERS:
            return words.number
        return words.name if name in NAMES else "day-block-of-13"
