"""What joins the nodes of a cluster: its fabric, and where bandwidth gets scarce.

A pod is a full-bandwidth domain; between pods, and sometimes between racks, a fabric is
oversubscribed. These are facts about a place, so they are kept once a cluster.
"""

import re
from dataclasses import dataclass

from comptoir.units.errors import Invalid

MOST_GBPS = 1_000_000
_RATIO = re.compile(r"([1-9][0-9]{0,3}(\.[0-9]{1,2})?):1")


@dataclass(frozen=True, slots=True)
class Fabric:
    """The network of a cluster.

    Args:
        site: The cluster's site.
        cluster: Its name within the site.
        name: What it is: "RoCE, Arista 7800".
        gbps: What one accelerator has to the outside of its node; 0 is not stated.
        between_racks: How often the bandwidth between the racks of a pod is sold, as "7:1";
            empty is not stated.
        between_pods: The same between the pods of the cluster.
    """

    site: str
    cluster: str
    name: str
    gbps: int = 0
    between_racks: str = ""
    between_pods: str = ""


def check_ratio(field: str, text: str) -> str:
    """`text` itself if it is empty or an oversubscription such as "7:1" or "1.5:1".

    Raises:
        Invalid: `bad_ratio`.
    """
    if text and not _RATIO.fullmatch(text):
        raise Invalid(
            "bad_ratio",
            f"{field} {text[:20]!r} is not an oversubscription",
            'write it as "7:1", or "1:1" for full bandwidth',
            {"field": field},
        )
    return text
