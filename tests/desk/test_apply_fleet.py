"""A fleet file is applied whole or not at all, once or many times."""

from pathlib import Path

import pytest

from comptoir.desk.requests import ApplyFleet, EndSupply, FleetApplied
from comptoir.fleet.read_file import read_fleet_file
from comptoir.leases.inbound import InboundState
from comptoir.units.errors import Conflict, Invalid
from tests.builders import Book

EXAMPLES = Path(__file__).parents[2] / "examples" / "fleets"
TEXT = """\
[[inbound]]
name = "one"
kind = "h100-sxm"
cost = 1.60
residency = "FR"
[[inbound.nodes]]
site = "paris"
cluster = "a"
racks = 2
nodes = 2
accelerators_per_node = 8
[[inbound]]
name = "two"
kind = "mi300x"
[[inbound.nodes]]
site = "paris"
cluster = "b"
nodes = ["m1", "m2"]
accelerators_per_node = 8
[[cluster]]
site = "paris"
name = "a"
fabric = "RoCE"
between_pods = "7:1"
"""


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


def apply(book: Book, text: str, dry_run: bool = False) -> FleetApplied:
    request = ApplyFleet(read_fleet_file("fleet.toml", text), dry_run)
    applied = book.desk.call("apply_fleet", request, book.operator)
    assert isinstance(applied, FleetApplied)
    return applied


def counts(book: Book) -> tuple[int, int, int]:
    return len(book.desk.book.inbound), len(book.desk.book.nodes), len(book.desk.book.fabrics)


def test_a_file_declares_all_it_says(book: Book) -> None:
    applied = apply(book, TEXT)
    assert (applied.nodes, applied.accelerators) == (6, 48)
    assert [(lease.name, lease.action) for lease in applied.leases] == [
        ("one", "declare"), ("two", "declare"),
    ]  # fmt: skip
    assert counts(book) == (2, 6, 1)
    one = book.desk.book.inbound_by_name.first("one")
    assert one is not None and (one.cost_nanos, one.residency) == (1_600_000_000, "FR")
    book.desk.reload()
    assert counts(book) == (2, 6, 1)


def test_a_dry_run_says_it_and_changes_nothing(book: Book) -> None:
    version = book.desk.book.version
    said = apply(book, TEXT, dry_run=True)
    assert said.dry_run and said.nodes == 6
    assert {lease.inbound_lease_id for lease in said.leases} == {None}
    assert [cluster.action for cluster in said.clusters] == ["set"]
    assert counts(book) == (0, 0, 0)
    assert book.desk.book.version == version


def test_a_file_applied_again_changes_nothing_and_more_of_it_is_added(book: Book) -> None:
    first = apply(book, TEXT)
    version = book.desk.book.version
    again = apply(book, TEXT)
    assert {lease.action for lease in again.leases} == {"unchanged"}
    assert [lease.inbound_lease_id for lease in again.leases] == [
        lease.inbound_lease_id for lease in first.leases
    ]
    assert (again.nodes, book.desk.book.version) == (0, version)
    second = TEXT[TEXT.index('[[inbound]]\nname = "two"') : TEXT.index("[[cluster]]")]
    third = second.replace('"two"', '"three"').replace('"m1", "m2"', '"m3", "m4"')
    more = TEXT.replace("[[cluster]]", f"{third}[[cluster]]")
    assert [(lease.name, lease.action) for lease in apply(book, more).leases] == [
        ("one", "unchanged"), ("two", "unchanged"), ("three", "declare"),
    ]  # fmt: skip


CONFLICTS = [
    ("cost = 1.60", "cost = 1.70", "cost is 1.70 in the file and 1.60 in the book"),
    ("cost = 1.60", "cost = 1.60\nends = 2999-01-01", "ends is 2999-01-01"),
    ("cost = 1.60", "cost = 1.60\nstarts = 2001-01-01", "starts is 2001-01-01"),
    ('residency = "FR"', 'residency = "DE"', "its conditions differ"),
    ("racks = 2", "racks = 3", "2 nodes are in the file and not in the book: paris-a-1-3-1"),
    ("racks = 2", "racks = 1", "2 nodes are in the book and not in the file"),
    ("accelerators_per_node = 8", "accelerators_per_node = 4", "4 nodes are other in the file"),
    ('name = "one"', 'name = "uno"', "node 'paris-a-1-1-1' of 'uno' is in another inbound lease"),
    ('kind = "mi300x"', 'kind = "b200"', "kind is b200 in the file and mi300x in the book"),
]


@pytest.mark.parametrize(("was", "now", "reason"), CONFLICTS)
def test_what_the_book_says_otherwise_is_a_conflict_with_its_reason(
    book: Book, was: str, now: str, reason: str
) -> None:
    apply(book, TEXT)
    before = counts(book)
    with pytest.raises(Conflict, match="fleet_conflicts") as refused:
        apply(book, TEXT.replace(was, now, 1))
    assert any(reason in one for one in refused.value.facts["reasons"]), refused.value.facts
    assert counts(book) == before


def test_a_file_is_all_or_nothing(book: Book) -> None:
    late = TEXT.replace('kind = "mi300x"', 'kind = "mi300x"\nends = 2001-01-01')
    with pytest.raises(Invalid, match="end_before_start"):
        apply(book, late)
    assert counts(book) == (0, 0, 0)


def test_facts_of_a_fabric_are_corrected(book: Book) -> None:
    apply(book, TEXT)
    changed = apply(book, TEXT.replace("7:1", "4:1"))
    assert [cluster.action for cluster in changed.clusters] == ["change"]
    assert book.desk.book.fabrics["paris", "a"].between_pods == "4:1"


def test_an_ended_inbound_lease_may_be_declared_again_by_its_name(book: Book) -> None:
    applied = apply(book, TEXT)
    ended = applied.leases[0].inbound_lease_id
    assert ended is not None
    gone = book.desk.call("end_supply", EndSupply(ended), book.operator)
    assert gone.state is InboundState.ENDED
    again = apply(book, TEXT)
    assert [lease.action for lease in again.leases] == ["declare", "unchanged"]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_examples_can_be_applied(book: Book, path: Path) -> None:
    applied = apply(book, path.read_text())
    assert applied.nodes == len(book.desk.book.nodes) > 0
    if path.stem == "llama3-24576":
        assert (applied.nodes, applied.accelerators) == (3_072, 24_576)


def test_a_fabric_of_a_cluster_in_which_no_node_stands_is_a_conflict(book: Book) -> None:
    slip = TEXT.replace('name = "a"\nfabric', 'name = "A"\nfabric')
    with pytest.raises(Conflict, match=r"fleet_conflicts.*no node stands in the cluster paris/A"):
        apply(book, slip)
    apply(book, TEXT)
    only = 'site = "lyon"\ncluster = "a"\nnode_name = "l-{rack}-{node}"\n'
    other = TEXT.split("[[inbound]]")[1].replace('"one"', '"three"')
    other = "[[inbound]]" + other.replace('site = "paris"\ncluster = "a"\n', only)
    apply(book, other + TEXT[TEXT.index("[[cluster]]") :])  # its nodes came before
