"""The secrets that webhooks are signed with, made from one key, so that none is ever stored.

The key is a file of 32 random bytes in the data directory, mode 0600. A webhook's secret is
HMAC-SHA256 of its id and the number of the secret under that key: the book, its backups and
the API hold nothing that signs, and a rotation is another number. Who takes the key along can
sign as before; without it every webhook says that its secret has to be rotated.

Source: Standard Webhooks 1.0.0 (a secret is 24 to 64 bytes, written `whsec_` and base64).
"""

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from comptoir.tenants.subscriptions import Subscription
from comptoir.units.errors import Conflict

KEY_FILE = "notices.key"
KEY_BYTES = 32
_PURPOSE = b"comptoir webhook secret 1"
_MARK_LETTERS = 12


class SigningKey:
    """The key from which secrets are made. `mark` names it and says nothing of it."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.mark = hashlib.sha256(b"comptoir key mark" + key).hexdigest()[:_MARK_LETTERS]

    def secret(self, subscription_id: str, generation: int) -> bytes:
        """The secret of a webhook with this number."""
        what = b"\0".join((_PURPOSE, subscription_id.encode(), str(generation).encode()))
        return hmac.new(self._key, what, hashlib.sha256).digest()

    def secrets_at(self, subscription: Subscription, at_ms: int) -> list[bytes]:
        """The secrets that sign now, the newest first."""
        numbers = [subscription.generation]
        if (subscription.previous_until_ms or 0) > at_ms:
            numbers.append(subscription.generation - 1)
        return [self.secret(subscription.id, number) for number in numbers]


def write_secret(secret: bytes) -> str:
    """A secret as its receiver is given it."""
    return "whsec_" + base64.b64encode(secret).decode()


def signature(secrets: list[bytes], id: str, at_s: int, body: bytes) -> str:
    """The `webhook-signature` header: one signature a secret."""
    signed = b".".join((id.encode(), str(at_s).encode(), body))
    return " ".join(
        "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        for key in secrets
    )


def open_key(data: Path) -> SigningKey:
    """The key of a data directory; made on first use, whole or not at all.

    Raises:
        Conflict: `bad_notice_key`: the file is there and is no key.
    """
    path = data / KEY_FILE
    if not path.exists():
        draft = data / f"{KEY_FILE}.draft"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise Conflict(
            "bad_notice_key",
            f"{path} holds {len(key)} bytes, a key has {KEY_BYTES}",
            "restore it, or remove it and rotate the secret of every webhook",
        )
    return SigningKey(key)
