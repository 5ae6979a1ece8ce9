"""Admissions: how a customer comes in, from the invitation to its credit limit.

    invited -> accepted -> (screened) -> admitted
    any of the first two -> refused

Sales invites and screens; the customer's own user accepts the terms; an approver, who is
neither, admits with the limit that sales proposed. A tenant without an admission buys from the
house's entity, without a limit and without taxes.
"""

from dataclasses import dataclass
from typing import Any

from comptoir.units.errors import invariant
from comptoir.units.ids import LegalEntityId, TenantId, UserId
from comptoir.units.values import Term, replace


class AdmissionState(Term):
    """How far a customer has come."""

    INVITED = "invited"
    ACCEPTED = "accepted"
    ADMITTED = "admitted"
    REFUSED = "refused"


_S = AdmissionState
EDGES: dict[AdmissionState, frozenset[AdmissionState]] = {
    _S.INVITED: frozenset({_S.ACCEPTED, _S.REFUSED}),
    _S.ACCEPTED: frozenset({_S.ADMITTED, _S.REFUSED}),
    _S.ADMITTED: frozenset({_S.ADMITTED}),  # screened again, with another limit
    _S.REFUSED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Admission:
    """What is known of a customer and agreed with it.

    `tax_id` is its number in `country`; `exemption` names the certificate that frees it from
    taxes. `terms_version` is the version of the terms it is invited to and has accepted.
    `proposed_limit_micros` is what sales wrote with the screening, `credit_limit_micros` what an
    approver has put in force; None is no limit. `low_at_ms` is when it was last told that little
    of its credit is left.
    """

    tenant_id: TenantId
    entity_id: LegalEntityId
    legal_name: str
    address: tuple[str, ...]
    country: str
    tax_id: str
    is_business: bool
    exemption: str
    currency: str
    terms_version: str
    state: AdmissionState
    invited_at_ms: int
    invited_by: UserId
    accepted_at_ms: int | None = None
    accepted_by: UserId | None = None
    screened_at_ms: int | None = None
    screened_by: UserId | None = None
    screening_evidence: str = ""
    proposed_limit_micros: int | None = None
    credit_limit_micros: int | None = None
    decided_at_ms: int | None = None
    decided_by: UserId | None = None
    because: str = ""
    low_at_ms: int | None = None

    @property
    def admitted(self) -> bool:
        """Whether it may buy where admission is required."""
        return self.state is AdmissionState.ADMITTED

    @property
    def limit_micros(self) -> int | None:
        """The credit limit in force; None: there is none."""
        return self.credit_limit_micros if self.admitted else None

    def moved(self, state: AdmissionState, **fields: Any) -> "Admission":
        """The admission in its next state.

        Raises:
            InvariantBroken: no edge leads there.
        """
        invariant(
            state in EDGES[self.state],
            f"the admission of {self.tenant_id} cannot go from {self.state} to {state}",
        )
        return replace(self, state=state, **fields)
