"""Subscriptions to notices, and what came of sending them."""

from typing import Annotated

from pydantic import Field

from comptoir.api.shapes.common import Answer, Body, Instant, Line, Named
from comptoir.tenants.subscriptions import SubscriptionKind, SubscriptionState

Target = Annotated[str, Field(min_length=1, max_length=2_000)]
TypeName = Annotated[str, Field(min_length=1, max_length=60)]
NoticeIdIn = Annotated[str, Field(min_length=1, max_length=64, examples=["nt_184"])]


class SubscriptionBody(Body):
    """Where notices are to be sent. Without `tenant`: of one's own tenant, or of the house."""

    kind: SubscriptionKind = SubscriptionKind.WEBHOOK
    target: Target = Field(
        description="The URL of a webhook, or a mailbox.",
        examples=["https://hooks.example.org/comptoir"],
    )
    types: Annotated[list[TypeName], Field(min_length=1, max_length=32)] = Field(
        default=["*"], examples=[["lease.*", "invoice.issued"]]
    )
    note: Line = ""
    tenant: Named | None = None


class Subscription(Answer):
    """Notices of some types, sent to one place in order. `tenant_id` null is the house's."""

    id: str
    tenant_id: str | None
    kind: SubscriptionKind
    target: str = Field(description="To who may not change it, a URL without its path.")
    types: list[str]
    note: str
    created_by: str
    created_at: Instant
    state: SubscriptionState
    reason: str = Field(description="Why it is disabled.")
    settled_until: str = Field(description="Up to this notice, everything that it wants is sent.")
    again: list[str] = Field(description="Notices that wait to be sent once more.")
    failures: int = Field(description="Tries in a row that failed.")
    next_try_at: Instant | None
    deliveries: int
    previous_secret_until: Instant | None = Field(
        description="Until then the secret before the one in use signs too."
    )


class NewSubscription(Subscription):
    """A subscription with its secret: shown this once, null when the answer is repeated."""

    secret: str | None = Field(description="What a webhook checks signatures with: whsec_...")


class RedeliverBody(Body):
    """Which notice to send once more."""

    notice: NoticeIdIn


class Delivery(Answer):
    """One try to send. `notice` is the last of the `notices` that were sent together."""

    number: int
    notice: str
    notices: int
    again: bool = Field(description="Whether somebody asked for it.")
    at: Instant
    took_ms: int
    delivered: bool
    status: int | None = Field(description="The answer's code, HTTP's or SMTP's.")
    detail: str
