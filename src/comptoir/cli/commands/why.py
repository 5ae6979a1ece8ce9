"""How `lease why` is laid out: what it needs, what comes, when, and who is ahead."""

from comptoir.cli.formats import Times, duration
from comptoir.cli.session import Session
from comptoir.client.records import Lease, Sooner, Why

_MOST_COMING = 3


def headline(cli: Session, answer: Why, lease: Lease) -> str:
    """`ls_7Q4M  512 x h100-sxm, one pod, internal (ranking)   waiting 6 min`."""
    name = f" ({lease['name']})" if lease["name"] else ""
    what = f"{answer['needs']:,} x {answer['kind']}, one {answer['shape']}, {lease['lease_class']}"
    return f"{answer['lease_id']}  {what}{name}   {answer['state']} {cli.since(answer['since'])}"


def lines(answer: Why, times: Times) -> list[tuple[str, str]]:
    """The numbers, in the order in which a person asks for them."""
    if answer["state"] != "waiting":
        said = [("so", answer["sentence"])]
        if answer["expected_start"]:
            said.append(("starts", times.when(answer["expected_start"])))
        said += [("takes back", _gone(item, times)) for item in answer["sooner"]]
        return said + _gives_way(answer)
    best = f"best now: {answer['best_free']:,} in {answer['best_place']}"
    if answer["best_place"] in ("", "nowhere"):
        best = "no place for it now"
    found = [("needs", f"{answer['needs']:,} free in one {answer['shape']}; {best}")]
    found += [("coming", _coming(answer, at, times)) for at in range(_most(answer))]
    if len(answer["coming"]) > _MOST_COMING:
        found.append(("", f"and {len(answer['coming']) - _MOST_COMING} more"))
    found.append(("start", _start(answer, times)))
    found.append(("sooner?", answer["not_sooner"]))
    found += [("", _gone(item, times)) for item in answer["sooner"][:_MOST_COMING]]
    ahead = answer["ahead"]
    first = f"; {answer['first']} is first" if answer["first"] else ""
    found.append(("ahead", f"{ahead:,} in this queue{first}" if ahead else "nobody in this queue"))
    return found + _gives_way(answer)


def _gives_way(answer: Why) -> list[tuple[str, str]]:
    """For whom it goes, or went, and why it and not another."""
    if answer["gives_way_to"] is None:
        return []
    word = "gave way" if answer["state"] == "waiting" else "gives way"
    because = answer["gives_way_because"]
    return [(word, f"to {answer['gives_way_to']}" + (f": {because}" if because else ""))]


def _start(answer: Why, times: Times) -> str:
    if answer["expected_start"]:
        said = f"expected {times.when(answer['expected_start'])}, by what everybody has promised"
    elif answer["kept_from"]:
        said = f"no promise says when; kept for it from {times.when(answer['kept_from'])} on"
    else:
        said = "nothing comes before its end" if answer["given_up"] else "nothing says when"
    return said + (f"; given up {times.when(answer['given_up'])}" if answer["given_up"] else "")


def _gone(item: Sooner, times: Times) -> str:
    who = f"{item['lease_id']} ({item['lease_class']})" if item["lease_id"] else item["lease_class"]
    left = item["minimum_runtime_left_s"]
    runs = f": {duration(left)} of its minimum runtime are left" if left else ""
    return f"{who}, {item['accelerators']:,}, gone {times.when(item['at'])} at the earliest{runs}"


def _most(answer: Why) -> int:
    return min(len(answer["coming"]), _MOST_COMING)


def _coming(answer: Why, at: int, times: Times) -> str:
    item = answer["coming"][at]
    whose = f" ({item['lease_id']} ends)" if item["lease_id"] else ""
    place = answer["best_place"]
    return f"{item['accelerators']:,} more in {place} at {times.when(item['at'])}{whose}"
