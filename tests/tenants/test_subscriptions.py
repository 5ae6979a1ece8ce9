"""Where notices may be sent, as far as words say it, and how long a failed try waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.tenants.subscriptions import (
    FIRST_DELAY_MS,
    JITTER_STEPS,
    LONGEST_ASKED_DELAY_MS,
    LONGEST_DELAY_MS,
    MOST_TRIES,
    SubscriptionKind,
    check_target,
    delay_ms,
)
from comptoir.units.errors import Invalid

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org/comptoir",
        "https://hooks.example.org:8443/a/b?c=d%20e",
        "https://[2606:4700::1]/x",
        "http://127.0.0.1:9/x",  # whether it may be called is judged by who calls it
        "https://example.org",
    ],
)
def test_a_url_of_a_host_is_a_target(url: str) -> None:
    assert check_target(SubscriptionKind.WEBHOOK, url) == url


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks.example.org", "ftp://example.org/x", "https://", "https:///x", "javascript:1",
        "https://user@example.org/", "https://user:secret@example.org/", "https://example.org/#x",
        "https://example.org/a b", "https://example.org/\r\nHost: x", "https://exämple.org/",
        "https://example.org:99999/", "https://example.org:0/", "https://example.org\\@evil.org/",
        "https://[::1/", "file:///etc/passwd", "https://example.org/" + "x" * 2_000,
    ],
)  # fmt: skip
def test_what_is_no_such_url_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="bad_webhook_url"):
        check_target(SubscriptionKind.WEBHOOK, url)


@pytest.mark.parametrize("address", ["ada@example.org", "a.b+c@localhost", "x@a-b.example"])
def test_a_mailbox_is_a_target(address: str) -> None:
    assert check_target(SubscriptionKind.MAIL, address) == address


@pytest.mark.parametrize(
    "address",
    [
        "", "ada", "@example.org", "ada@", "a b@example.org", "ada@example.org\nBcc: x@y.z",
        "Ada <ada@example.org>", "ada@example..org", "ada@exa_mple.org", "x" * 65 + "@example.org",
        "a@" + "b" * 260, "ada@example.org, eve@example.org",
    ],
)  # fmt: skip
def test_what_is_no_mailbox_is_refused(address: str) -> None:
    with pytest.raises(Invalid, match="bad_mail_address"):
        check_target(SubscriptionKind.MAIL, address)


@given(st.integers(1, 200), st.integers(0, JITTER_STEPS - 1), st.integers(0, 10**12))
def test_a_try_waits_at_least_its_doubled_time_and_at_most_a_quarter_more(
    failures: int, jitter: int, asked_ms: int
) -> None:
    least = min(FIRST_DELAY_MS * 2 ** (failures - 1), LONGEST_DELAY_MS)
    plain = delay_ms(failures, jitter)
    assert least <= plain <= least * 5 // 4
    asked = delay_ms(failures, jitter, asked_ms)
    assert asked == max(plain, min(asked_ms, LONGEST_ASKED_DELAY_MS))


def test_a_receiver_that_is_away_for_a_weekend_is_still_tried() -> None:
    waited = sum(delay_ms(failures, 0) for failures in range(1, MOST_TRIES))
    assert 72 * HOUR_MS < waited < 96 * HOUR_MS
