"""Whatever a customer asks for and however long it runs, it never owes more than its limit."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comptoir.desk.requests import LeaseRef
from comptoir.leases.lease import LeaseState
from comptoir.units.errors import Refused
from tests.builders import Book
from tests.desk.test_credit import USD, Limited

ASKED = st.tuples(st.integers(1, 4), st.sampled_from((None, None, 1, 3)))
"""How many cores, and for how many hours; None: without an end."""
STEP = st.one_of(ASKED, st.integers(1, 120), st.just("end"))
"""A request, minutes that pass, or the end of the oldest lease."""


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 200), st.lists(STEP, min_size=4, max_size=24))
def test_what_is_owed_and_held_stays_within_the_limit(
    limit: int, steps: list[tuple[int, int | None] | int | str]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        book = Book(Path(directory))
        acme = Limited(book, f"{limit}.00")
        for step in steps:
            live = [x for x in book.desk.book.leases if x.state is LeaseState.ACTIVE]
            if isinstance(step, tuple):
                before = acme.owed()[2]
                try:
                    acme.lease(*step, notice_s=60)
                except Refused as no:
                    if no.code == "credit_exhausted":
                        wanted = step[0] * (step[1] or 1) * 10
                        assert before + wanted > limit - 1  # to the dollar, what is asked is over
                book.turn()
            elif isinstance(step, int):
                for _ in range(step):
                    book.pass_s(60)
            elif live:
                book.desk.call("end_lease", LeaseRef(live[0].id), book.operator)
            unbilled, held, owed = acme.owed()
            assert owed <= limit
            assert unbilled <= limit
            assert held >= 0
            proof = sum(
                b.amount
                for b in book.desk.book.money.balances
                if b.account == f"unbilled:{acme.acme.id}"
            )
            assert proof <= limit * USD
        book.store.close()
