"""Operations: everything that can change the book, by name, each with its permission.

To add one: a frozen request in `requests.py`, a function here in a file of its own, a
line in `OPERATIONS`, a route, a client method, a command, and a test that names the rule.
"""

from comptoir.desk.operations import (
    accepting,
    apply_fleet,
    change_lease,
    entitlements,
    explain_entitlements,
    explain_lease,
    holds,
    housekeeping,
    move_lease,
    node_checks,
    nodes,
    observe,
    offers,
    open_book,
    request_lease,
    runtimes,
    series,
    settings,
    settle_deliveries,
    shrink_lease,
    submit_job,
    subscriptions,
    supply,
    tenants,
    turn,
    users,
)
from comptoir.desk.operations.money import MONEY_OPERATIONS
from comptoir.desk.operations.operation import Operation
from comptoir.tenants.permissions import Permission

OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation("open_book", Permission.SYSTEM, open_book.open_book),
        Operation("turn", Permission.SYSTEM, turn.turn),
        Operation("forget_answers", Permission.SYSTEM, housekeeping.forget_answers),
        Operation("forget_deliveries", Permission.SYSTEM, housekeeping.forget_deliveries),
        Operation("observe", Permission.SYSTEM, observe.observe),
        Operation("settle_deliveries", Permission.SYSTEM, settle_deliveries.settle_deliveries),
        Operation("create_tenant", Permission.TENANTS_WRITE, tenants.create_tenant),
        Operation("suspend_tenant", Permission.TENANTS_SUSPEND, tenants.suspend_tenant),
        Operation("resume_tenant", Permission.TENANTS_SUSPEND, tenants.resume_tenant),
        Operation("set_eligibility", Permission.TENANTS_WRITE, tenants.set_eligibility),
        Operation("set_quota", Permission.TENANTS_WRITE, tenants.set_quota),
        Operation("set_entitlement", Permission.ENTITLEMENTS_WRITE, entitlements.set_entitlement),
        Operation("end_entitlement", Permission.ENTITLEMENTS_WRITE, entitlements.end_entitlement),
        Operation(
            "explain_entitlements", Permission.READ, explain_entitlements.explain_entitlements
        ),
        Operation("set_policy", Permission.ENTITLEMENTS_WRITE, entitlements.set_policy),
        Operation("create_user", Permission.USERS_WRITE, users.create_user),
        Operation("disable_user", Permission.USERS_WRITE, users.disable_user),
        Operation("issue_key", Permission.KEYS_ISSUE, users.issue_key),
        Operation("revoke_key", Permission.READ, users.revoke_key),
        Operation("declare_supply", Permission.FLEET_WRITE, supply.declare_supply),
        Operation("apply_fleet", Permission.FLEET_WRITE, apply_fleet.apply_fleet),
        Operation("end_supply", Permission.FLEET_WRITE, supply.end_supply),
        Operation("drain_node", Permission.FLEET_WRITE, nodes.drain_node),
        Operation("resume_node", Permission.FLEET_WRITE, nodes.resume_node),
        Operation("fail_node", Permission.FLEET_WRITE, nodes.fail_node),
        Operation("repair_node", Permission.FLEET_WRITE, nodes.repair_node),
        Operation("plan_maintenance", Permission.FLEET_WRITE, nodes.plan_maintenance),
        Operation("set_spare", Permission.FLEET_WRITE, nodes.set_spare),
        Operation("report_checks", Permission.FLEET_WRITE, node_checks.report_checks),
        Operation("declare_runtime", Permission.FLEET_WRITE, runtimes.declare_runtime),
        Operation("retire_runtime", Permission.FLEET_WRITE, runtimes.retire_runtime),
        Operation("request_lease", Permission.LEASES_WRITE, request_lease.request_lease),
        Operation("cancel_lease", Permission.LEASES_WRITE, change_lease.cancel_lease),
        Operation("end_lease", Permission.LEASES_WRITE, change_lease.end_lease),
        Operation("explain_lease", Permission.READ, explain_lease.explain_lease),
        Operation("extend_lease", Permission.LEASES_WRITE, change_lease.extend_lease),
        Operation("shrink_lease", Permission.LEASES_WRITE, shrink_lease.shrink_lease),
        Operation("move_lease", Permission.FLEET_WRITE, move_lease.move_lease),
        Operation("request_series", Permission.LEASES_WRITE, series.request_series),
        Operation("cancel_series", Permission.LEASES_WRITE, series.cancel_series),
        Operation("list_offers", Permission.READ, offers.list_offers),
        Operation("hold_capacity", Permission.LEASES_WRITE, holds.hold_capacity),
        Operation("confirm_hold", Permission.LEASES_WRITE, holds.confirm_hold),
        Operation("release_hold", Permission.LEASES_WRITE, holds.release_hold),
        Operation("set_setting", Permission.FLEET_WRITE, settings.set_setting),
        Operation("accept_delivery", Permission.LEASES_WRITE, accepting.accept_delivery),
        Operation("reject_node", Permission.LEASES_WRITE, accepting.reject_node),
        Operation("submit_job", Permission.LEASES_WRITE, submit_job.submit_job),
        Operation("cancel_job", Permission.LEASES_WRITE, submit_job.cancel_job),
        Operation(
            "create_subscription", Permission.SUBSCRIPTIONS_WRITE, subscriptions.create_subscription
        ),
        Operation(
            "delete_subscription", Permission.SUBSCRIPTIONS_WRITE, subscriptions.delete_subscription
        ),
        Operation(
            "enable_subscription", Permission.SUBSCRIPTIONS_WRITE, subscriptions.enable_subscription
        ),
        Operation("rotate_secret", Permission.SUBSCRIPTIONS_WRITE, subscriptions.rotate_secret),
        Operation("send_test", Permission.SUBSCRIPTIONS_WRITE, subscriptions.send_test),
        Operation("redeliver", Permission.SUBSCRIPTIONS_WRITE, subscriptions.redeliver),
        *MONEY_OPERATIONS,
    )
}
