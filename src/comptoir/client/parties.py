"""The client's way to tenants, users and keys."""

from collections.abc import Iterator, Sequence
from typing import cast

from comptoir.client.records import IssuedKey, Key, Quota, Tenant, User
from comptoir.client.transport import Transport, path_of

PAGE = 200


class Tenants:
    """Teams and customers."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        slug: str,
        name: str,
        kind: str = "enterprise",
        rate_card: str | None = None,
        *,
        grants: Sequence[str] = (),
        residency: str | None = None,
    ) -> Tenant:
        """Make a tenant: a `team`, an `enterprise` or a `researcher`."""
        body = {
            "slug": slug,
            "name": name,
            "kind": kind,
            "rate_card": rate_card,
            "grants": [*grants] or None,
            "residency": residency,
        }
        return cast(Tenant, self._transport.write("POST", path_of("tenants"), body))

    def list(self) -> Iterator[Tenant]:
        """Every tenant that you may see."""
        return self._transport.pages(path_of("tenants"), PAGE)

    def get(self, tenant: str) -> Tenant:
        """One tenant, by its id or slug."""
        return cast(Tenant, self._transport.get(path_of("tenants", tenant)))

    def suspend(self, tenant: str) -> Tenant:
        """No new lease for it; the leases it has are taken back."""
        return cast(Tenant, self._transport.write("POST", path_of("tenants", tenant, "suspend")))

    def resume(self, tenant: str) -> Tenant:
        """End its suspension."""
        return cast(Tenant, self._transport.write("POST", path_of("tenants", tenant, "resume")))

    def set_eligibility(
        self, tenant: str, grants: Sequence[str] | None = None, residency: str | None = None
    ) -> Tenant:
        """Which grants it holds and where its data must stay; None leaves it as it is."""
        body = {"grants": None if grants is None else [*grants], "residency": residency}
        path = path_of("tenants", tenant, "eligibility")
        return cast(Tenant, self._transport.write("PUT", path, body))

    def quotas(self, tenant: str) -> Iterator[Quota]:
        """Its quotas; a kind without one is not limited."""
        return self._transport.pages(path_of("tenants", tenant, "quotas"), PAGE)

    def set_quota(self, tenant: str, kind: str, accelerators: int) -> Quota:
        """Let it hold at most so many accelerators of a kind at once."""
        path = path_of("tenants", tenant, "quotas", kind)
        return cast(Quota, self._transport.write("PUT", path, {"accelerators": accelerators}))


class Users:
    """People and programs that act."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, roles: Sequence[str], tenant: str | None = None) -> User:
        """Make a user of a tenant, or without one of the house (or your own tenant)."""
        body = {"name": name, "roles": [*roles], "tenant": tenant}
        return cast(User, self._transport.write("POST", path_of("users"), body))

    def list(self, tenant: str | None = None) -> Iterator[User]:
        """Every user that you may see."""
        return self._transport.pages(path_of("users"), PAGE, tenant=tenant)

    def get(self, user_id: str) -> User:
        """One user."""
        return cast(User, self._transport.get(path_of("users", user_id)))

    def disable(self, user_id: str) -> User:
        """Its keys stop working at once."""
        return cast(User, self._transport.write("POST", path_of("users", user_id, "disable")))


class Keys:
    """API keys."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def issue(
        self, user_id: str | None = None, note: str = "", expires_at: str | None = None
    ) -> IssuedKey:
        """A new key for a user, by default yourself. Its secret is shown this once."""
        body = {"user_id": user_id, "note": note, "expires_at": expires_at}
        return cast(IssuedKey, self._transport.write("POST", path_of("keys"), body))

    def list(self, user_id: str | None = None) -> Iterator[Key]:
        """Every key that you may see, without secrets."""
        return self._transport.pages(path_of("keys"), PAGE, user=user_id)

    def revoke(self, key_id: str, with_issued: bool = False) -> Key:
        """It stops working at once; `with_issued`: so does every key issued with it."""
        path = path_of("keys", key_id, "revoke") + ("?with_issued=true" if with_issued else "")
        return cast(Key, self._transport.write("POST", path))
