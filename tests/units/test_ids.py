"""Ids never collide, and keep the order in which they were given."""

from hypothesis import given
from hypothesis import strategies as st

from comptoir.units.ids import encode_id, id_number


def test_ids_of_a_book_are_unique() -> None:
    assert len({encode_id("ls", n) for n in range(200_000)}) == 200_000


@given(st.integers(0, 10**15))
def test_an_id_leads_back_to_its_number(number: int) -> None:
    assert id_number(encode_id("ls", number)) == number
