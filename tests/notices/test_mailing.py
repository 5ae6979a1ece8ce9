"""Notices by mail: a real SMTP server of the test's own receives them."""

import contextlib
import email
import email.policy
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope

from comptoir.desk.notice_port import Parcel
from comptoir.desk.notices import Notice
from comptoir.notices.mailing import MailSettings
from comptoir.notices.posting import Outside
from comptoir.notices.secrets import SigningKey
from comptoir.notices.sender import NoticeSender
from comptoir.tenants.subscriptions import Subscription, SubscriptionKind, SubscriptionState
from comptoir.units.errors import Invalid, Refused
from comptoir.units.ids import SubscriptionId, TenantId, UserId

AT_MS = 1_790_000_000_000


@dataclass
class Mailbox:
    """What an SMTP server was handed."""

    port: int = 0
    got: list[EmailMessage] = field(default_factory=list)
    to: list[str] = field(default_factory=list)
    refuses: str = ""
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    tls: list[bool] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802  (aiosmtpd names it)
        self, _server: Any, session: Any, envelope: Envelope, address: str, options: Any
    ) -> str:
        if self.refuses:
            return self.refuses
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.got.append(message)
        self.to += envelope.rcpt_tos
        self.tls.append(session.ssl is not None)
        return "250 taken"

    def authenticate(self, _server: Any, _session: Any, _env: Any, _how: str, data: Any) -> Any:
        self.logins.append((data.login, data.password))
        good = data.password == b"good"
        return AuthResult(success=good, handled=good)


@contextlib.contextmanager
def mail_server(tls: ssl.SSLContext | None = None, logs_in: bool = False) -> Iterator[Mailbox]:
    box = Mailbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        box.port = probe.getsockname()[1]
    controller = Controller(
        box, hostname="127.0.0.1", port=box.port, tls_context=tls, require_starttls=tls is not None,
        auth_required=logs_in, authenticator=box.authenticate if logs_in else None,
    )  # fmt: skip
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


def sender(box: Mailbox, **more: Any) -> NoticeSender:
    words = {"security": "none", "port": box.port, **more}
    settings = MailSettings("127.0.0.1", "comptoir@house.example", **words)
    return NoticeSender(SigningKey(b"k" * 32), Outside(), settings)


ONE = Subscription(
    SubscriptionId("sb_1"), TenantId("tn_1"), SubscriptionKind.MAIL, "ada@example.org", ("*",),
    "for the night shift", UserId("us_1"), 0, SubscriptionState.ACTIVE, 0, "",
)  # fmt: skip


def notice(seq: int = 184, **data: Any) -> Notice:
    said = {
        "says": "ls_1 (1,024 x h100-sxm, spot) is being taken back",
        "next": "save your work within 120 s",
        "kill_at": "2026-09-21T14:13:20.000Z",
        "nodes": ["nd_1", "nd_2"],
        "name": "naïve\nBcc: eve@example.org",
        **data,
    }
    return Notice(seq, "lease.reclaiming", 1, AT_MS, "tn_1", "ls_1", said)


def test_a_notice_is_a_mail_with_its_numbers_and_what_to_do_next() -> None:
    with mail_server() as box:
        sent = sender(box).send(Parcel(ONE, (notice(),)), AT_MS)
    assert (sent.delivered, sent.status, sent.detail) == (True, 250, "")
    (mail,) = box.got
    assert box.to == ["ada@example.org"]
    assert mail["subject"] == "[comptoir] ls_1 (1,024 x h100-sxm, spot) is being taken back"
    assert (mail["from"], mail["to"]) == ("comptoir@house.example", "ada@example.org")
    assert mail["message-id"] == "<nt_184.sb_1@house.example>"
    assert mail["auto-submitted"] == "auto-generated"
    assert mail["date"] == "Mon, 21 Sep 2026 14:13:20 +0000"
    assert mail.get_content_type() == "text/plain"
    text = mail.get_content()
    for line in (
        "ls_1 (1,024 x h100-sxm, spot) is being taken back",
        "next: save your work within 120 s",
        "  notice: nt_184 (lease.reclaiming)",
        "  at: 2026-09-21T14:13:20.000Z",
        "  tenant: tn_1",
        "  kill_at: 2026-09-21T14:13:20.000Z",
        "  nodes: nd_1, nd_2",
        "  name: naïve Bcc: eve@example.org",
        "To stop: comptoir mail delete sb_1",
    ):
        assert line in text.splitlines()


def test_several_notices_are_one_mail_whose_subject_counts_them() -> None:
    with mail_server() as box:
        several = tuple(notice(n) for n in (7, 8, 9))
        assert sender(box).send(Parcel(ONE, several), AT_MS).delivered
        assert sender(box).send(Parcel(ONE, several), AT_MS + 60_000).delivered
    first, again = box.got
    assert first["subject"] == "[comptoir] 3 notices: lease.reclaiming"
    assert first.get_content().count("is being taken back") == 3
    assert first["message-id"] == again["message-id"] == "<nt_7-nt_9.sb_1@house.example>"


def test_a_long_subject_is_cut_and_what_people_type_adds_no_header() -> None:
    with mail_server() as box:
        sender(box).send(Parcel(ONE, (notice(says="x" * 500),)), AT_MS)
    (mail,) = box.got
    assert len(mail["subject"]) < 140
    assert mail["bcc"] is None
    assert box.to == ["ada@example.org"]


def test_a_mailbox_that_is_refused_is_a_failure_with_its_code() -> None:
    with mail_server() as box:
        box.refuses = "550 5.1.1 no such mailbox here"
        sent = sender(box).send(Parcel(ONE, (notice(),)), AT_MS)
    assert (sent.delivered, sent.status, sent.gone) == (False, 550, False)
    assert "no such mailbox here" in sent.detail
    assert box.got == []


def test_a_server_that_is_away_is_a_failure() -> None:
    with mail_server() as box:
        pass
    sent = sender(box).send(Parcel(ONE, (notice(),)), AT_MS)
    assert (sent.delivered, sent.status) == (False, None)
    assert sent.detail == "the mail server did not take it: Connection refused"


def test_a_mail_has_the_words_of_people_and_not_of_a_program() -> None:
    with mail_server() as box:
        more = {"ends_at": None, "lent": False, "borrowed": True, "credits": {"USD": "1.50"}}
        sender(box).send(Parcel(ONE, (notice(**more),)), AT_MS)
    lines = box.got[0].get_content().splitlines()
    for line in ("  ends_at: -", "  lent: no", "  borrowed: yes", "  credits: USD 1.50"):
        assert line in lines


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=mail", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=place, check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    return place


def test_a_login_goes_over_tls(certificate: Path) -> None:
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    trust = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    with mail_server(served, logs_in=True) as box:
        words = {"security": "starttls", "user": "comptoir", "trust": trust}
        good = sender(box, password="good", **words).send(Parcel(ONE, (notice(),)), AT_MS)
        bad = sender(box, password="bad", **words).send(Parcel(ONE, (notice(),)), AT_MS)
        words["trust"] = None
        stranger = sender(box, password="good", **words).send(Parcel(ONE, (notice(),)), AT_MS)
    assert good.delivered, good
    assert box.tls == [True]
    assert (bad.delivered, bad.status) == (False, 535), bad
    assert not stranger.delivered
    assert box.logins[0] == (b"comptoir", b"good")
    assert set(box.logins[1:]) == {(b"comptoir", b"bad")}


def test_a_password_never_travels_in_the_clear() -> None:
    far = MailSettings("mail.example.org", "c@example.org", 25, "none", "user", "secret")
    with pytest.raises(Invalid, match="mail_in_the_clear"):
        far.check()
    for fine in (
        replace(far, security="starttls"),
        replace(far, security="tls"),
        replace(far, host="127.0.0.1"),
        replace(far, password=""),
    ):
        fine.check()


def test_without_a_mail_server_a_mail_is_a_failure_that_says_so() -> None:
    nothing = NoticeSender(SigningKey(b"k" * 32), Outside())
    with pytest.raises(Refused, match="mail_not_configured"):
        nothing.check(SubscriptionKind.MAIL, ONE.target)
    sent = nothing.send(Parcel(ONE, (notice(),)), AT_MS)
    assert not sent.delivered
    assert "no mail server" in sent.detail
    assert nothing.secret(ONE) is None


def test_a_webhook_whose_key_is_gone_says_that_its_secret_must_be_rotated() -> None:
    mine = SigningKey(b"k" * 32)
    hook = replace(ONE, kind=SubscriptionKind.WEBHOOK, target="https://1.1.1.1/", key_mark="old")
    sent = NoticeSender(mine, Outside()).send(Parcel(hook, (notice(),)), AT_MS)
    assert (sent.delivered, sent.gone) == (False, True)
    assert "comptoir webhook rotate sb_1" in sent.detail
