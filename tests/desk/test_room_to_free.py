"""What ends or frees something is taken while nothing else is."""

import pytest

from comptoir.desk.desk import Call
from comptoir.desk.queue import DeskQueue
from comptoir.units.errors import Unavailable
from tests.builders import Book


@pytest.mark.parametrize(
    "operation",
    ["cancel_lease", "cancel_series", "end_lease", "fail_node", "release_hold", "shrink_lease"],
)
def test_what_frees_accelerators_is_taken_when_the_queue_is_full(
    book: Book, operation: str
) -> None:
    queue = DeskQueue(book.desk, most_waiting=1)  # never started: what is taken waits
    queue.put(Call("request_lease", None))
    with pytest.raises(Unavailable) as no:
        queue.put(Call("request_lease", None))
    assert no.value.code == "queue_full"
    queue.put(Call(operation, None))
    assert queue.depth() == 2
