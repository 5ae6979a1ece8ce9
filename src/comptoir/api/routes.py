"""Every route of the API: where, for whom, what it answers. The one table of it.

A permission says who may call at all; what an actor then sees or changes is narrowed
to its own tenant by the desk and by the views. `PUBLIC` needs no key.
"""

from comptoir.api.close_routes import CLOSE_ROUTES
from comptoir.api.contract_routes import CONTRACT_ROUTES
from comptoir.api.entity_routes import ENTITY_ROUTES
from comptoir.api.handlers import (
    batches,
    clock,
    entitlements,
    failures,
    files,
    jobs,
    leases,
    notices,
    parties,
    rebalance,
    status,
    subscriptions,
    supply,
    windows,
)
from comptoir.api.money_routes import MONEY_ROUTES
from comptoir.api.opening_routes import OPENING_ROUTES
from comptoir.api.receipt_routes import RECEIPT_ROUTES
from comptoir.api.route import Route
from comptoir.api.shapes import batches as batch_shapes
from comptoir.api.shapes import clock as clock_shapes
from comptoir.api.shapes import entitlements as entitlement_shapes
from comptoir.api.shapes import failures as failure_shapes
from comptoir.api.shapes import leases as lease_shapes
from comptoir.api.shapes import notices as notice_shapes
from comptoir.api.shapes import parties as party_shapes
from comptoir.api.shapes import rebalance as rebalance_shapes
from comptoir.api.shapes import status as status_shapes
from comptoir.api.shapes import supply as supply_shapes
from comptoir.api.shapes import windows as window_shapes
from comptoir.api.shapes.common import ListOf
from comptoir.tenants.permissions import Permission

_E, _F, _L = entitlement_shapes, failure_shapes, lease_shapes
_T, _S, _W = party_shapes, supply_shapes, window_shapes
_B, _R = batch_shapes, rebalance_shapes

_LEASES = (
    Route(
        "POST",
        "/v1/leases",
        leases.request_lease,
        Permission.LEASES_WRITE,
        _L.Lease,
        201,
        busy=True,
    ),
    Route("GET", "/v1/leases", leases.list_leases, Permission.READ, ListOf[_L.Lease], busy=True),
    Route(
        "GET", "/v1/leases/{lease}", leases.get_lease, Permission.READ, _L.LeaseDetail, busy=True
    ),
    Route("GET", "/v1/leases/{lease}/why", leases.explain_lease, Permission.READ, _L.Why),
    Route(
        "POST",
        "/v1/leases/{lease}/cancel",
        leases.cancel_lease,
        Permission.LEASES_WRITE,
        _L.Lease,
        busy=True,
    ),
    Route(
        "POST",
        "/v1/leases/{lease}/end",
        leases.end_lease,
        Permission.LEASES_WRITE,
        _L.Lease,
        busy=True,
    ),
    Route(
        "POST",
        "/v1/leases/{lease}/extend",
        leases.extend_lease,
        Permission.LEASES_WRITE,
        _L.Lease,
        busy=True,
    ),
    Route(
        "POST",
        "/v1/leases/{lease}/shrink",
        windows.shrink_lease,
        Permission.LEASES_WRITE,
        _L.Lease,
    ),
    Route(
        "POST",
        "/v1/batch/leases",
        batches.request_leases,
        Permission.LEASES_WRITE,
        _B.LeaseAnswers,
        busy=True,
    ),
    Route(
        "POST",
        "/v1/batch/lease-ends",
        batches.end_leases,
        Permission.LEASES_WRITE,
        _B.LeaseAnswers,
        busy=True,
    ),
    Route(
        "POST",
        "/v1/batch/usage-events",
        batches.record_usage_reports,
        Permission.USAGE_WRITE,
        _B.UsageAnswers,
        busy=True,
    ),
    Route("PUT", "/v1/leases/{lease}/files", files.put_files, Permission.LEASES_WRITE, _L.Uploaded),
    Route("GET", "/v1/leases/{lease}/files", files.list_files, Permission.READ, _L.Files),
    Route("GET", "/v1/leases/{lease}/files/{path:path}", files.get_file, Permission.READ, None),
    Route("POST", "/v1/jobs", jobs.submit_job, Permission.LEASES_WRITE, _L.Job, 201),
    Route("GET", "/v1/jobs", jobs.list_jobs, Permission.READ, ListOf[_L.Job]),
    Route("GET", "/v1/jobs/{job}", jobs.get_job, Permission.READ, _L.JobDetail),
    Route("POST", "/v1/jobs/{job}/cancel", jobs.cancel_job, Permission.LEASES_WRITE, _L.Job),
    Route("GET", "/v1/jobs/{job}/logs", jobs.get_logs, Permission.READ, None),
)

_WINDOWS = (
    Route("GET", "/v1/offers", windows.list_offers, Permission.READ, _W.Offers),
    Route("POST", "/v1/holds", windows.hold_capacity, Permission.LEASES_WRITE, _L.Lease, 201),
    Route(
        "POST",
        "/v1/holds/{lease}/confirm",
        windows.confirm_hold,
        Permission.LEASES_WRITE,
        _L.Lease,
    ),
    Route(
        "POST",
        "/v1/holds/{lease}/release",
        windows.release_hold,
        Permission.LEASES_WRITE,
        _L.Lease,
    ),
    Route("POST", "/v1/series", windows.request_series, Permission.LEASES_WRITE, _W.Series, 201),
    Route(
        "POST",
        "/v1/series/{series}/cancel",
        windows.cancel_series,
        Permission.LEASES_WRITE,
        _W.Series,
    ),
    Route("GET", "/v1/settings", windows.list_settings, Permission.READ_HOUSE, ListOf[_W.Setting]),
    Route("PUT", "/v1/settings/{setting}", windows.set_setting, Permission.FLEET_WRITE, _W.Setting),
)

_PARTIES = (
    Route("GET", "/healthz", status.health, None, status_shapes.Health),
    Route("GET", "/v1/status", status.status, Permission.READ, status_shapes.Status),
    Route("GET", "/v1/clock", clock.get_clock, Permission.READ, clock_shapes.Clock),
    Route(
        "POST",
        "/v1/clock/advance",
        clock.advance_clock,
        Permission.FLEET_WRITE,
        clock_shapes.Clock,
    ),
    Route("GET", "/v1/whoami", parties.who_am_i, Permission.READ, _T.WhoAmI),
    Route("POST", "/v1/tenants", parties.create_tenant, Permission.TENANTS_WRITE, _T.Tenant, 201),
    Route("GET", "/v1/tenants", parties.list_tenants, Permission.READ, ListOf[_T.Tenant]),
    Route("GET", "/v1/tenants/{tenant}", parties.get_tenant, Permission.READ, _T.Tenant),
    Route(
        "POST",
        "/v1/tenants/{tenant}/suspend",
        parties.suspend_tenant,
        Permission.TENANTS_SUSPEND,
        _T.Tenant,
    ),
    Route(
        "POST",
        "/v1/tenants/{tenant}/resume",
        parties.resume_tenant,
        Permission.TENANTS_SUSPEND,
        _T.Tenant,
    ),
    Route(
        "PUT",
        "/v1/tenants/{tenant}/eligibility",
        parties.set_eligibility,
        Permission.TENANTS_WRITE,
        _T.Tenant,
    ),
    Route(
        "GET", "/v1/tenants/{tenant}/quotas", parties.list_quotas, Permission.READ, ListOf[_T.Quota]
    ),
    Route(
        "PUT",
        "/v1/tenants/{tenant}/quotas/{kind}",
        parties.set_quota,
        Permission.TENANTS_WRITE,
        _T.Quota,
    ),
    Route("POST", "/v1/users", parties.create_user, Permission.USERS_WRITE, _T.User, 201),
    Route("GET", "/v1/users", parties.list_users, Permission.READ, ListOf[_T.User]),
    Route("GET", "/v1/users/{user}", parties.get_user, Permission.READ, _T.User),
    Route(
        "POST", "/v1/users/{user}/disable", parties.disable_user, Permission.USERS_WRITE, _T.User
    ),
    Route("POST", "/v1/keys", parties.issue_key, Permission.KEYS_ISSUE, _T.IssuedKey, 201),
    Route("GET", "/v1/keys", parties.list_keys, Permission.READ, ListOf[_T.Key]),
    Route("POST", "/v1/keys/{key}/revoke", parties.revoke_key, Permission.READ, _T.Key),
)

_ENTITLEMENTS = (
    Route(
        "POST",
        "/v1/entitlements",
        entitlements.set_entitlement,
        Permission.ENTITLEMENTS_WRITE,
        _E.Entitlement,
        201,
    ),
    Route(
        "GET",
        "/v1/entitlements",
        entitlements.list_entitlements,
        Permission.READ,
        ListOf[_E.Entitlement],
    ),
    Route(
        "GET",
        "/v1/entitlements/{entitlement}",
        entitlements.get_entitlement,
        Permission.READ,
        _E.Entitlement,
    ),
    Route(
        "POST",
        "/v1/entitlements/{entitlement}/end",
        entitlements.end_entitlement,
        Permission.ENTITLEMENTS_WRITE,
        _E.Entitlement,
    ),
    Route("GET", "/v1/shares", entitlements.list_shares, Permission.READ, _E.Shares),
    Route(
        "GET",
        "/v1/tenants/{tenant}/lending",
        entitlements.lender_statement,
        Permission.READ,
        _E.LenderStatements,
    ),
    Route(
        "POST",
        "/v1/tenants/{tenant}/lending/credits",
        entitlements.credit_lender,
        Permission.INVOICES_WRITE,
        _E.LenderCredits,
    ),
    Route("GET", "/v1/policy", entitlements.show_policy, Permission.READ, _E.Policy),
    Route(
        "PUT",
        "/v1/policy/{lease_class}",
        entitlements.set_policy,
        Permission.ENTITLEMENTS_WRITE,
        _E.ClassPolicy,
    ),
)

_SUPPLY = (
    Route("GET", "/v1/kinds", supply.list_kinds, Permission.READ, ListOf[_S.Kind]),
    Route("GET", "/v1/fleet", supply.get_fleet, Permission.READ_HOUSE, _S.Fleet),
    Route("POST", "/v1/fleet/apply", supply.apply_fleet, Permission.FLEET_WRITE, _S.FleetApplied),
    Route("GET", "/v1/nodes", supply.list_nodes, Permission.READ_HOUSE, ListOf[_S.Node]),
    Route("GET", "/v1/nodes/{node}", supply.get_node, Permission.READ_HOUSE, _S.Node),
    Route("POST", "/v1/supply", supply.declare_supply, Permission.FLEET_WRITE, _S.Supply, 201),
    Route("GET", "/v1/supply", supply.list_supply, Permission.READ_HOUSE, ListOf[_S.Supply]),
    Route("GET", "/v1/supply/{supply}", supply.get_supply, Permission.READ_HOUSE, _S.Supply),
    Route("POST", "/v1/supply/{supply}/end", supply.end_supply, Permission.FLEET_WRITE, _S.Supply),
    Route("POST", "/v1/runtimes", supply.declare_runtime, Permission.FLEET_WRITE, _S.Runtime, 201),
    Route("GET", "/v1/runtimes", supply.list_runtimes, Permission.READ, ListOf[_S.Runtime]),
    Route(
        "POST",
        "/v1/runtimes/{runtime}/retire",
        supply.retire_runtime,
        Permission.FLEET_WRITE,
        _S.Runtime,
    ),
)

_REBALANCE = (
    Route(
        "POST",
        "/v1/rebalances",
        rebalance.plan_rebalance,
        Permission.FLEET_WRITE,
        _R.Planning,
        202,
    ),
    Route(
        "GET",
        "/v1/rebalances/{plan}",
        rebalance.get_rebalance,
        Permission.READ_HOUSE,
        _R.Planning,
    ),
    Route(
        "POST", "/v1/leases/{lease}/move", rebalance.move_lease, Permission.FLEET_WRITE, _L.Lease
    ),
)

_FAILURES = (
    *(
        Route("POST", f"/v1/nodes/{{node}}/{verb}", handler, Permission.FLEET_WRITE, _S.Node)
        for verb, handler in (
            ("drain", failures.drain_node),
            ("resume", failures.resume_node),
            ("fail", failures.fail_node),
            ("repair", failures.repair_node),
            ("maintenance", failures.plan_maintenance),
            ("spare", failures.set_spare),
            ("checks", failures.report_checks),
        )
    ),
    Route(
        "GET",
        "/v1/nodes/{node}/checks",
        failures.list_checks,
        Permission.READ_HOUSE,
        ListOf[_F.NodeCheck],
    ),
    Route("GET", "/v1/breaches", failures.list_breaches, Permission.READ, ListOf[_F.Breach]),
    Route(
        "POST",
        "/v1/leases/{lease}/accept",
        failures.accept_delivery,
        Permission.LEASES_WRITE,
        _L.Lease,
    ),
    Route(
        "POST",
        "/v1/leases/{lease}/reject-node",
        failures.reject_node,
        Permission.LEASES_WRITE,
        _L.Lease,
    ),
)

_N, _SUBSCRIPTIONS = notice_shapes, "/v1/subscriptions"
_ONE = f"{_SUBSCRIPTIONS}/{{subscription}}"
_MAY = Permission.SUBSCRIPTIONS_WRITE

_NOTICES = (
    Route("GET", "/v1/feed", notices.follow_feed, Permission.READ, None),
    Route("POST", _SUBSCRIPTIONS, subscriptions.create_subscription, _MAY, _N.NewSubscription, 201),
    Route(
        "GET",
        _SUBSCRIPTIONS,
        subscriptions.list_subscriptions,
        Permission.READ,
        ListOf[_N.Subscription],
    ),
    Route("GET", _ONE, subscriptions.get_subscription, Permission.READ, _N.Subscription),
    Route("POST", f"{_ONE}/delete", subscriptions.delete_subscription, _MAY, _N.Subscription),
    Route("POST", f"{_ONE}/enable", subscriptions.enable_subscription, _MAY, _N.Subscription),
    Route("POST", f"{_ONE}/test", subscriptions.test_subscription, _MAY, _N.Subscription),
    Route("POST", f"{_ONE}/rotate", subscriptions.rotate_secret, _MAY, _N.NewSubscription),
    Route("POST", f"{_ONE}/redeliver", subscriptions.redeliver, _MAY, _N.Subscription),
    Route(
        "GET",
        f"{_ONE}/deliveries",
        subscriptions.list_deliveries,
        Permission.READ,
        ListOf[_N.Delivery],
    ),
)

# The busiest first: routes are tried in order.
ROUTES: tuple[Route, ...] = (
    *_LEASES,
    *_WINDOWS,
    *_PARTIES,
    *_ENTITLEMENTS,
    *_SUPPLY,
    *_FAILURES,
    *_REBALANCE,
    *MONEY_ROUTES,
    *ENTITY_ROUTES,
    *CONTRACT_ROUTES,
    *CLOSE_ROUTES,
    *RECEIPT_ROUTES,
    *OPENING_ROUTES,
    *_NOTICES,
)
