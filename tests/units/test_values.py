"""Quick values are as frozen, equal and printable as the dataclasses they are made of."""

import copy
import dataclasses
import json
import pickle
from dataclasses import FrozenInstanceError, dataclass, field

import pytest

from comptoir.leases.allocation import Allocation
from comptoir.leases.jobs import Attempt, Job
from comptoir.leases.lease import Lease
from comptoir.units.errors import Invalid, InvariantBroken
from comptoir.units.time import Window
from comptoir.units.values import Term, quick, replace


@dataclass(frozen=True, slots=True)
class Plain:
    first: int
    second: str = "b"
    third: tuple[int, ...] = (1, 2)


@quick
@dataclass(frozen=True, slots=True)
class Quick:
    first: int
    second: str = "b"
    third: tuple[int, ...] = (1, 2)


GIVEN = [((1,), {}), ((1, "x"), {}), ((), {"first": 1, "third": ()}), ((1,), {"second": "y"})]


@pytest.mark.parametrize(("args", "names"), GIVEN)
def test_a_quick_value_is_what_the_plain_one_is(args: tuple, names: dict) -> None:
    plain, made = Plain(*args, **names), Quick(*args, **names)
    assert repr(made) == repr(plain).replace("Plain", "Quick")
    assert type(made) is Quick
    assert made == Quick(*args, **names)
    assert made != Quick(2)
    assert hash(made) == hash(plain)
    assert not hasattr(made, "__dict__")
    assert copy.deepcopy(made) == made
    assert pickle.loads(pickle.dumps(made)) == made


@pytest.mark.parametrize(("args", "names"), [((), {}), ((1, "x", (), 4), {}), ((1,), {"other": 2})])
def test_what_does_not_fit_is_no_value(args: tuple, names: dict) -> None:
    with pytest.raises(TypeError):
        Quick(*args, **names)


def test_a_quick_value_stays_as_it_was_made() -> None:
    made = Quick(1)
    with pytest.raises(FrozenInstanceError):
        made.first = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del made.first


@quick
@dataclass(frozen=True, slots=True)
class Single:
    only: int


def test_replace_is_what_the_standard_librarys_is() -> None:
    made = Quick(1, "x")
    expected = dataclasses.replace(made, third=(), first=3)
    assert replace(made, third=(), first=3) == expected == Quick(3, "x", ())
    assert replace(made) is made
    assert replace(made, first=1, second="x") is made
    assert replace(Single(1), only=2) == Single(2)
    with pytest.raises(AttributeError):
        replace(made, other=1)


def test_a_value_is_still_judged_when_it_is_made() -> None:
    with pytest.raises(Invalid):
        Window(2, 1)
    with pytest.raises(Invalid):
        replace(Window(1, 2), end_ms=0)


def test_a_class_that_quick_cannot_fill_is_refused_when_it_is_declared() -> None:
    @dataclass(frozen=True, slots=True)
    class Listed:
        items: list[int] = field(default_factory=list)

    with pytest.raises(InvariantBroken):
        quick(Listed)


@pytest.mark.parametrize("kind", [Lease, Allocation, Job, Attempt])
def test_the_book_s_busiest_values_are_quick(kind: type) -> None:
    assert kind.__init__.__code__.co_filename == "<string>"
    assert "_become" in kind.__init__.__code__.co_names


class Colour(Term):
    RED = "red"


def test_a_term_is_found_by_itself_and_by_its_word() -> None:
    assert hash(Colour.RED) == hash("red")
    assert {Colour.RED: 1}["red"] == 1
    assert Colour("red") is Colour.RED
    assert json.dumps({"c": Colour.RED}) == '{"c": "red"}'
    assert pickle.loads(pickle.dumps(Colour.RED)) is Colour.RED
