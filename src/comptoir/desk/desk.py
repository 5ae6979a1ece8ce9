"""The desk itself: a batch of calls in, one commit, their outcomes out.

Load, decide, commit. `Desk.execute` is synchronous and single-threaded; `queue.py`
runs it live on the one writer thread, the simulator calls it directly. Memory and
store never disagree: a refused call is undone to its mark, a failed commit is undone
whole, an unknown commit is settled by reading the store again, at once or as soon as the
store answers. An operation that fails by a bug is undone like a refused one and the others
go on; a broken invariant stops the desk.
"""

import hashlib
import hmac
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from comptoir.desk.memory import Memory
from comptoir.desk.operations import OPERATIONS
from comptoir.desk.operations.users import hash_secret
from comptoir.desk.ports import (
    Changes,
    Clock,
    CommitUnknown,
    Entropy,
    Event,
    StaleBook,
    Store,
    StoredAnswer,
)
from comptoir.desk.requests import IssuedKey
from comptoir.desk.transaction import Transaction
from comptoir.placement.backend import PLAIN, Backend
from comptoir.tenants.parties import SYSTEM, Actor
from comptoir.tenants.permissions import Permission, require
from comptoir.units.errors import (
    ComptoirError,
    Forbidden,
    Invalid,
    InvariantBroken,
    Unauthenticated,
    Unavailable,
)
from comptoir.units.time import format_instant
from comptoir.units.values import quick

log = logging.getLogger("comptoir.desk")

Encode = Callable[[Any], tuple[int, bytes]]
"""A door's way to put a value or a `ComptoirError` on the wire: (status, body)."""


Heard = Callable[[Sequence[Event]], object]
"""Who is told of committed events."""


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A caller's key for one write, and the digest of what it asked."""

    key: str
    request_sha256: str


@quick
@dataclass(frozen=True, slots=True)
class Call:
    """One operation asked of the desk by one actor."""

    operation: str
    request: Any
    actor: Actor = SYSTEM
    idempotency: Idempotency | None = None
    encode: Encode | None = None


@quick
@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: a value, a no, or the answer that was given before."""

    value: Any = None
    error: ComptoirError | None = None
    stored: StoredAnswer | None = None

    def unwrap(self) -> Any:
        """The value; a no is raised."""
        if self.error is not None:
            raise self.error
        return self.value


class Desk:
    """The one writer of a book."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        entropy: Entropy,
        checkers: frozenset[str] = frozenset(),
    ) -> None:
        self.store = store
        self.clock = clock
        self.entropy = entropy
        self.checkers = checkers
        self.kernels = PLAIN
        """What placement runs on: the same plans either way (`kernel_threads.py`)."""
        self.book = Memory()
        self.broken: str = ""
        """Why this desk may write no more; empty while it may."""
        self._now_ms = 0
        self._turn_bug = ""
        self._unsettled = False
        self._listeners: list[Heard] = []
        self.reload()

    def listen(self, heard: Heard) -> None:
        """Call `heard` with the events of every commit, in order, once they are durable.

        With none at all it is called after the book was read again: what was committed in
        between is in the store. It runs on the desk's thread; it must not block.
        """
        self._listeners.append(heard)

    def reload(self) -> None:
        """Read the live book from the store, dropping whatever memory holds."""
        book, loaded = Memory(self.kernels), self.store.load()
        book.load(loaded)
        self.book = book
        self._unsettled = False
        self._now_ms = max(self._now_ms, loaded.last_at_ms)
        self._tell(())

    def use(self, kernels: Backend) -> None:
        """Plan with other kernels from now on; on the thread that calls `execute`."""
        self.kernels = kernels
        self.book.snapshot.use(kernels)

    def now_ms(self) -> int:
        """The desk's instant: the clock's, but never earlier than what the book has seen."""
        self._now_ms = max(self._now_ms, self.clock.now_ms())
        return self._now_ms

    def authenticate(self, secret: str) -> Actor:
        """Who holds this key. Safe to call from any thread.

        Raises:
            Unauthenticated: `key_unknown`, `key_expired` or `key_revoked`.
        """
        unknown = Unauthenticated(
            "key_unknown", "this API key is not known here", "log in with a key of this server"
        )
        parts = secret.split("_")
        if len(parts) < 3 or parts[0] != "ck":
            raise unknown
        key = self.book.keys_by_prefix.first(parts[1])
        if key is None or not hmac.compare_digest(key.secret_sha256, hash_secret(secret)):
            raise unknown
        now_ms = self.clock.now_ms()
        user = self.book.users[key.user_id]
        if key.revoked_at_ms is not None or user.disabled:
            raise Unauthenticated("key_revoked", f"{key.id} was revoked", "ask for a new key")
        if key.expires_at_ms is not None and key.expires_at_ms <= now_ms:
            raise Unauthenticated(
                "key_expired",
                f"{key.id} expired at {format_instant(key.expires_at_ms)}",
                "ask for a new key",
            )
        return Actor(user.id, key.id, user.tenant_id, user.roles)

    def call(self, operation: str, request: Any, actor: Actor = SYSTEM) -> Any:
        """Execute one call alone and give its value; a no is raised."""
        return self.execute([Call(operation, request, actor)])[0].unwrap()

    def execute(self, calls: Sequence[Call]) -> list[Outcome]:
        """Execute a batch of calls, in order, in one commit.

        Returns:
            One outcome a call. If the commit fails, every call that wanted to write
            gets the failure, and the book is as it was before.
        """
        new_answers: list[StoredAnswer] = []
        try:
            if self.broken:
                raise self._stopped()
            if self._unsettled:
                self.reload()
            now_ms = self.now_ms()
            self.book.snapshot.advance(now_ms)
            answers = self._known_answers(calls)
        except Unavailable as error:
            return [Outcome(error=error) for _ in calls]
        try:
            outcomes = [self._one(call, now_ms, answers, new_answers) for call in calls]
        except Exception as error:
            self.book.journal.undo_to((0, 0))
            self.broken = f"{type(error).__name__}: {error}"
            raise
        failure = self._commit(new_answers)
        if failure is None:
            return outcomes
        return [
            outcome
            if outcome.stored and outcome.stored not in new_answers
            else Outcome(error=failure)
            for outcome in outcomes
        ]

    def _known_answers(self, calls: Sequence[Call]) -> dict[tuple[str, str], StoredAnswer]:
        keys = [(call.actor.user_id, call.idempotency.key) for call in calls if call.idempotency]
        return dict(self.store.find_answers(keys)) if keys else {}

    def _one(
        self,
        call: Call,
        now_ms: int,
        answers: dict[tuple[str, str], StoredAnswer],
        new_answers: list[StoredAnswer],
    ) -> Outcome:
        scope = call.actor.user_id
        if call.idempotency and (scope, call.idempotency.key) in answers:
            return _replay(answers[scope, call.idempotency.key], call.idempotency)
        answer = None
        mark = self.book.journal.mark()
        counter, seqs = self.book.counter, dict(self.book.last_seq)
        version = self.book.snapshot.version
        try:
            operation = OPERATIONS[call.operation]
            if operation.permission is Permission.SYSTEM and not call.actor.is_system:
                raise Forbidden("system_only", f"{call.operation} is the desk's own")
            require(call.actor, operation.permission)
            tx = Transaction(self.book, self.store, self.entropy, call.actor, now_ms, self.checkers)
            outcome = Outcome(value=operation.run(tx, call.request))
            if call.operation == "turn":
                self._turn_bug = ""  # if it comes back, that is news
            answer = _answer(call, outcome, now_ms)
        except InvariantBroken:
            raise
        except Exception as error:
            self.book.journal.undo_to(mark)
            self.book.counter, self.book.last_seq = counter, seqs
            if call.operation != "turn":  # which remembers what it has tried, at which version
                self.book.snapshot.version = version
            outcome = Outcome(error=self._no(error, call.operation))
            answer = _answer_no(call, outcome, now_ms)
        if answer is not None:
            answers[scope, answer.key] = answer
            new_answers.append(answer)
        return outcome

    def _no(self, error: Exception, operation: str) -> ComptoirError:
        """The answer to a call that failed; a turn that fails again and again is told once."""
        bug = f"{type(error).__name__}: {error}"
        if operation == "turn":
            if bug == self._turn_bug:
                return _a_no(error, operation)
            self._turn_bug = bug
        return _no(error, operation)

    def _commit(self, new_answers: list[StoredAnswer]) -> ComptoirError | None:
        book = self.book
        if not book.journal and not new_answers:
            return None
        rows, appended = book.journal.drain()
        changes = Changes(book.version, book.counter, rows, appended, new_answers)
        try:
            self.store.commit(changes)
        except StaleBook:
            self.broken = "another desk has written to this book"
            return self._stopped()
        except CommitUnknown as error:
            return self._settle(changes, str(error))
        except Exception as error:
            book.journal.undo_to((0, 0))
            self.book.last_seq = _seqs_before(book, appended)
            return _no(error, "commit")
        book.version += 1
        book.journal.clear()
        book.publish(rows)
        book.evict_ended(rows)
        if appended.get("event"):
            self._tell(appended["event"])
        return None

    def _tell(self, events: Sequence[Event]) -> None:
        """What listeners do with it is their own: a failing one harms neither book nor others."""
        for heard in self._listeners:
            try:
                heard(events)
            except Exception:
                log.exception("a listener failed")

    def _settle(self, changes: Changes, what: str) -> ComptoirError | None:
        """After a commit that may or may not have happened: the store knows."""
        tried = dict(self.book.last_seq)
        try:
            self.reload()
        except Exception as error:
            log.warning("the store does not answer after a commit: %s", error)
            self._unsettled, self.book.settled = True, False
            return Unavailable(
                "store_unavailable",
                f"it is not known whether this was written: {what}",
                "ask again with the same idempotency key",
                retry_after_s=2,
            )
        if self.book.version == changes.expected_version:
            return Unavailable("store_unavailable", f"nothing was written: {what}", "try again")
        ours = self.book.version == changes.expected_version + 1
        if ours and (self.book.counter, self.book.last_seq) == (changes.counter, tried):
            return None
        self.broken = "another desk has written to this book"
        return self._stopped()

    def _stopped(self) -> Unavailable:
        return Unavailable("desk_stopped", self.broken, "restart the server", retry_after_s=5)


def _no(error: Exception, what: str) -> ComptoirError:
    """The answer to a call that failed: its own no, or a bug, told in the log."""
    if not isinstance(error, ComptoirError):
        log.error("%s failed", what, exc_info=error)
    return _a_no(error, what)


def _a_no(error: Exception, what: str) -> ComptoirError:
    if isinstance(error, ComptoirError):
        return error
    return Unavailable("internal_error", f"{what} failed by a bug; nothing was written", "tell us")


def _replay(stored: StoredAnswer, idempotency: Idempotency) -> Outcome:
    if stored.request_sha256 != idempotency.request_sha256:
        return Outcome(
            error=Invalid(
                "idempotency_key_reused",
                f"the idempotency key {idempotency.key!r} was used for another request",
                "use a new key for a new request",
            )
        )
    return Outcome(stored=stored)


def _answer_no(call: Call, outcome: Outcome, now_ms: int) -> StoredAnswer | None:
    """The answer kept of a no; none of "not now", nor of one that cannot be put on the wire."""
    if isinstance(outcome.error, Unavailable):
        return None
    try:
        return _answer(call, outcome, now_ms)
    except Exception:
        log.exception("%s: its refusal cannot be encoded and is not kept", call.operation)
        return None


def _answer(call: Call, outcome: Outcome, now_ms: int) -> StoredAnswer | None:
    """The answer kept of a call, for the next time it comes."""
    if call.idempotency is None or call.encode is None:
        return None
    said = outcome.error or outcome.value
    if isinstance(said, IssuedKey):
        said = IssuedKey(said.key, None)  # a secret is shown once and never stored
    status, body = call.encode(said)
    return StoredAnswer(
        call.actor.user_id,
        call.idempotency.key,
        call.idempotency.request_sha256,
        status,
        body,
        now_ms,
    )


def _seqs_before(book: Memory, appended: dict[str, list[Any]]) -> dict[str, int]:
    seqs = dict(book.last_seq)
    for table, values in appended.items():
        firsts = [value.seq for value in values if hasattr(value, "seq")]
        if firsts:
            seqs[table] = min(firsts) - 1
    return seqs


def digest(*parts: bytes) -> str:
    """The digest that tells two requests under one idempotency key apart."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
