"""Entitlements: given to a team or a group, and ended; and the policy of each class."""

from comptoir.desk.requests import EndEntitlement, SetEntitlement, SetPolicy
from comptoir.desk.transaction import Transaction
from comptoir.fleet.kinds import check_kind
from comptoir.leases.policy import ClassPolicy, check_policy
from comptoir.tenants.entitlements import ANYWHERE, Entitlement, check_tree
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import Conflict, Invalid, Refused
from comptoir.units.ids import EntitlementId
from comptoir.units.text import check_count, check_slug, check_text
from comptoir.units.time import Window, check_instant, format_instant
from comptoir.units.values import replace

MOST_ACCELERATORS = 10_000_000
MOST_SHARE_BPS = 10_000
MOST_ENTITLEMENTS_A_KIND = 2_000


def set_entitlement(tx: Transaction, request: SetEntitlement) -> Entitlement:
    """Entitle a team or a group to accelerators of a kind, beside what it has already.

    Raises:
        Invalid: `unknown_kind`, `out_of_range`, `bad_slug`, `end_before_start`,
            `start_in_the_past`, `whose_entitlement`, `not_a_team`.
        Conflict: `group_name_taken`, `two_parents`, `group_in_a_ring`.
        Refused: `more_than_the_group_has`, `too_many_entitlements`, `entitled_beyond_supply`,
            `sold_already`: it could not always be had.
    """
    row = _judge_words(tx, request)
    others = tx.book.entitlements_by_kind.get(row.kind)
    if len(others) >= MOST_ENTITLEMENTS_A_KIND:
        raise Refused(
            "too_many_entitlements",
            f"{row.kind} has {len(others):,} entitlements, the most there may be",
            "give a team one larger entitlement instead of many small ones",
        )
    check_tree([*others, row], tx.now_ms)
    tx.book.entitlements.put(row)
    _refuse_unrecoverable(tx, row)
    tx.emit(
        "entitlement.set", row.id, row.tenant_id, kind=row.kind, accelerators=row.accelerators,
        group=row.group, parent=row.parent, site=row.site, starts_at_ms=row.starts_at_ms,
        ends_at_ms=row.ends_at_ms,
    )  # fmt: skip
    return row


def _judge_words(tx: Transaction, request: SetEntitlement) -> Entitlement:
    starts = tx.now_ms if request.starts_at_ms is None else request.starts_at_ms
    for field, instant in (("starts_at", starts), ("ends_at", request.ends_at_ms)):
        if instant is not None:
            check_instant(field, instant)
    if starts < tx.now_ms:
        raise Invalid(
            "start_in_the_past",
            f"{format_instant(starts)} has passed",
            "give a later instant, or none for now",
        )
    window = Window(starts, request.ends_at_ms)
    if bool(request.group) is (request.tenant_id is not None):
        raise Invalid(
            "whose_entitlement",
            "an entitlement is a team's or a group's",
            "name the team, or the group, and not both",
        )
    team = None if request.tenant_id is None else tx.tenant(request.tenant_id)
    if team is not None and not team.is_internal:
        raise Invalid(
            "not_a_team",
            f"{team.slug} is a customer: what it may count on is a reserved lease",
            "entitle an internal team",
        )
    for name in (request.group, request.parent):
        _check_group(tx, name)
    check_count("accelerators", request.accelerators, 1, MOST_ACCELERATORS)
    if request.lend_limit is not None and request.lend_limit > request.accelerators:
        raise Invalid(
            "out_of_range",
            f"lend_limit must be 0 to {request.accelerators:,}, all of it, not "
            f"{request.lend_limit:,}",
            "lend no more than it has, or leave the limit out for all",
            {"field": "lend_limit", "smallest": 0, "largest": request.accelerators},
        )
    limits = [
        None if limit is None else check_count(field, limit, 0, MOST_ACCELERATORS)
        for field, limit in (
            ("lend_limit", request.lend_limit),
            ("borrow_limit", request.borrow_limit),
        )
    ]
    return Entitlement(
        EntitlementId(tx.new_id("en")),
        None if team is None else team.id,
        request.group,
        request.parent,
        check_kind(request.kind),
        check_text("site", request.site, 0, 64),
        request.accelerators,
        window.start_ms,
        window.end_ms,
        limits[0],
        limits[1],
        check_count("lender_share_bps", request.lender_share_bps, 0, MOST_SHARE_BPS),
        tx.actor.user_id,
        tx.now_ms,
    )


def _check_group(tx: Transaction, name: str) -> None:
    if name and tx.book.tenant_by_slug.first(check_slug("group", name)) is not None:
        raise Conflict(
            "group_name_taken",
            f"{name!r} is a tenant: a group is called otherwise than its members",
            "choose another name for the group",
        )


def _refuse_unrecoverable(tx: Transaction, row: Entitlement) -> None:
    """Nothing is given that could not always be had, by taking back what may be taken back."""
    book = tx.book.headroom.book(row.kind, tx.now_ms)
    if book is None:
        return
    window = Window(row.starts_at_ms, row.ends_at_ms)
    for place in sorted({row.site, ANYWHERE}, reverse=True):
        left, at_ms = book.room[place].lowest(window)
        if left >= 0:
            continue
        given = book.supplied[place].at(at_ms) - book.unentitled[place].at(at_ms)
        facts = {
            "at": format_instant(at_ms), "supplied": book.supplied[place].at(at_ms),
            "entitled": given, "sold": book.unentitled[place].at(at_ms) - left, "short": -left,
        }  # fmt: skip
        said = (
            f"at {format_instant(at_ms)}, {facts['supplied']:,} x {book.kind} are supplied"
            f"{f' at {place}' if place else ''}, {given:,} would be entitled"
        )
        step = f"entitle {-left:,} less, end it before that, or bring more supply"
        if facts["sold"]:
            sold = f" and {facts['sold']:,} are sold for good: {-left:,} too many"
            raise Refused("sold_already", said + sold, step, facts)
        raise Refused("entitled_beyond_supply", f"{said}: {-left:,} too many", step, facts)


def end_entitlement(tx: Transaction, request: EndEntitlement) -> Entitlement:
    """End an entitlement, now or later; one that has not begun is withdrawn.

    Raises:
        NotFound: there is none.
        Conflict: `entitlement_over`.
        Invalid: `end_in_the_past`.
        Refused: `more_than_the_group_has`: members have shares of it beyond that instant.
    """
    row = tx.book.entitlements.get(request.entitlement_id)
    if row is None:
        raise not_found(f"entitlement {request.entitlement_id}")
    if row.ends_at_ms is not None and row.ends_at_ms <= tx.now_ms:
        raise Conflict("entitlement_over", f"{row.id} ended at {format_instant(row.ends_at_ms)}")
    ends = tx.now_ms if request.ends_at_ms is None else request.ends_at_ms
    check_instant("ends_at", ends)
    if ends < tx.now_ms:
        raise Invalid(
            "end_in_the_past",
            f"{format_instant(ends)} has passed",
            "give a later instant, or none for now",
        )
    ended = tx.book.entitlements.put(replace(row, ends_at_ms=max(ends, row.starts_at_ms)))
    check_tree(tx.book.entitlements_by_kind.get(row.kind), tx.now_ms)
    if row.ends_at_ms is not None and ends > row.ends_at_ms:
        _refuse_unrecoverable(tx, ended)
    tx.emit("entitlement.ended", row.id, row.tenant_id, ends_at_ms=ended.ends_at_ms)
    return ended


def set_policy(tx: Transaction, request: SetPolicy) -> ClassPolicy:
    """Settle the notice, the minimum runtime and the ageing of a class, from now on.

    Raises:
        Invalid: `out_of_range`.
    """
    known = tx.book.policy(request.lease_class)
    given = {
        name: value
        for name in ("notice_s", "minimum_runtime_s", "ageing_s")
        if (value := getattr(request, name)) is not None
    }
    policy = tx.book.policies.put(check_policy(replace(known, **given)))
    tx.emit("policy.set", policy.lease_class, None, **given)
    return policy
