"""Policy: what the operator has settled for each class of lease, with defaults that make sense.

A lease takes its notice and its minimum runtime from the policy in force when it is asked
for, and keeps them. Neighbours: `claims.py` (who may be taken back), `placement/queue.py`
(whom accelerators are kept for once it has waited long).
"""

from dataclasses import dataclass

from comptoir.leases.lease import LeaseClass
from comptoir.units.text import check_count

MOST_NOTICE_S: dict[LeaseClass, int] = {
    LeaseClass.INTERNAL: 86_400,
    LeaseClass.RESERVED: 86_400,
    LeaseClass.ON_DEMAND: 86_400,
    LeaseClass.SPOT: 600,  # who buys what can be taken back cannot make that take for ever
}
MOST_MINIMUM_RUNTIME_S = 86_400
MOST_AGEING_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class ClassPolicy:
    """The settings of one class.

    `notice_s` is what a lease gets that does not ask for another. No lease that may be taken
    back is taken back before it has run `minimum_runtime_s`. A request that has waited
    `ageing_s` has accelerators kept for it as they become free.
    """

    lease_class: LeaseClass
    notice_s: int
    minimum_runtime_s: int
    ageing_s: int


DEFAULTS: dict[LeaseClass, ClassPolicy] = {
    LeaseClass.INTERNAL: ClassPolicy(LeaseClass.INTERNAL, 30, 900, 900),
    LeaseClass.RESERVED: ClassPolicy(LeaseClass.RESERVED, 30, 0, 900),
    LeaseClass.ON_DEMAND: ClassPolicy(LeaseClass.ON_DEMAND, 30, 900, 3_600),
    LeaseClass.SPOT: ClassPolicy(LeaseClass.SPOT, 30, 0, 3_600),
}


def check_policy(policy: ClassPolicy) -> ClassPolicy:
    """`policy` itself if its numbers lie within their bounds.

    Raises:
        Invalid: `out_of_range`.
    """
    check_count("notice_s", policy.notice_s, 0, MOST_NOTICE_S[policy.lease_class])
    check_count("minimum_runtime_s", policy.minimum_runtime_s, 0, MOST_MINIMUM_RUNTIME_S)
    check_count("ageing_s", policy.ageing_s, 0, MOST_AGEING_S)
    return policy
