"""Signatures as the specification says them, from secrets that are stored nowhere."""

import base64
import os
from dataclasses import replace
from pathlib import Path

import pytest

from comptoir.notices.secrets import KEY_FILE, SigningKey, open_key, signature, write_secret
from comptoir.tenants.subscriptions import Subscription, SubscriptionKind, SubscriptionState
from comptoir.units.errors import Conflict
from comptoir.units.ids import SubscriptionId, UserId
from tests.notices.receiver import Got, verify

KEY = SigningKey(b"k" * 32)
ONE = Subscription(
    SubscriptionId("sb_1"), None, SubscriptionKind.WEBHOOK, "https://x.example/", ("*",), "",
    UserId("us_1"), 0, SubscriptionState.ACTIVE, 0, KEY.mark,
)  # fmt: skip


def test_a_signature_is_the_specifications() -> None:
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    given = [secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}'
    assert signature(*given) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def signed(one: Subscription, at_ms: int, key: SigningKey = KEY) -> Got:
    body, at_s = b'{"id":"nt_1"}', at_ms // 1_000
    headers = {
        "webhook-id": "nt_1",
        "webhook-timestamp": str(at_s),
        "webhook-signature": signature(key.secrets_at(one, at_ms), "nt_1", at_s, body),
    }
    return Got("/", headers, body)


def test_independent_code_accepts_a_signature_and_nothing_that_was_changed() -> None:
    secret, got = write_secret(KEY.secret("sb_1", 1)), signed(ONE, 5_000)
    assert verify(secret, got, 5)
    assert not verify(secret, got, 5 + 301)
    assert not verify(secret, replace(got, body=b'{"id":"nt_2"}'), 5)
    for name, other in (("webhook-id", "nt_2"), ("webhook-timestamp", "6")):
        assert not verify(secret, replace(got, headers={**got.headers, name: other}), 5)
    assert not verify(write_secret(KEY.secret("sb_2", 1)), got, 5)
    assert not verify(write_secret(SigningKey(b"l" * 32).secret("sb_1", 1)), got, 5)


def test_while_a_rotation_overlaps_both_secrets_verify_and_afterwards_the_new_one() -> None:
    old, new = (write_secret(KEY.secret("sb_1", number)) for number in (1, 2))
    rotated = replace(ONE, generation=2, previous_until_ms=10_000)
    during, after = signed(rotated, 9_999), signed(rotated, 10_000)
    assert verify(old, during, 9) and verify(new, during, 9)
    assert verify(new, after, 10) and not verify(old, after, 10)


def test_a_secret_is_of_the_length_and_the_form_that_the_specification_asks_for() -> None:
    written = write_secret(KEY.secret("sb_1", 1))
    assert written.startswith("whsec_")
    assert 24 <= len(base64.b64decode(written.removeprefix("whsec_"), validate=True)) <= 64


def test_the_key_is_made_once_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        made = open_key(tmp_path)
    finally:
        os.umask(old)
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert open_key(tmp_path).secret("sb_1", 1) == made.secret("sb_1", 1)
    assert made.mark == open_key(tmp_path).mark
    assert made.mark.encode() not in (tmp_path / KEY_FILE).read_bytes()
    other = tmp_path / "other"
    other.mkdir()
    assert open_key(other).mark != made.mark


def test_a_key_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(Conflict, match="bad_notice_key"):
        open_key(tmp_path)
