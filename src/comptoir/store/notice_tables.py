"""The tables of subscriptions and their deliveries. `tables.py` pairs them with their values."""

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table

from comptoir.store.schema import _flag, _id, _int, _json, _ms, _text, _word, metadata
from comptoir.tenants.subscriptions import SubscriptionKind, SubscriptionState

subscription = Table(
    "subscription",
    metadata,
    _id(),
    _text("tenant_id", null=True),
    _word("kind", SubscriptionKind),
    _text("target"),
    _json("types"),
    _text("note"),
    _text("created_by"),
    _ms("created_at_ms"),
    _word("state", SubscriptionState),
    _ms("cursor"),
    _text("key_mark"),
    _text("reason"),
    _json("again"),
    _int("failures"),
    _ms("next_try_at_ms"),
    _int("deliveries"),
    _int("generation"),
    _ms("previous_until_ms", null=True),
    CheckConstraint("generation > 0", name="subscription_has_a_secret"),
    Index("subscription_by_creation", "created_at_ms", "id"),
)
delivery = Table(
    "delivery",
    metadata,
    _id("subscription_id"),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _ms("event_seq"),
    _int("notices"),
    _flag("again"),
    _ms("at_ms"),
    _int("took_ms"),
    _flag("delivered"),
    _int("status", null=True),
    _text("detail"),
    Index("delivery_by_age", "at_ms"),
)
