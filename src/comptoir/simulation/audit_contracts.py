"""The audit of contracts: what is agreed and what it makes of prices; what was drawn and bought.

Worked out again from the raw rows, with no code of the desk's or of sales. `audit_charges` asks
here which price was agreed.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

PER_MICRO = 3_600_000 * 1_000
PPM = 1_000_000
SCOPE = ("kind", "lease_class", "site", "term")
SUPPLY = ("prepaid_capacity:", "supplier_payable:", "cost_of_capacity:")
"""The accounts that only what we buy moves."""


@dataclass(slots=True)
class Agreements:
    """The sold contracts of each tenant: their approved versions, and when each one ends."""

    versions: dict[str, list[tuple[sqlite3.Row, int, list[dict[str, Any]]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By tenant: (version, end, its prices)."""

    def cuts(self, tenant_id: str) -> set[int]:
        """Every instant at which an agreed price may begin or end."""
        found = set()
        for version, end, prices in self.versions[tenant_id]:
            found |= {version["effective_from_ms"], end}
            found |= {at for price in prices for at in (price["from_ms"], price["until_ms"])}
        return found

    def at(self, event: sqlite3.Row, at_ms: int) -> tuple[str, dict[str, Any] | None]:
        """The version in force for a usage event at an instant, and the price it has agreed."""
        begun = [
            (version["number"], version, end, prices)
            for version, end, prices in self.versions[event["tenant_id"]]
            if version["effective_from_ms"] <= at_ms
        ]
        newest: dict[str, Any] = {}
        for _, version, end, prices in sorted(begun, key=lambda one: one[0]):
            newest[version["contract_id"]] = (version, end, prices)
        for version, end, prices in newest.values():
            if at_ms < end:
                return version["id"], _best(prices, event, at_ms)
        return "", None


def agreements(rows: sqlite3.Connection) -> Agreements:
    """What is agreed with each tenant."""
    exits: dict[str, list[int]] = defaultdict(list)
    for act in rows.execute("SELECT * FROM contract_act WHERE type = 'exit'"):
        exits[act["contract_id"]].append(act["effective_at_ms"])
    found = Agreements()
    for version in rows.execute(
        "SELECT v.*, c.tenant_id FROM contract_version v JOIN contract c ON c.id = v.contract_id"
        " WHERE v.state = 'approved' AND c.direction = 'sold' ORDER BY v.number"
    ):
        end = min([version["until_ms"], *exits[version["contract_id"]]])
        prices = json.loads(version["body"])["prices"]
        found.versions[version["tenant_id"]].append((version, end, prices))
    return found


def agreed(price: dict[str, Any] | None, listed: int) -> int:
    """What is paid where the card asks `listed`."""
    if price is None:
        return listed
    if price["price_nanos"] is not None:
        return int(price["price_nanos"])
    return int((2 * listed * price["factor_ppm"] + PPM) // (2 * PPM))


def _best(prices: list[dict[str, Any]], event: sqlite3.Row, at_ms: int) -> dict[str, Any] | None:
    """The price that names most of what is used, and of those the last."""
    fits = [
        (sum(price[name] is not None for name in SCOPE), at, price)
        for at, price in enumerate(prices)
        if price["from_ms"] <= at_ms < price["until_ms"]
        and all(price[name] in (None, event[name]) for name in SCOPE)
    ]
    return max(fits, key=lambda one: one[:2])[2] if fits else None


def contract_problems(rows: sqlite3.Connection) -> Iterator[str]:
    """Every broken rule of contracts and credit."""
    yield from _versions(rows)
    yield from _credit(rows)
    yield from _supply_cost(rows)


def _versions(rows: sqlite3.Connection) -> Iterator[str]:
    """Numbered without a gap, approved by another, and never two at once."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for version in rows.execute("SELECT * FROM contract_version ORDER BY contract_id, number"):
        numbers[version["contract_id"]].append(version["number"])
        approved = version["state"] == "approved"
        if approved != (version["approved_by"] is not None):
            yield f"{version['id']} is {version['state']}, approved by {version['approved_by']}"
        if version["approved_by"] == version["proposed_by"]:
            yield f"{version['id']} was approved by who proposed it"
    for contract_id, given in numbers.items():
        if given != list(range(1, len(given) + 1)):
            yield f"{contract_id} has the versions {given}"
    found = agreements(rows)
    for tenant_id, versions in found.versions.items():
        instants = sorted(found.cuts(tenant_id))
        for low in instants:
            at_once = _in_force(versions, low)
            if len(at_once) > 1:
                yield f"{tenant_id} has {at_once} in force at {low}"


def _in_force(versions: list[Any], at_ms: int) -> list[str]:
    newest: dict[str, tuple[int, int]] = {}
    for version, end, _ in versions:
        if version["effective_from_ms"] <= at_ms:
            newest[version["contract_id"]] = max(
                newest.get(version["contract_id"], (0, 0)), (version["number"], end)
            )
    return [contract for contract, (_, end) in newest.items() if at_ms < end]


def _credit(rows: sqlite3.Connection) -> Iterator[str]:
    """What was drawn of a block is what its drawdowns add up to, never more than it grants."""
    drawn: dict[str, int] = defaultdict(int)
    blocks = {row["id"]: row for row in rows.execute("SELECT * FROM credit_block")}
    for row in rows.execute("SELECT * FROM drawdown ORDER BY seq"):
        block = blocks[row["block_id"]]
        drawn[block["id"]] += row["micros"]
        inside = block["from_ms"] <= row["from_ms"] and (
            block["until_ms"] is None or row["until_ms"] <= block["until_ms"]
        )
        if not inside or row["tenant_id"] != block["tenant_id"]:
            yield f"drawdown {row['seq']} does not lie in the window of its block {block['id']}"
    for block in blocks.values():
        gone = block["drawn_micros"] + block["expired_micros"]
        if block["drawn_micros"] != drawn[block["id"]] or gone > block["granted_micros"]:
            yield f"{block['id']} is drawn {block['drawn_micros']}, drawdowns {drawn[block['id']]}"
        if (block["state"] == "open") != (gone < block["granted_micros"]):
            yield f"{block['id']} is {block['state']} with {block['granted_micros'] - gone} left"
    steps: dict[tuple[str, str, int, int], int] = defaultdict(int)
    for block in blocks.values():
        if block["source"] == "commitment" and block["state"] != "withdrawn":
            key = (
                block["contract_id"], block["commitment_id"], block["from_ms"], block["until_ms"]
            )  # fmt: skip
            steps[key] += 1
    yield from (f"step {key} was granted {n} times" for key, n in steps.items() if n > 1)
    yield from _rolled_over(blocks, steps)
    yield from _left_unused(rows, blocks)


def _rolled_over(
    blocks: dict[str, sqlite3.Row], steps: dict[tuple[str, str, int, int], int]
) -> Iterator[str]:
    """What rolled over is of one step that has ended with nothing left, once."""
    ends = {(key[1], key[3]) for key in steps}
    seen: set[tuple[str, int]] = set()
    for block in blocks.values():
        of = block["commitment_id"], block["from_ms"]
        if block["source"] != "rollover":
            continue
        if of not in ends or of in seen:
            yield f"{block['id']} rolled over from no step, or again: {of}"
        seen.add(of)
    for block in blocks.values():
        of = block["commitment_id"], block["until_ms"]
        if block["source"] == "commitment" and of in seen and block["state"] == "open":
            yield f"{block['id']} rolled over and is open"


def _left_unused(rows: sqlite3.Connection, blocks: dict[str, sqlite3.Row]) -> Iterator[str]:
    """Nobody is asked money for usage while credit that could have paid it is left.

    That is so of credit that was there when the usage was billed, whatever rolled over among it,
    and of which nothing was given back since. A top-up pays taxes, too: it is left out.
    """
    drawn: dict[str, int] = defaultdict(int)
    returned = set()
    for row in rows.execute("SELECT * FROM drawdown WHERE tenant_id <> ''"):
        drawn[row["subject"]] += max(row["micros"], 0)
        if row["micros"] < 0:
            returned.add(row["block_id"])
    whole = {
        row["id"]: row["drawn_up_at_ms"]
        for row in rows.execute("SELECT * FROM invoice_draft WHERE state <> 'filling'")
    }
    billed = rows.execute("SELECT * FROM accrual WHERE invoice_id IS NOT NULL").fetchall()
    for block in blocks.values():
        left = block["granted_micros"] - block["drawn_micros"] - block["expired_micros"]
        left += block["lapsed_micros"]
        if not left or block["source"] == "top_up" or block["id"] in returned:
            continue
        for accrual in billed:
            at = whole.get(accrual["invoice_id"])
            if at is None or at < block["created_at_ms"] or not _could_pay(block, accrual):
                continue
            if drawn[accrual["id"]] < accrual["posted_micros"]:
                yield (
                    f"{accrual['id']} asks {accrual['posted_micros']} micros, credit paid "
                    f"{drawn[accrual['id']]} of it, and {left} are left of {block['id']}"
                )


def _could_pay(block: sqlite3.Row, accrual: sqlite3.Row) -> bool:
    covers = json.loads(block["covers"])
    return (
        (block["tenant_id"], block["currency"]) == (accrual["tenant_id"], accrual["currency"])
        and block["from_ms"] <= accrual["first_at_ms"]
        and (block["until_ms"] is None or accrual["last_at_ms"] <= block["until_ms"])
        and covers["kinds"] in ([], [accrual["kind"]])
        and covers["lease_classes"] == []
        and covers["sites"] == []
    )


def _supply_cost(rows: sqlite3.Connection) -> Iterator[str]:
    """What an inbound lease has cost is its accelerators, times time, times price: its floor."""
    posted = {
        row["account"]: row["total"]
        for row in rows.execute(
            "SELECT account, sum(amount) AS total FROM posting WHERE unit = 'USD' GROUP BY account"
        )
    }
    for mark in rows.execute("SELECT * FROM supply_mark WHERE inbound_lease_id <> ''"):
        inbound = rows.execute(
            "SELECT * FROM inbound_lease WHERE id = ?", (mark["inbound_lease_id"],)
        ).fetchone()
        held = rows.execute(
            "SELECT sum(accelerators) FROM node WHERE inbound_lease_id = ?", (inbound["id"],)
        ).fetchone()[0]
        naming = [
            version["effective_from_ms"]
            for version in rows.execute(
                "SELECT * FROM contract_version WHERE contract_id = ? AND state = 'approved'",
                (mark["contract_id"],),
            )
            if inbound["name"] in json.loads(version["body"])["inbound"]
        ]
        cut_over = rows.execute(
            "SELECT max(cut_over_ms) FROM brought_contract WHERE contract_id = ?",
            (mark["contract_id"],),
        ).fetchone()[0]
        since = max(min(naming), inbound["starts_at_ms"], cut_over or 0)
        until = min(mark["posted_until_ms"], inbound["ends_at_ms"] or mark["posted_until_ms"])
        exact = held * inbound["cost_nanos"] * max(until - since, 0)
        if int(mark["numerator"]) != exact or mark["posted_micros"] != exact // PER_MICRO:
            yield f"{inbound['id']} has cost {exact}, its mark says {mark['numerator']}"
    for account, total in posted.items():
        if account.startswith("prepaid_capacity:") and total < 0:
            yield f"{account} has {total}: more was used than was paid ahead"
        if account.startswith("cost_of_capacity:il_"):
            marked = rows.execute(
                "SELECT sum(posted_micros) FROM supply_mark WHERE inbound_lease_id = ?",
                (account.partition(":")[2],),
            ).fetchone()[0]
            if marked != total:
                yield f"{account} has {total}, the marks {marked}"
