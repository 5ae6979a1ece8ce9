"""Notices as mail: plain text, one clear subject, the numbers and what to do next.

Several notices that come close together are one mail. The server is the operator's own and is
trusted to relay; who is written to is judged by it.
"""

import smtplib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from comptoir.desk.notices import Notice
from comptoir.tenants.subscriptions import Subscription
from comptoir.units.addresses import is_loopback
from comptoir.units.errors import Invalid
from comptoir.units.time import format_instant

WITHIN_S = 15.0
MOST_SUBJECT_LETTERS = 120


@dataclass(frozen=True, slots=True)
class MailSettings:
    """The operator's mail server. `security`: `starttls`, `tls` or `none`."""

    host: str
    sender: str
    port: int = 587
    security: str = "starttls"
    user: str = ""
    password: str = ""
    trust: ssl.SSLContext | None = None

    def check(self) -> None:
        """Let settings pass under which no password travels in the clear.

        Raises:
            Invalid: `mail_in_the_clear`.
        """
        local = self.host == "localhost" or is_loopback(self.host)
        if self.password and self.security == "none" and not local:
            raise Invalid(
                "mail_in_the_clear",
                f"the password for {self.host} would travel in the clear",
                "use --smtp-security starttls or tls",
            )


class MailFailed(Exception):
    """The mail was not taken; why, and the server's code if it gave one."""

    def __init__(self, why: str, code: int | None = None) -> None:
        super().__init__(why)
        self.code = code


def send_mail(settings: MailSettings, message: EmailMessage) -> int:
    """Hand a mail to the server; returns its code.

    Raises:
        MailFailed: it did not take it.
    """
    context = settings.trust or ssl.create_default_context()
    try:
        if settings.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=WITHIN_S, context=context
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=WITHIN_S)
        with server:
            if settings.security == "starttls":
                server.starttls(context=context)
            if settings.user:
                server.login(settings.user, settings.password)
            server.send_message(message)
            return 250
    except smtplib.SMTPRecipientsRefused as error:
        code, why = next(iter(error.recipients.values()))
        raise MailFailed(f"the address was refused: {_said(why)}", code) from None
    except smtplib.SMTPResponseException as error:
        raise MailFailed(
            f"the mail server refused it: {_said(error.smtp_error)}", error.smtp_code
        ) from None
    except (smtplib.SMTPException, OSError) as error:
        words = getattr(error, "strerror", None) or str(error)  # without its number
        raise MailFailed(f"the mail server did not take it: {_said(words)}") from None


def write_mail(
    settings: MailSettings, subscription: Subscription, notices: Sequence[Notice], at_ms: int
) -> EmailMessage:
    """The mail of these notices. A repetition has the same Message-ID."""
    first, last = notices[0], notices[-1]
    message = EmailMessage()
    message["Subject"] = _subject(notices)
    message["From"] = settings.sender
    message["To"] = subscription.target
    message["Date"] = format_datetime(datetime.fromtimestamp(at_ms // 1_000, UTC))
    ids = first.id if first is last else f"{first.id}-{last.id}"
    domain = settings.sender.rpartition("@")[2].rstrip(">") or "comptoir"
    message["Message-ID"] = f"<{ids}.{subscription.id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    parts = [_text(notice) for notice in notices]
    parts.append(
        f"Sent by Comptoir to the subscription {subscription.id}"
        f"{f' ({subscription.note})' if subscription.note else ''}.\n"
        f"To stop: comptoir mail delete {subscription.id}"
    )
    message.set_content("\n\n".join(parts) + "\n")
    return message


def _subject(notices: Sequence[Notice]) -> str:
    if len(notices) == 1:
        text = notices[0].says
    else:
        kinds = list(dict.fromkeys(notice.type for notice in notices))
        text = f"{len(notices)} notices: {', '.join(kinds)}"
    if len(text) > MOST_SUBJECT_LETTERS:
        text = text[: MOST_SUBJECT_LETTERS - 3] + "..."
    return f"[comptoir] {text}"


def _text(notice: Notice) -> str:
    lines = [notice.says]
    if notice.next:
        lines.append(f"next: {notice.next}")
    lines.append("")
    facts = {
        "notice": f"{notice.id} ({notice.type})",
        "at": format_instant(notice.at_ms),
        "subject": notice.subject,
        "tenant": notice.tenant_id or "the house",
        **{name: value for name, value in notice.data.items() if name not in ("says", "next")},
    }
    lines += [f"  {name}: {_value(value)}" for name, value in facts.items()]
    return "\n".join(lines)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        text = ", ".join(map(_value, value))
    elif isinstance(value, Mapping):
        text = ", ".join(f"{name} {_value(inner)}" for name, inner in value.items())
    else:
        text = "" if value is None else str(value)
    return "".join(letter if letter.isprintable() else " " for letter in text) or "-"


def _said(why: bytes | str) -> str:
    text = why.decode(errors="replace") if isinstance(why, bytes) else why
    return " ".join(text.split())[:200]
