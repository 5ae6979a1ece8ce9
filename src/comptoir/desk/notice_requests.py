"""What is asked of the desk about subscriptions; `requests.py` has everything else."""

from dataclasses import dataclass

from comptoir.tenants.subscriptions import SubscriptionKind
from comptoir.units.ids import SubscriptionId, TenantId


@dataclass(frozen=True, slots=True)
class CreateSubscription:
    """`tenant_id` None: of the actor's tenant, or of the house. `key_mark` names the key from
    which the server makes secrets; types are `lease.active`, `lease.*` or `*`."""

    kind: SubscriptionKind
    target: str
    types: tuple[str, ...]
    note: str = ""
    tenant_id: TenantId | None = None
    key_mark: str = ""


@dataclass(frozen=True, slots=True)
class SubscriptionRef:
    """Delete, enable or test this subscription."""

    subscription_id: SubscriptionId


@dataclass(frozen=True, slots=True)
class RotateSecret:
    """Give a webhook another secret, made from the key of this mark."""

    subscription_id: SubscriptionId
    key_mark: str = ""


@dataclass(frozen=True, slots=True)
class Redeliver:
    """Send the notice of an event once more."""

    subscription_id: SubscriptionId
    event_seq: int


@dataclass(frozen=True, slots=True)
class Tried:
    """One try to send, as the loop saw it. `event_seq` is the last of its `notices`."""

    event_seq: int
    notices: int
    again: bool
    at_ms: int
    took_ms: int
    delivered: bool
    status: int | None
    detail: str
    gone: bool = False
    retry_after_ms: int = 0


@dataclass(frozen=True, slots=True)
class SettleDeliveries:
    """What came of sending to one subscription, in order.

    `passed`: up to this event there is nothing more for it. `dropped`: events that were to be
    sent again and cannot be. `jitter` spreads the next try.
    """

    subscription_id: SubscriptionId
    tries: tuple[Tried, ...] = ()
    passed: int = 0
    dropped: tuple[int, ...] = ()
    jitter: int = 0
