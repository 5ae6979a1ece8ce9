"""What is undone never happened: rows, indexes and journal are as they were."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from comptoir.desk.agenda import Agenda
from comptoir.desk.tables import Index, Journal, Table


@dataclass(frozen=True)
class Row:
    key: int
    group: int | None


class World:
    """A table with an index, as memory has many."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.table = Table[int, Row]("row", lambda row: row.key, self.journal)
        self.by_group = Index[int, Row](self.table, lambda row: row.group)

    def seen(self) -> tuple[object, ...]:
        groups = {group: sorted(r.key for r in self.by_group.get(group)) for group in range(4)}
        return dict(self.table.rows), groups, sorted(self.by_group.groups())


rows = st.lists(st.builds(Row, st.integers(0, 6), st.one_of(st.none(), st.integers(0, 3))))


@given(rows, rows, rows)
def test_an_undo_to_a_mark_leaves_what_was_there(
    committed: list[Row], kept: list[Row], undone: list[Row]
) -> None:
    world, never = World(), World()
    for one in (world, never):
        for row in committed:
            one.table.put(row)
        one.journal.clear()
        for row in kept:
            one.table.put(row)
            one.journal.append("event", row)
    mark = world.journal.mark()
    for row in undone:
        world.table.put(row)
        world.journal.append("event", row)
    world.journal.undo_to(mark)
    assert world.seen() == never.seen()
    assert world.journal.drain() == never.journal.drain()


@given(rows, rows)
def test_what_is_drained_is_what_the_store_lacks(committed: list[Row], changed: list[Row]) -> None:
    world = World()
    stored: dict[int, Row] = {}
    for batch in (committed, changed):
        for row in batch:
            world.table.put(row)
        drained, _ = world.journal.drain()
        world.journal.clear()
        written = drained.get("row", [])
        assert len({row.key for row in written}) == len(written)
        stored.update({row.key: row for row in written})
        assert stored == world.table.rows


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20))), st.integers(0, 20))
def test_an_agenda_reminds_at_the_last_instant_asked_for(
    asked: list[tuple[str, int]], now: int
) -> None:
    agenda = Agenda[str]()
    last: dict[str, int] = {}
    for key, at in asked:
        agenda.remind(key, at)
        last[key] = at
    due = {key for key, at in last.items() if at <= now}
    assert set(agenda.take(now, 10)) == due
    assert set(agenda.take(20, 10)) == set(last) - due


@given(st.lists(st.sampled_from("abcdef")), st.integers(1, 3))
def test_an_agenda_loses_nothing_to_its_bound(touched: list[str], most: int) -> None:
    agenda = Agenda[str]()
    for key in touched:
        agenda.touch(key)
    taken: list[str] = []
    while part := agenda.take(0, most):
        assert len(part) <= most
        taken += part
    assert taken == list(dict.fromkeys(touched))
