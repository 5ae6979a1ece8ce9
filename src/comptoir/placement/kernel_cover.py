"""The kernel's cover: the cheapest leases whose end frees enough in one place. Exact.

Given are records (victim, node, accelerators, together), grouped by node, and what each victim
costs. A victim's accelerators on its own count one by one; those of a `together` node count only if
all victims of that node go. Sought: the victims of least total cost that free `wanted`.

1. A victim that shares no `together` node is a *group* of one *option*. Those that do are one
   group; its options are all choices among them: which shared nodes to empty, and which leases
   to take beside. At most one option of a group is taken.
2. A greedy choice by cost per accelerator gives a first answer, and a price of an accelerator.
   Under that price a Lagrangian bound shows which options are in no better answer, and
   which groups are in every better one: few remain open.
3. Dynamic programming over the open groups: the least cost of freeing so much. The same bound
   drops every state from which nothing better can come.

Bounds, beyond which the answer is a cover but maybe not the cheapest: MOST_LINKED shared nodes
and leases with accelerators of their own in one group (the smallest of those nodes are then not
emptied), and MOST_STEPS states of the dynamic programme (the greedy choice stands). Costs whose sum
could leave 64 bits are first rounded up to a multiple of a power of two.

Source: Martello and Toth, Knapsack Problems (1990), chapters 2 and 6.
"""

from comptoir.placement.kernel import Ints

MOST_LINKED = 10
MOST_STEPS = 100_000
_LARGEST = 1 << 61
_DENSITY = 1024

GROUP, GAIN, PRICE, MEMBERS, MEMBERS_END = range(5)
OPTION_ROW = 5
"""Of an option: its group, what it frees, what it costs, and where its victims are listed."""


def cover(records: Ints, cost: Ints, wanted: int) -> list[int]:
    """The victims to take, by number; none if all of them together do not free `wanted` (> 0)."""
    members = [0 for _ in range(0)]
    options = options_of(records, scaled(records, cost), members)
    wanted, groups, enough = in_grains(options, wanted)
    if not enough:
        return [0 for _ in range(0)]
    chosen, least, critical = greedy(options, groups, wanted)
    kept, needed = narrowed(options, groups, wanted, least, critical)
    better = programmed(options, kept, needed, wanted, least, critical)
    if len(better):
        chosen = better
    victims = [0 for _ in range(0)]
    for row in chosen:
        for at in range(options[row + MEMBERS], options[row + MEMBERS_END]):
            victims.append(members[at])
    return victims


def scaled(records: Ints, cost: Ints) -> list[int]:
    """Costs as they are, or so much coarser that their sum times all gains fits in 64 bits."""
    total, gains, shift = 0, _DENSITY, 0
    for c in cost:
        total += c
    for at in range(2, len(records), 4):
        gains += records[at]
    while (total >> shift) > _LARGEST // gains:
        shift += 1
    return [-(-c >> shift) for c in cost]


def options_of(records: Ints, cost: list[int], members: list[int]) -> list[int]:
    """The rows of all options; `members` receives their victims."""
    alone = [0 for _ in cost]
    link = [-1 for _ in cost]
    shared = [(0, 0, 0) for _ in range(0)]
    at = 0
    while at < len(records):
        end, gain = at, 0
        while end < len(records) and records[end + 1] == records[at + 1]:
            gain += records[end + 2]
            end += 4
        if records[at + 3] and end - at > 4:
            shared.append((-gain, at, end))
            for other in range(at, end, 4):
                unite(link, records[at], records[other])
        else:
            for one in range(at, end, 4):
                alone[records[one]] += records[one + 2]
        at = end
    shared.sort()
    options = [0 for _ in range(0)]
    groups = 0
    for v in range(len(cost)):
        if link[v] == v:
            groups = add_linked(records, cost, members, options, groups, v, alone, link, shared)
        elif link[v] < 0 and alone[v] > 0:
            members.append(v)
            options.extend([groups, alone[v], cost[v], len(members) - 1, len(members)])
            groups += 1
    return options


def root_of(link: list[int], v: int) -> int:
    """The victim that stands for all those linked with `v`; -1: with none."""
    while link[v] >= 0 and link[v] != v:
        v = link[v]
    return v if link[v] >= 0 else -1


def unite(link: list[int], one: int, other: int) -> None:
    """Two victims stand on one shared node: the least number stands for all linked."""
    for v in (one, other):
        if link[v] < 0:
            link[v] = v
    first, second = root_of(link, one), root_of(link, other)
    link[max(first, second)] = min(first, second)


def add_linked(
    records: Ints,
    cost: list[int],
    members: list[int],
    options: list[int],
    groups: int,
    root: int,
    alone: list[int],
    link: list[int],
    shared: list[tuple[int, int, int]],
) -> int:
    """Add the options of victims that share nodes; returns the number of groups then."""
    beside = [v for v in range(len(cost)) if alone[v] > 0 and root_of(link, v) == root]
    nodes = [(0, 0, 0) for _ in range(0)]
    for row in shared:  # the largest first
        if root_of(link, records[row[1]]) == root and len(nodes) + len(beside) < MOST_LINKED:
            nodes.append(row)
    if len(nodes) == 0:
        for v in beside:
            members.append(v)
            options.extend([groups, alone[v], cost[v], len(members) - 1, len(members)])
            groups += 1
        return groups
    found = [(0, 0, 0, 0) for _ in range(0)]
    seen = [-1 for _ in cost]
    for choice in range(1, 1 << (len(nodes) + len(beside))):
        begun, gain, price, once = len(members), 0, 0, True
        for i in range(len(nodes)):
            if choice >> i & 1:
                gain -= nodes[i][0]
                for at in range(nodes[i][1], nodes[i][2], 4):
                    v = records[at]
                    if seen[v] != choice:
                        seen[v] = choice
                        members.append(v)
                        gain += alone[v]
                        price += cost[v]
        for i in range(len(beside)):
            if choice >> (len(nodes) + i) & 1:
                v = beside[i]
                once = once and seen[v] != choice
                members.append(v)
                gain += alone[v]
                price += cost[v]
        if once:
            found.append((price, -gain, begun, len(members)))
    most = 0
    for price, negative, begun, end in sorted(found):
        if -negative > most:  # dearer, and frees more
            most = -negative
            options.extend([groups, most, price, begun, end])
    return groups + 1


def in_grains(options: list[int], wanted: int) -> tuple[int, int, bool]:
    """Count in the largest grain that all gains are multiples of; cap them at what is wanted.

    Returns:
        What is wanted, in grains; the number of groups; whether all groups together free it.
    """
    grain = 0
    for row in range(0, len(options), OPTION_ROW):
        rest = options[row + GAIN]
        while rest:
            grain, rest = rest, grain % rest
    if grain == 0:
        return wanted, 0, False
    wanted = -(-wanted // grain)
    groups, total, most = 0, 0, 0
    for row in range(0, len(options), OPTION_ROW):
        gain = options[row + GAIN] = min(options[row + GAIN] // grain, wanted)
        if options[row + GROUP] == groups:
            groups += 1
            total += most
            most = 0
        most = max(most, gain)
    return wanted, groups, total + most >= wanted


def greedy(options: list[int], groups: int, wanted: int) -> tuple[list[int], int, int]:
    """By cost per accelerator, each option tried as the last one.

    Returns:
        Rows of a cover and its cost (none: _LARGEST); the row at which the sum is reached.
    """
    order = [
        (options[row + PRICE] * _DENSITY // options[row + GAIN], row)
        for row in range(0, len(options), OPTION_ROW)
    ]
    order.sort()
    used = [False for _ in range(groups)]
    prefix = [0 for _ in range(0)]
    free, spent, reached, critical = 0, 0, 0, order[0][1]
    least, length, last = _LARGEST, 0, -1
    for _, row in order:
        if reached < wanted:
            reached += options[row + GAIN]
            critical = row
        if used[options[row + GROUP]]:
            continue
        if free + options[row + GAIN] >= wanted:
            if spent + options[row + PRICE] < least:
                least, length, last = spent + options[row + PRICE], len(prefix), row
        else:
            used[options[row + GROUP]] = True
            prefix.append(row)
            free += options[row + GAIN]
            spent += options[row + PRICE]
    chosen = [0 for _ in range(0)]
    if last >= 0:
        chosen = prefix[:length]
        chosen.append(last)
    return chosen, least, critical


def narrowed(
    options: list[int], groups: int, wanted: int, least: int, critical: int
) -> tuple[list[bool], list[bool]]:
    """What a cover cheaper than `least` may hold: options that may be in it, groups that must be.

    With p / q the price of an accelerator, every cover costs at least (p * wanted + the sum over
    groups of the least of 0 and q * price - p * gain) / q; forcing one choice raises its term.
    """
    p, q = options[critical + PRICE], options[critical + GAIN]
    lowest = [0 for _ in range(groups)]
    for row in range(0, len(options), OPTION_ROW):
        g = options[row + GROUP]
        lowest[g] = min(lowest[g], q * options[row + PRICE] - p * options[row + GAIN])
    bound = p * wanted
    for value in lowest:
        bound += value
    most = least * q if least < _LARGEST else _LARGEST
    kept = [True for _ in range(len(options) // OPTION_ROW)]
    for row in range(0, len(options), OPTION_ROW):
        g = options[row + GROUP]
        reduced = q * options[row + PRICE] - p * options[row + GAIN]
        kept[row // OPTION_ROW] = bound - lowest[g] + reduced < most
    needed = [bound - value >= most for value in lowest]
    return kept, needed


def programmed(
    options: list[int],
    kept: list[bool],
    needed: list[bool],
    wanted: int,
    least: int,
    critical: int,
) -> list[int]:
    """Rows of the cheapest cover, if it is cheaper than `least`; else none."""
    none = [0 for _ in range(0)]
    chosen = [0 for _ in range(0)]
    rows = [(0, 0, 0) for _ in range(0)]
    count = [0 for _ in needed]
    weight = [0 for _ in needed]
    p, q = options[critical + PRICE], options[critical + GAIN]
    for i in range(len(kept)):
        row = i * OPTION_ROW
        g = options[row + GROUP]
        if kept[i]:
            count[g] += 1
            weight[g] = max(weight[g], abs(q * options[row + PRICE] - p * options[row + GAIN]))
    spent = 0
    for i in range(len(kept)):
        row = i * OPTION_ROW
        g = options[row + GROUP]
        if kept[i] and needed[g] and count[g] == 1:
            chosen.append(row)
            wanted -= options[row + GAIN]
            spent += options[row + PRICE]
        elif kept[i]:
            rows.append((-weight[g], g, row))
    for g in range(len(needed)):
        if needed[g] and count[g] == 0:
            return none
    if spent >= least:
        return none
    rows.sort()  # the groups that decide most come first
    if wanted > 0:
        more = solved(options, rows, needed, wanted, least - spent, critical)
        if len(more) == 0:
            return none
        chosen.extend(more)
    return chosen


def solved(
    options: list[int],
    rows: list[tuple[int, int, int]],
    needed: list[bool],
    wanted: int,
    least: int,
    critical: int,
) -> list[int]:
    """The dynamic programme over the open groups: what may be freed, and at what least cost.

    Of each group in turn every state takes an option or none. A state that frees no more and
    costs no less than another goes, and one that the bound of the groups to come lifts to
    `least`. A state is (-freed, cost, number); its number leads back through `before`.
    """
    p, q = options[critical + PRICE], options[critical + GAIN]
    rest = lowest_to_come(options, rows, needed, p, q)
    states = [(0, 0, 0)]
    before = [-1]
    picked = [-1]
    first = steps = 0
    while first < len(rows):
        end = first
        g = rows[first][1]
        while end < len(rows) and rows[end][1] == g:
            end += 1
        grown = [(0, 0, 0) for _ in range(0)]
        for negative, cost, number in states:
            if not needed[g]:
                grown.append((negative, cost, number))
            for at in range(first, end):
                row = rows[at][2]
                freed = min(wanted, options[row + GAIN] - negative)
                total = cost + options[row + PRICE]
                if q * total + p * (wanted - freed) + rest[end] < q * least:
                    grown.append((-freed, total, len(before)))
                    before.append(number)
                    picked.append(row)
        steps += len(grown)
        if steps > MOST_STEPS:
            return [0 for _ in range(0)]
        states = undominated(grown)
        first = end
    chosen = [0 for _ in range(0)]
    if len(states) and -states[0][0] >= wanted and states[0][1] < least:
        number = states[0][2]
        while number > 0:
            chosen.append(picked[number])
            number = before[number]
    return chosen


def undominated(grown: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The states of which none frees as much for as little, the most freed first."""
    grown.sort()
    states = [(0, 0, 0) for _ in range(0)]
    for state in grown:
        if len(states) == 0 or state[1] < states[-1][1]:
            states.append(state)
    return states


def lowest_to_come(
    options: list[int], rows: list[tuple[int, int, int]], needed: list[bool], p: int, q: int
) -> list[int]:
    """At each group's first row, the least that it and those after it add to the bound."""
    rest = [0 for _ in range(len(rows) + 1)]
    end = len(rows)
    while end > 0:
        first = end - 1
        while first > 0 and rows[first - 1][1] == rows[end - 1][1]:
            first -= 1
        lowest = 0
        for at in range(first, end):
            row = rows[at][2]
            reduced = q * options[row + PRICE] - p * options[row + GAIN]
            if reduced < lowest or (needed[rows[first][1]] and at == first):
                lowest = reduced
        rest[first] = rest[end] + lowest
        end = first
    return rest
