"""The sender: each parcel by its subscription's kind, under the house's settings."""

import time
from collections.abc import Callable

from comptoir import __version__
from comptoir.desk.notice_port import Parcel, Sent
from comptoir.notices.mailing import MailFailed, MailSettings, send_mail, write_mail
from comptoir.notices.posting import Answer, Outside, PostFailed
from comptoir.notices.secrets import SigningKey, signature, write_secret
from comptoir.tenants.subscriptions import Subscription, SubscriptionKind
from comptoir.units.errors import ComptoirError, Refused
from comptoir.units.wire import dump

GONE = 410
_KEY_LOST = "the key that its secret was made from is not here: comptoir webhook rotate {id}"


class NoticeSender:
    """Implements `desk.notice_port.Sender`.

    Args:
        key: What secrets are made from.
        outside: Where webhooks may be.
        mail: The mail server; None if there is none.
        clock: Seconds that only go forward.
    """

    def __init__(
        self,
        key: SigningKey,
        outside: Outside,
        mail: MailSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = key
        self._outside = outside
        self._mail = mail
        self._clock = clock

    @property
    def key_mark(self) -> str:
        """The name of the key."""
        return self._key.mark

    def check(self, kind: SubscriptionKind, target: str) -> None:
        """Let a target pass that may be sent to."""
        if kind is SubscriptionKind.WEBHOOK:
            self._outside.judge(target)
        elif self._mail is None:
            raise _no_mail()

    def secret(self, subscription: Subscription) -> str | None:
        """The secret in use, for its receiver."""
        if subscription.kind is not SubscriptionKind.WEBHOOK:
            return None
        return write_secret(self._key.secret(subscription.id, subscription.generation))

    def send(self, parcel: Parcel, at_ms: int) -> Sent:
        """Send a parcel; what goes wrong is an answer."""
        began = self._clock()
        try:
            if parcel.subscription.kind is SubscriptionKind.MAIL:
                sent = self._send_mail(parcel, at_ms)
            else:
                sent = self._post(parcel, at_ms)
        except PostFailed as error:
            sent = Sent(False, None, str(error), 0)
        except MailFailed as error:
            sent = Sent(False, error.code, str(error), 0)
        except ComptoirError as error:
            sent = Sent(False, None, error.message, 0)
        took_ms = max(int((self._clock() - began) * 1_000), 0)
        return Sent(
            sent.delivered, sent.status, sent.detail, took_ms, sent.gone, sent.retry_after_ms
        )

    def _post(self, parcel: Parcel, at_ms: int) -> Sent:
        one, (notice,) = parcel.subscription, parcel.notices
        if one.key_mark != self._key.mark:
            return Sent(False, None, _KEY_LOST.format(id=one.id), 0, gone=True)
        body, at_s = dump(notice.document()), at_ms // 1_000
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"comptoir/{__version__}",
            "webhook-id": notice.id,
            "webhook-timestamp": str(at_s),
            "webhook-signature": signature(self._key.secrets_at(one, at_ms), notice.id, at_s, body),
        }
        return _judged(self._outside.post(one.target, headers, body))

    def _send_mail(self, parcel: Parcel, at_ms: int) -> Sent:
        if self._mail is None:
            raise _no_mail()
        message = write_mail(self._mail, parcel.subscription, parcel.notices, at_ms)
        code = send_mail(self._mail, message)
        return Sent(True, code, "", 0)


def _judged(answer: Answer) -> Sent:
    if 200 <= answer.status < 300:
        return Sent(True, answer.status, "", 0)
    detail = f"it answered {answer.status}"
    if answer.status < 400:
        detail += ", a redirect, which is not followed"
    gone = answer.status == GONE
    if gone:
        detail += ": it wants nothing more"
    return Sent(False, answer.status, detail, 0, gone, answer.retry_after_s * 1_000)


def _no_mail() -> Refused:
    return Refused(
        "mail_not_configured",
        "this server has no mail server to hand mail to",
        "the operator gives it one: comptoir up --smtp-host HOST --smtp-from ADDRESS",
    )
