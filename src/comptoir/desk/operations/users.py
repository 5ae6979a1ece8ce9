"""Users and their keys: made, disabled, issued, revoked."""

import base64
import hashlib

from comptoir.desk.requests import CreateUser, IssuedKey, IssueKey, RevokeKey, UserRef
from comptoir.desk.transaction import Transaction
from comptoir.tenants.parties import HOUSE_ROLES, Key, Role, User
from comptoir.tenants.permissions import (
    Permission,
    is_house,
    may,
    not_found,
    require,
    require_tenant,
)
from comptoir.units.errors import Conflict, Forbidden, Invalid, Refused
from comptoir.units.ids import KeyId, UserId
from comptoir.units.text import check_text
from comptoir.units.time import check_instant, format_instant
from comptoir.units.values import replace

SECRET_BYTES = 32
MOST_KEYS_PER_USER = 50


def create_user(tx: Transaction, request: CreateUser) -> User:
    """Make a user. House roles only for house users, and only by an operator.

    Raises:
        Invalid: `bad_roles`: none, or of both kinds, or not of this user's kind.
        Forbidden: `house_only`: a tenant's admin cannot make house users.
    """
    tenant_id = request.tenant_id if tx.actor.tenant_id is None else tx.actor.tenant_id
    if request.tenant_id is not None:
        tenant_id = tx.tenant(request.tenant_id).id
    name = check_text("name", request.name, 1, 100)
    if not request.roles:
        raise Invalid("bad_roles", "a user needs at least one role", "name one")
    if tenant_id is None and not is_house(request.roles):
        raise Invalid(
            "bad_roles",
            "tenant roles need a tenant",
            f"name the tenant, or use one of {', '.join(sorted(HOUSE_ROLES))}",
        )
    if tenant_id is not None and any(role in HOUSE_ROLES for role in request.roles):
        raise Forbidden(
            "house_only",
            "a tenant's user cannot have a role of the house",
            "use tenant_admin, tenant_member or tenant_read_only",
        )
    roles = tuple(sorted(set(request.roles), key=list(Role).index))
    user = User(UserId(tx.new_id("us")), name, tenant_id, roles, False, tx.now_ms)
    tx.book.users.put(user)
    tx.emit("user.created", user.id, tenant_id, name=name, roles=list(roles))
    return user


def disable_user(tx: Transaction, request: UserRef) -> User:
    """Disable a user; its keys stop working at once.

    Raises:
        Refused: `last_operator`, `last_operator_key`: somebody must be able to open the door
            again.
    """
    user = _user(tx, request.user_id)
    if user.disabled:
        return user
    operators = [u for u in tx.book.users if Role.OPERATOR in u.roles and not u.disabled]
    if [u.id for u in operators] == [user.id]:
        raise Refused(
            "last_operator", f"{user.id} is the only operator left", "make another operator first"
        )
    last = _operator_keys(tx)
    if last and all(tx.book.keys[key_id].user_id == user.id for key_id in last):
        raise Refused(
            "last_operator_key",
            f"{user.id} has the only keys left that let an operator in for good",
            "issue another operator a key that does not expire first",
        )
    tx.emit("user.disabled", user.id, user.tenant_id)
    return tx.book.users.put(replace(user, disabled=True))


def issue_key(tx: Transaction, request: IssueKey) -> IssuedKey:
    """A new key: anybody for itself, a user administrator for others.

    Raises:
        Invalid: `expires_in_the_past`.
        Refused: `too_many_keys`, `outlives_its_parent`.
        Conflict: `user_disabled`.
    """
    user = _user(tx, request.user_id or tx.actor.user_id)
    if user.id != tx.actor.user_id:
        require(tx.actor, Permission.USERS_WRITE)
    if user.disabled:
        raise Conflict("user_disabled", f"{user.id} is disabled", "use another user")
    if request.expires_at_ms is not None:
        check_instant("expires_at", request.expires_at_ms)
    if request.expires_at_ms is not None and request.expires_at_ms <= tx.now_ms:
        raise Invalid(
            "expires_in_the_past",
            f"the key would have expired at {format_instant(request.expires_at_ms)}",
            "give a later instant",
        )
    _check_parent(tx, request.expires_at_ms)
    live = [k for k in tx.book.keys_by_user.get(user.id) if k.revoked_at_ms is None]
    if len(live) >= MOST_KEYS_PER_USER:
        raise Refused(
            "too_many_keys",
            f"{user.id} has {len(live)} keys, the most there may be",
            "revoke one first",
        )
    return new_key(tx, user, check_text("note", request.note, 0, 200), request.expires_at_ms)


def revoke_key(tx: Transaction, request: RevokeKey) -> Key:
    """Revoke a key: one's own, or as a user administrator another's; perhaps what it issued.

    Raises:
        Refused: `last_operator_key`: somebody must be able to open the door again.
    """
    key = tx.book.keys.get(request.key_id)
    if key is None:
        raise not_found(f"key {request.key_id}")
    user = tx.book.users[key.user_id]
    require_tenant(tx.actor, user.tenant_id, f"key {request.key_id}")
    if user.id != tx.actor.user_id and not may(tx.actor, Permission.USERS_WRITE):
        raise not_found(f"key {request.key_id}")
    doomed = _issued_with(tx, key) if request.with_issued else [key]
    gone = {each.id for each in doomed}
    if gone.issuperset(_operator_keys(tx)):
        raise Refused(
            "last_operator_key",
            f"{key.id} is the only key left that lets an operator in for good"
            if len(doomed) == 1
            else f"with these {len(doomed)} keys the last goes that lets an operator in for good",
            "issue an operator another key that does not expire first",
        )
    for each in doomed:
        if each.revoked_at_ms is None:
            holder = tx.book.users[each.user_id]
            tx.emit("key.revoked", each.id, holder.tenant_id, user=holder.id)
            tx.book.keys.put(replace(each, revoked_at_ms=tx.now_ms))
    return tx.book.keys[key.id]


def _issued_with(tx: Transaction, key: Key) -> list[Key]:
    """A key and all that came of it, through keys that are revoked too."""
    found = [key]
    for parent in found:  # grows as it is gone through
        found += [child for child in tx.book.keys if child.issued_with == parent.id]
    return found


def new_key(tx: Transaction, user: User, note: str, expires_at_ms: int | None) -> IssuedKey:
    """Draw 256 bits, keep their hash, show them once."""
    raw = base64.urlsafe_b64encode(tx.entropy.token_bytes(SECRET_BYTES)).rstrip(b"=").decode()
    key_id = KeyId(tx.new_id("ky"))
    prefix = key_id.removeprefix("ky_").lower()
    secret = f"ck_{prefix}_{raw}"
    key = Key(
        key_id, user.id, prefix, hash_secret(secret), note, tx.now_ms, expires_at_ms, None,
        tx.actor.key_id,
    )  # fmt: skip
    tx.book.keys.put(key)
    tx.emit("key.issued", key.id, user.tenant_id, user=user.id, expires_at_ms=expires_at_ms)
    return IssuedKey(key, secret)


def _check_parent(tx: Transaction, expires_at_ms: int | None) -> None:
    """A key that expires cannot be prolonged by the keys that it issues."""
    parent = tx.book.keys.get(tx.actor.key_id) if tx.actor.key_id else None
    if parent is None or parent.expires_at_ms is None:
        return
    if expires_at_ms is None or expires_at_ms > parent.expires_at_ms:
        until = format_instant(parent.expires_at_ms)
        raise Refused(
            "outlives_its_parent",
            f"your own key expires at {until}, and a key that it issues cannot last longer",
            f"give an expiry of at most {until}",
            {"latest": until},
        )


def _operator_keys(tx: Transaction) -> list[KeyId]:
    """The keys that keep the door open: of enabled operators, live, and for good.

    A key that will expire counts only when there is none that does not.
    """
    live = [
        key
        for user in tx.book.users
        if Role.OPERATOR in user.roles and not user.disabled
        for key in tx.book.keys_by_user.get(user.id)
        if key.revoked_at_ms is None
        and (key.expires_at_ms is None or key.expires_at_ms > tx.now_ms)
    ]
    lasting = [key.id for key in live if key.expires_at_ms is None]
    return lasting or [key.id for key in live]


def hash_secret(secret: str) -> str:
    """What is kept of a key. 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _user(tx: Transaction, user_id: UserId) -> User:
    user = tx.book.users.get(user_id)
    if user is None:
        raise not_found(f"user {user_id}")
    require_tenant(tx.actor, user.tenant_id, f"user {user_id}")
    return user
