"""Values inside a column come back as they went, types and all."""

from dataclasses import dataclass
from enum import StrEnum

from comptoir.store.nested import decoder, encoded


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Leaf:
    colour: Colour | None
    pairs: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Tree:
    name: str
    leaves: tuple[Leaf, ...]
    best: Leaf | None = None
    later: bool = False


def test_nested_values_come_back_with_their_types() -> None:
    tree = Tree("ü", (Leaf(Colour.RED, (("a", 2**60),)), Leaf(None)), Leaf(Colour.RED))
    back = decoder(Tree)(encoded(tree))
    assert back == tree
    assert type(back.leaves[0].colour) is Colour
    assert type(back.leaves[0].pairs[0]) is tuple


def test_a_row_written_before_a_field_was_added_has_its_default() -> None:
    assert decoder(Tree)({"name": "old", "leaves": []}) == Tree("old", ())
