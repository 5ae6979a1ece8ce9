"""JSON is written as the standard library writes it, whatever the value."""

import json
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.units.wire import json_writer


class Word(StrEnum):
    ONE = "one é"


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from(Word)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=8), inner, max_size=4),
    ),
    max_leaves=12,
)


@given(VALUES, st.booleans(), st.booleans())
def test_a_writer_writes_what_the_standard_library_does(
    value: object, ensure_ascii: bool, sort_keys: bool
) -> None:
    expected = json.dumps(
        value, ensure_ascii=ensure_ascii, sort_keys=sort_keys, separators=(",", ":")
    )
    assert json_writer(ensure_ascii, sort_keys)(value) == expected


def test_what_is_no_json_is_refused() -> None:
    write = json_writer(ensure_ascii=True, sort_keys=True)
    with pytest.raises(TypeError):
        write({"a": object()})
