"""The agenda says when it will next have something to look at."""

from hypothesis import given
from hypothesis import strategies as st

from comptoir.desk.agenda import Agenda

KEYS = st.sampled_from("abcd")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("touch"), KEYS, st.just(0)),
        st.tuples(st.just("remind"), KEYS, st.integers(1, 20)),
        st.tuples(st.just("take"), st.just(""), st.integers(0, 20)),
        st.tuples(st.just("next"), st.just(""), st.integers(0, 20)),
    ),
    max_size=30,
)


@given(STEPS)
def test_the_next_instant_is_the_first_reminder_past_an_instant(
    steps: list[tuple[str, str, int]],
) -> None:
    """Asking changes nothing: what is taken afterwards is what a second agenda gives."""
    asked, silent = Agenda[str](), Agenda[str]()
    reminders: dict[str, int] = {}
    for step, key, at in steps:
        if step == "touch":
            asked.touch(key)
            silent.touch(key)
        elif step == "remind":
            asked.remind(key, at)
            silent.remind(key, at)
            reminders[key] = at
        elif step == "take":
            assert asked.take(at, 10) == silent.take(at, 10)
            reminders = {one: due for one, due in reminders.items() if due > at}
        else:
            later = [due for due in reminders.values() if due > at]
            assert asked.next_ms(at) == min(later, default=None)
