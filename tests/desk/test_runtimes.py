"""A runtime's environment is judged by the rule of a job's."""

import pytest

from comptoir.desk.requests import DeclareRuntime
from comptoir.units.errors import Invalid
from tests.builders import Book


@pytest.mark.parametrize(
    "pairs",
    [
        (("", "x"),), (("A=B", "x"),), (("A", "x\0"),), (("A\0", "x"),),
        (("A", "1"), ("A", "2")), (("A", "\ud800"),), (("A", "x" * 70_000),),
    ],
)  # fmt: skip
def test_a_runtimes_environment_is_distinct_bounded_pairs(
    book: Book, pairs: tuple[tuple[str, str], ...]
) -> None:
    with pytest.raises(Invalid, match="bad_environment"):
        book.desk.call("declare_runtime", DeclareRuntime("env", (), pairs), book.operator)
    assert book.desk.call(
        "declare_runtime", DeclareRuntime("env", (), (("A", "1"),)), book.operator
    )
