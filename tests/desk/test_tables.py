"""Tables that can be taken back: indexes and sums are what the rows say, whatever was undone."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from comptoir.desk.tables import Index, Journal, Sums, Table

Row = tuple[int, str | None, int]
"""(key, group, amount)"""
KEYS, GROUPS = st.integers(0, 5), st.sampled_from(["a", "b", None])
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.tuples(KEYS, GROUPS, st.integers(0, 9))),
        st.tuples(st.just("load"), st.tuples(KEYS, GROUPS, st.integers(0, 9))),
        st.tuples(st.just("undo"), st.integers(0, 5)),
        st.tuples(st.just("commit"), st.just(0)),
        st.tuples(st.just("evict"), KEYS),
    ),
    max_size=40,
)


@given(ACTS)
def test_indexes_and_sums_follow_every_put_undo_and_eviction(acts: list) -> None:
    journal = Journal()
    table = Table[int, Row]("row", lambda row: row[0], journal)
    index = Index[str, Row](table, lambda row: row[1])
    sums = Sums[str, Row](table, lambda row: row[1], lambda row: row[2])
    heard: dict[int, Row] = {}
    table.feed(lambda old, new: heard.pop(old[0]) if new is None else heard.update({new[0]: new}))
    for verb, given_to in acts:
        match verb:
            case "put":
                table.put(given_to)
            case "load" | "evict" if journal:
                continue  # only what is committed comes and goes so
            case "load":
                table.load(given_to)
            case "evict":
                table.evict(given_to)
            case "commit":
                journal.clear()
            case "undo":
                journal.undo_to((max(0, journal.mark()[0] - given_to), 0))
        groups: dict[str, list[Row]] = defaultdict(list)
        for row in table:
            if row[1] is not None:
                groups[row[1]].append(row)
        assert heard == table.rows
        for group in ("a", "b"):
            assert (
                sorted(index.get(group))
                == sorted(index.each(group))
                == sorted(groups.get(group, []))
            )
            assert index.count(group) == len(groups.get(group, []))
            assert sums.of(group) == sum(row[2] for row in groups.get(group, []))
        assert sorted(index.groups()) == sorted(groups)
