"""The types of notices: one line for each event that people and machines are told of.

To add one: emit the event with its numbers, and describe it here: what it says, what to do
next, and its fields. The feed, webhooks, mails and the JSON Schema follow from this table
(`python -m comptoir.desk.notices` writes the schema again). A change that an old reader would
misunderstand (a field that is gone, or means something else) raises the type's `version`; a
new field does not.
"""

from comptoir.desk.notice_fields import (
    COUNT,
    DECIMAL,
    FLAG,
    INSTANT,
    LONG,
    MONEY,
    WORD,
    WORDS,
    Fields,
    NoticeType,
    maybe,
)

_LEASE: Fields = {"kind": WORD, "accelerators": COUNT, "lease_class": WORD, "name": WORD}
_SIZE = "{subject} ({accelerators:,} x {kind}, {lease_class})"
_SHOW = "comptoir lease show {subject}"
_WHY = "comptoir lease why {subject}"
_JOB: Fields = {"lease": WORD, "exit_code": maybe(COUNT), "attempts": COUNT, "detail": WORD}
_RECLAIM: Fields = {"reclaimed_for": maybe(WORD), "why": WORD, "cost_accelerator_ms": LONG}
_OPENING: Fields = {
    "entity": WORD, "name": WORD, "cut_over_ms": INSTANT, "items": COUNT, "sha256": WORD,
}  # fmt: skip
_BUDGET: Fields = {
    "project": WORD,
    "currency": WORD,
    "amount_micros": MONEY,
    "spent_micros": MONEY,
    "percent": COUNT,
    "when_spent": WORD,
}
_PLACES: Fields = {"nodes": WORDS, "ends_at_ms": maybe(INSTANT)}
_GROUND: Fields = {"lent": FLAG, "borrowed": FLAG}

NOTICE_TYPES: dict[str, NoticeType] = {
    # A lease from its promise to its end.
    "lease.scheduled": NoticeType(
        f"{_SIZE} is promised, and starts at {{starts_at}}",
        f"it starts by itself; {_SHOW}",
        {**_LEASE, **_PLACES, **_GROUND, "starts_at_ms": INSTANT, "why": WORD},
    ),
    "lease.active": NoticeType(
        f"{_SIZE} has its accelerators",
        "put work on it: comptoir job submit {subject} -- COMMAND",
        {**_LEASE, **_PLACES, "notice_s": COUNT},
    ),
    "lease.held": NoticeType(
        f"{_SIZE} is kept for you until {{hold_until}}",
        "say yes: comptoir lease confirm {subject}",
        {
            **_LEASE,
            **_PLACES,
            **_GROUND,
            "starts_at_ms": INSTANT,
            "hold_until_ms": INSTANT,
            "hold_firm": FLAG,
            "why": WORD,
        },
    ),
    "lease.ending": NoticeType(
        f"{_SIZE} ends at {{ends_at}}; longer costs {{per_hour}} {{currency}} an hour",
        "comptoir lease extend {subject} --ends INSTANT (bound: {extendable_until})",
        {
            **_LEASE,
            "ends_at_ms": INSTANT,
            "notice_s": COUNT,
            "extendable_until_ms": maybe(INSTANT),
            "price_nanos": DECIMAL,
            "per_hour_micros": MONEY,
            "currency": WORD,
        },
    ),
    "lease.shrunk": NoticeType(
        f"{_SIZE} keeps {{accelerators_left:,}}, the rest was given back",
        _SHOW,
        {**_LEASE, "accelerators_left": COUNT, "nodes": WORDS},
    ),
    "lease.extended": NoticeType(
        f"{_SIZE} now ends at {{ends_at}}", _SHOW, {**_LEASE, "ends_at_ms": INSTANT}
    ),
    "lease.restated": NoticeType(
        f"{_SIZE} now counts as {{counts_as}}",
        f"how its team stands: comptoir entitlement show; {_SHOW}",
        {**_LEASE, **_GROUND, "counts_as": WORD},
    ),
    "lease.reclaim_planned": NoticeType(
        f"{_SIZE} will be taken back at {{until}} at the latest, after its {{notice_s:,}} s notice",
        f"save your work often from now on; {_SHOW}",
        {**_LEASE, **_RECLAIM, "until_ms": INSTANT, "notice_s": COUNT},
    ),
    "lease.reclaim_dropped": NoticeType(
        f"{_SIZE} stays: it is not taken back after all",
        _SHOW,
        {**_LEASE, "reclaimed_for": maybe(WORD)},
    ),
    "lease.reclaiming": NoticeType(
        f"{_SIZE} is being taken back ({{reason}}); everything on it is ended at {{kill_at}}",
        f"save your work within {{notice_s:,}} s; {_SHOW}",
        {
            **_LEASE,
            "reason": WORD,
            "kill_at_ms": INSTANT,
            "notice_s": COUNT,
            "comes_back": FLAG,
            "reclaimed_for": maybe(WORD),
        },
    ),
    "lease.waiting": NoticeType(
        f"{_SIZE} waits for accelerators again ({{reason}})", _WHY, {**_LEASE, "reason": WORD}
    ),
    "lease.node_lost": NoticeType(
        f"{_SIZE} lost {{lost:,}} of its accelerators on {{node}} ({{cause}}: {{because}}); they "
        "are not billed from {undelivered_from} on",
        f"another node takes their place if there is one in your shape; {_SHOW}",
        {
            **_LEASE,
            "node": WORD,
            "cause": WORD,
            "because": WORD,
            "lost": COUNT,
            "undelivered_from_ms": INSTANT,
        },
    ),
    "lease.node_replaced": NoticeType(
        f"{_SIZE} has {{replaced:,}} of its accelerators on {{node}} now; {{still_lost:,}} are "
        "still lost",
        f"its job starts again by itself; {_SHOW}",
        {**_LEASE, "node": WORD, "replaced": COUNT, "still_lost": COUNT},
    ),
    "lease.moved": NoticeType(
        f"{_SIZE} has {{moved:,}} of its accelerators on other nodes now: {{because}}; the old "
        "ones are to be left by {until}",
        f"its job starts again by itself; {_SHOW}",
        {
            **_LEASE,
            "moved": COUNT,
            "left": WORDS,
            "nodes": WORDS,
            "running": FLAG,
            "until_ms": INSTANT,
            "notice_s": COUNT,
            "because": WORD,
        },
    ),
    "lease.maintenance_announced": NoticeType(
        f"{{node}}, on which {_SIZE} stands, is taken for planned work at {{from}}: {{because}}",
        "its work moves {notice_s:,} s before that if there is another node in its shape",
        {
            **_LEASE,
            "node": WORD,
            "because": WORD,
            "from_ms": INSTANT,
            "until_ms": maybe(INSTANT),
            "notice_s": COUNT,
        },
    ),
    "lease.node_rejected": NoticeType(
        f"{{node}} was sent back by the holder of {_SIZE}: {{because}}",
        f"another takes its place if there is one; {_SHOW}",
        {**_LEASE, "node": WORD, "because": WORD, "billed": FLAG},
    ),
    "breach.opened": NoticeType(
        "{accelerators:,} accelerators promised to {lease} are not delivered from {broken_from} on "
        "({cause})",
        "it is recorded for your credit: comptoir lease breaches {lease}",
        {
            "lease": WORD,
            "node": WORD,
            "cause": WORD,
            "accelerators": COUNT,
            "broken_from_ms": INSTANT,
        },
    ),
    "breach.closed": NoticeType(
        "what {lease} was promised is delivered again or over; {accelerator_ms} accelerator-ms "
        "were not delivered ({cause})",
        "comptoir lease breaches {lease}",
        {
            "lease": WORD,
            "node": WORD,
            "cause": WORD,
            "accelerator_ms": LONG,
            "replaced_by": maybe(WORD),
        },
    ),
    "lease.ended": NoticeType(
        f"{_SIZE} has ended ({{reason}})",
        "its files are kept: comptoir job list --lease {subject}",
        {**_LEASE, "reason": WORD},
    ),
    "lease.cancelled": NoticeType(
        f"{_SIZE} was cancelled ({{reason}})", "request another", {**_LEASE, "reason": WORD}
    ),
    "lease.refused": NoticeType(
        f"{_SIZE} was not placed in time and is refused ({{reason}})",
        "request it for another window, or in a wider shape",
        {**_LEASE, "reason": WORD},
    ),
    "lease.broken": NoticeType(
        f"{_SIZE} is broken: what was promised could not be kept ({{reason}})",
        "it is credited without your asking; request another",
        {**_LEASE, "reason": WORD},
    ),
    # Contracts.
    "contract.approved": NoticeType(
        "{number} version {version} with {party} is approved, in force from {effective_from} on",
        "comptoir contract show {number}",
        {
            "number": WORD,
            "version": COUNT,
            "direction": WORD,
            "party": WORD,
            "effective_from_ms": INSTANT,
            "until_ms": INSTANT,
        },
    ),
    "contract.acted": NoticeType(
        "{number}: {act} {about}, effective {effective_at}",
        "comptoir contract show {number}",
        {"number": WORD, "act": WORD, "about": WORD, "effective_at_ms": INSTANT, "note": WORD},
    ),
    # Jobs.
    "job.succeeded": NoticeType(
        "{subject} succeeded on {lease}", "comptoir job pull {subject}", _JOB
    ),
    "job.failed": NoticeType(
        "{subject} failed on {lease} (exit code {exit_code}): {detail}",
        "comptoir job logs {subject}",
        _JOB,
    ),
    "job.cancelled": NoticeType(
        "{subject} was cancelled on {lease}: {detail}", "comptoir job show {subject}", _JOB
    ),
    # Nodes and supply: the house's.
    "node.draining": NoticeType(
        "{subject} ({name}) is given nothing new", "comptoir fleet resume {subject}", {"name": WORD}
    ),
    "node.in_service": NoticeType(
        "{subject} ({name}) is in service again", "comptoir fleet nodes", {"name": WORD}
    ),
    "node.failed": NoticeType(
        "{subject} ({name}) failed at {failed_at}: {because}",
        "when it works again: comptoir fleet repair {subject}",
        {
            "name": WORD,
            "cause": WORD,
            "because": WORD,
            "failed_at_ms": INSTANT,
            "leases": WORDS,
        },
    ),
    "node.unknown": NoticeType(
        "{subject} ({name}) was last seen at {last_seen}: {because}",
        "it counts as failed from {failed_from} on; comptoir fleet fail {subject} says so now",
        {"name": WORD, "because": WORD, "last_seen_ms": INSTANT, "failed_from_ms": INSTANT},
    ),
    "node.checking": NoticeType(
        "{subject} ({name}) is in quarantine until its checks pass: {because}",
        "comptoir fleet checks {subject}",
        {"name": WORD, "because": WORD},
    ),
    "node.maintenance": NoticeType(
        "{subject} ({name}) is in maintenance: {because}",
        "comptoir fleet resume {subject} ends it early",
        {"name": WORD, "because": WORD},
    ),
    "supply.end_set": NoticeType(
        "{subject} ends at {ends_at}: what stands on it is off by then",
        "comptoir supply show {subject}",
        {"ends_at_ms": INSTANT},
    ),
    "supply.ended": NoticeType(
        "{subject} has ended and its nodes have left",
        "comptoir supply list",
        {"ends_at_ms": maybe(INSTANT)},
    ),
    # Tenants and money.
    "tenant.suspended": NoticeType(
        "{slug} is suspended: its leases are taken back", "ask the operator", {"slug": WORD}
    ),
    "tenant.resumed": NoticeType(
        "{slug} may lease again", "comptoir lease request --help", {"slug": WORD}
    ),
    "quota.set": NoticeType(
        "the quota is now {accelerators:,} x {kind}",
        "comptoir quota show {subject}",
        {"kind": WORD, "accelerators": COUNT},
    ),
    "admission.invited": NoticeType(
        "{entity} invites you to its terms {terms_version}",
        "say yes: comptoir admission accept {subject} --terms {terms_version}",
        {"entity": WORD, "terms_version": WORD},
    ),
    "admission.accepted": NoticeType(
        "{subject} accepted the terms {terms_version}",
        "sales screens it: comptoir admission screen {subject}",
        {"terms_version": WORD, "accepted_by": WORD},
    ),
    "admission.admitted": NoticeType(
        "{subject} is admitted; its credit limit is {limit} {currency}",
        "comptoir admission show {subject}",
        {"limit_micros": maybe(MONEY), "currency": WORD, "terms_version": WORD},
    ),
    "admission.refused": NoticeType(
        "{subject} is not admitted: {because}",
        "comptoir admission show {subject}",
        {"because": WORD},
    ),
    "credit.low": NoticeType(
        "{left} {currency} of the credit limit of {limit} is left beside {prepaid} prepaid",
        "pay, top up, or ask for a higher limit: comptoir admission credit {subject}",
        {
            "currency": WORD,
            "limit_micros": MONEY,
            "owed_micros": MONEY,
            "left_micros": MONEY,
            "prepaid_micros": MONEY,
        },
    ),
    "budget.warned": NoticeType(
        "{percent} % of the budget {subject} is spent or held; spent is {spent} of "
        "{amount} {currency}",
        "comptoir budget show {subject}",
        _BUDGET,
    ),
    "budget.exhausted": NoticeType(
        "the budget {subject} is spent: {spent} of {amount} {currency} ({when_spent})",
        "raise it, or end work: comptoir budget show {subject}",
        _BUDGET,
    ),
    "invoice.issued": NoticeType(
        "invoice {number} of {total} {currency} was issued",
        "comptoir invoice show {number}",
        {"number": WORD, "total_micros": MONEY, "currency": WORD},
    ),
    "prepayment.issued": NoticeType(
        "prepayment invoice {number} of {total} {currency} was issued",
        "comptoir invoice show {number}",
        {"number": WORD, "total_micros": MONEY, "currency": WORD},
    ),
    "invoice.paid": NoticeType(
        "invoice {number} is paid: {amount} {currency} came in",
        "comptoir invoice show {number}",
        {"number": WORD, "micros": MONEY, "open_micros": MONEY, "currency": WORD},
    ),
    "invoice.part_paid": NoticeType(
        "{amount} {currency} of invoice {number} came in; {open} are still asked",
        "comptoir invoice show {number}",
        {"number": WORD, "micros": MONEY, "open_micros": MONEY, "currency": WORD},
    ),
    "invoice.reopened": NoticeType(
        "a payment of invoice {number} was taken back by the bank: {amount} {currency} of it; "
        "{open} are asked",
        "pay it again: comptoir invoice show {number}",
        {"number": WORD, "micros": MONEY, "open_micros": MONEY, "currency": WORD},
    ),
    "invoice.overdue": NoticeType(
        "{step}: {amount} {currency} of invoice {number} were due on {due_at}",
        "pay it, or say which line is not owed: comptoir dispute open {number}",
        {
            "number": WORD,
            "step": WORD,
            "due_at_ms": INSTANT,
            "micros": MONEY,
            "disputed_micros": MONEY,
            "currency": WORD,
        },
    ),
    "dispute.opened": NoticeType(
        "line {line} of invoice {number} is disputed: {amount} {currency}, {reason}",
        "comptoir dispute list",
        {"number": WORD, "line": COUNT, "micros": MONEY, "currency": WORD, "reason": WORD},
    ),
    "dispute.upheld": NoticeType(
        "{subject} is upheld: {amount} {currency} of invoice {number} are credited",
        "comptoir credit-note list --invoice {number}",
        {"number": WORD, "line": COUNT, "micros": MONEY, "currency": WORD, "resolution": WORD},
    ),
    "dispute.rejected": NoticeType(
        "{subject} is rejected: {resolution}",
        "comptoir invoice show {number}",
        {"number": WORD, "line": COUNT, "micros": MONEY, "currency": WORD, "resolution": WORD},
    ),
    "credit.sla": NoticeType(
        "{amount} {currency} are credited for broken guarantees in {period}",
        "nothing: the invoice of {period} has it",
        {
            "period": WORD,
            "contract": WORD,
            "micros": MONEY,
            "currency": WORD,
            "promised_accelerator_ms": LONG,
            "broken_accelerator_ms": LONG,
            "down_accelerator_ms": LONG,
            "breaches": WORDS,
            "because": WORDS,
        },
    ),
    "credit.billed_while_down": NoticeType(
        "{amount} {currency} are given back: they were billed after a failure that was known late",
        "nothing: the invoice of {period} has it",
        {
            "period": WORD,
            "micros": MONEY,
            "currency": WORD,
            "breach": WORD,
            "billed_accelerator_ms": LONG,
            "because": WORDS,
        },
    ),
    "credit.topped_up": NoticeType(
        "{amount} {currency} of prepaid credit, from {from} on",
        "comptoir invoice list",
        {"micros": MONEY, "currency": WORD, "payment": WORD, "from_ms": INSTANT},
    ),
    "credit_note.issued": NoticeType(
        "credit note {number} gives back {total} {currency} of {invoice}: {reason}",
        "comptoir credit-note show {number}",
        {
            "number": WORD,
            "invoice": WORD,
            "total_micros": MONEY,
            "currency": WORD,
            "reason": WORD,
        },
    ),
    "credit.expired": NoticeType(
        "{amount} {currency} of credit ({source}) expired unused",
        "comptoir invoice list",
        {"amount_micros": MONEY, "currency": WORD, "source": WORD},
    ),
    "opening.proposed": NoticeType(
        "{entity} would move in with {name}: {items:,} items",
        "another person: comptoir import approve {subject}",
        _OPENING,
    ),
    "opening.approved": NoticeType(
        "{name} of {entity} is being brought", "comptoir import show {subject}", _OPENING
    ),
    "opening.brought": NoticeType(
        "{entity} has moved in: {items:,} items of {name} are brought",
        "comptoir import show {subject} --items",
        _OPENING,
    ),
    "opening.withdrawn": NoticeType(
        "{name} of {entity} was withdrawn", "comptoir import opening FILE", _OPENING
    ),
    "period.closing": NoticeType(
        "{period} of {entity} is being closed",
        "comptoir period list",
        {"entity": WORD, "period": WORD},
    ),
    "period.closed": NoticeType(
        "{period} of {entity} is closed: {drafts:,} drafts of {tenants:,} tenants",
        "comptoir invoice list --drafts --period {period}",
        {"entity": WORD, "period": WORD, "drafts": COUNT, "tenants": COUNT},
    ),
    # Subscriptions.
    "subscription.disabled": NoticeType(
        "the {kind} {subject} to {place} is disabled: {reason}",
        "mend its receiver, then: comptoir {kind} enable {subject}",
        {"kind": WORD, "place": WORD, "failures": COUNT, "reason": WORD},
    ),
    "subscription.tested": NoticeType(
        "a test of the {kind} {subject} to {place}",
        "nothing: it has arrived",
        {"kind": WORD, "place": WORD},
        directed=True,
    ),
    "chargeback.issued": NoticeType(
        "chargeback statement {number} of {total} {currency} was issued",
        "comptoir invoice show {number}",
        {"number": WORD, "total_micros": MONEY, "currency": WORD},
    ),
}
