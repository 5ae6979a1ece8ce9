"""The version that an exercised expansion asks for: the file in force with its tranche and price.

It is a file like any other: sales reads it, proposes it, and somebody else approves it. What an
expansion asks for is in a version once that has a tranche of its name.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from comptoir.sales.contract_file import read_contract_file
from comptoir.sales.contracts import ContractBody, ContractVersion
from comptoir.sales.tranches import ActType, ContractAct, Expansion
from comptoir.units.errors import Invalid
from comptoir.units.money import NANOS_PER_UNIT
from comptoir.units.recurrence import DAY_MS
from comptoir.units.time import MS_PER_S, format_instant

_EFFECTIVE = re.compile(r"^effective\s*=.*$", re.MULTILINE)


def to_add(
    version: ContractVersion, acts: Sequence[ContractAct]
) -> list[tuple[Expansion, ContractAct]]:
    """The expansions that were exercised and have no tranche in a version yet."""
    done = {act.subject: act for act in acts if act.type is ActType.EXERCISE}
    return [
        (one, done[one.name])
        for one in version.body.expansions
        if one.name in done and version.body.tranche(one.name) is None
    ]


def dropped(old: ContractBody | None, new: ContractBody, acts: Sequence[ContractAct]) -> list[str]:
    """What was exercised and a new version would drop: one sentence each.

    Once a version has its tranche, that has to stay, unless it was cancelled; before, the option.
    """
    cancelled = {act.subject for act in acts if act.type is ActType.CANCEL}
    said = []
    for act in acts:
        if act.type is not ActType.EXERCISE or act.subject in cancelled:
            continue
        added = old is not None and old.tranche(act.subject) is not None
        option = any(one.name == act.subject for one in new.expansions)
        if new.tranche(act.subject) is None and (added or not option):
            said.append(f"expansion {act.subject}, exercised {format_instant(act.effective_at_ms)}")
    return said


def expanded(version: ContractVersion, acts: Sequence[ContractAct], now_ms: int) -> str:
    """The file of the next version, in force from the next day (UTC) on.

    Args:
        version: The one in force, with its file.
        acts: Of its contract.
        now_ms: Now.

    Returns:
        TOML that can be proposed; empty where nothing is to be added, or where the file in
        force cannot simply be added to.
    """
    wanted = to_add(version, acts)
    effective_ms = (now_ms // DAY_MS + 1) * DAY_MS
    if not wanted or not _EFFECTIVE.search(version.text) or effective_ms >= version.until_ms:
        return ""
    text = _EFFECTIVE.sub(f"effective = {_written(effective_ms)}", version.text, count=1)
    parts = [text.rstrip("\n"), *(_part(one, act, effective_ms) for one, act in wanted)]
    written = "\n\n".join(parts) + "\n"
    try:
        read_contract_file("next.toml", written)
    except Invalid:
        return ""
    return written


def _part(option: Expansion, act: ContractAct, effective_ms: int) -> str:
    """An expansion's tranche, and its price from its delivery on."""
    due_ms = max(act.effective_at_ms + option.deliver_within_s * MS_PER_S, effective_ms)
    lines = [
        f"# {option.name}: exercised {_written(act.effective_at_ms)}",
        "[[tranche]]",
        f'name = "{option.name}"',
        f'kind = "{option.kind}"',
        f"accelerators = {option.accelerators}",
        f"delivery = {_written(due_ms)}",
    ]
    if option.price_nanos is not None:
        whole, rest = divmod(option.price_nanos, NANOS_PER_UNIT)
        lines += [
            "",
            f"# From its delivery on this is the price of all {option.kind} {option.lease_class}.",
            "[[price]]",
            f'kind = "{option.kind}"',
            f'class = "{option.lease_class}"',
            f"from = {_written(due_ms)}",
            f"price = {whole}.{rest:09d}".rstrip("0").rstrip("."),
        ]
    return "\n".join(lines)


def _written(instant_ms: int) -> str:
    """An instant as any file may have it, whatever its zone is."""
    at = datetime.fromtimestamp(instant_ms // MS_PER_S, tz=UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{instant_ms % MS_PER_S:03d}Z"
