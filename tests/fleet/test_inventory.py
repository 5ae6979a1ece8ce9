"""An inventory in CSV becomes a fleet file; what is wrong is named by line and column."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.fleet.files import FileLease
from comptoir.fleet.inventory import Inventory, Words, read_inventory
from comptoir.fleet.read_file import read_fleet_file
from comptoir.fleet.write_file import write_fleet_file
from comptoir.units.errors import Invalid

LAB = FileLease("lab", "", (), cost_nanos=10**9)
TEXT = """\
node,kind,accelerators,site,cluster,pod,rack,cpus,memory_gib,engine
gpu01,h100-sxm,8,cambridge,a,pod-1,r1,192,2048,slurm
gpu02,h100-sxm,8,cambridge,a,pod-1,r1,192,2048,slurm
login,h100-sxm,0,cambridge,a,pod-1,r1,32,256,

old01,h100-pcie,4,cambridge,a,pod-1,r2,64,512,slurm
"""


def read(text: str, lease: FileLease = LAB, **words: Any) -> Inventory:
    given_words = Words(words.get("columns", {}), words.get("values", {}), words.get("kinds", {}))
    return read_inventory("lab.csv", text, lease, given_words)


def test_alike_nodes_of_a_rack_are_one_block_and_a_kind_is_an_inbound_lease() -> None:
    found = read(TEXT)
    assert found.without == 1
    sxm, pcie = found.file.leases
    assert (sxm.name, sxm.kind, sxm.accelerators) == ("lab-h100-sxm", "h100-sxm", 16)
    assert (pcie.name, pcie.kind, pcie.accelerators) == ("lab-h100-pcie", "h100-pcie", 4)
    (block,) = sxm.blocks
    assert block.nodes.names == ("gpu01", "gpu02")
    node = next(sxm.expand())
    assert (node.site, node.rack, node.cpus, node.memory_bytes, node.engine) == (
        "cambridge", "r1", 192, 2048 << 30, "slurm",
    )  # fmt: skip
    assert sxm.cost_nanos == LAB.cost_nanos


def test_columns_are_mapped_values_set_and_kinds_translated() -> None:
    text = "Host,GPU type,cpu_milli,memory_mib,switch\nh1,A,96000,1024,s1\nh2,B,96500,1024,s1\n"
    found = read(
        text,
        columns={"node": "host", "kind": "gpu TYPE", "rack": "switch"},
        values={"accelerators": "8", "site": "hangzhou"},
        kinds={"A": "h100-sxm", "B": "h100-sxm"},
    )
    (lease,) = found.file.leases
    assert lease.name == "lab"
    assert [(n.name, n.accelerators, n.site, n.rack, n.cpus) for n in lease.expand()] == [
        ("h1", 8, "hangzhou", "s1", 96), ("h2", 8, "hangzhou", "s1", 96),
    ]  # fmt: skip
    assert {node.memory_bytes for node in lease.expand()} == {1 << 30}


def test_a_column_of_leases_parts_the_inventory() -> None:
    text = "node,kind,accelerators,lease\na,mi300x,8,amd\nb,b200,8,\nc,b200,8,rented\n"
    assert [(lease.name, lease.kind) for lease in read(text).file.leases] == [
        ("amd", "mi300x"), ("lab", "b200"), ("rented", "b200"),
    ]  # fmt: skip


PROBLEMS = [
    ("gpu02,h100-sxm", "gpu02,h100", 3, "kind", "unknown_kind"),
    ("gpu02,h100-sxm", "gpu02,", 3, "kind", "file_missing_field"),
    ("gpu02", "gpu01", 3, "node", "fleet_duplicate_name"),
    ("gpu02", "", 3, "node", "file_missing_field"),
    ("old01,h100-pcie,4", "old01,h100-pcie,four", 6, "accelerators", "file_bad_value"),
    ("old01,h100-pcie,4", "old01,h100-pcie,-4", 6, "accelerators", "file_bad_value"),
    ("old01,h100-pcie,4", "old01,h100-pcie,4096", 6, "accelerators", "out_of_range"),
    ("64,512", "64,lots", 6, "memory_gib", "bad_size"),
    ("64,512", "6400000,512", 6, "cpus", "out_of_range"),
    ("r2,64", "r2,64,extra", 6, "", "file_bad_value"),
    ('old01', '"old01', 6, "", "file_bad_value"),
    ("node,kind", "host,kind", 1, "", "file_missing_field"),
]  # fmt: skip


@pytest.mark.parametrize(("was", "now", "line", "column", "code"), PROBLEMS)
def test_a_problem_names_the_file_the_line_and_the_column(
    was: str, now: str, line: int, column: str, code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        read(TEXT.replace(was, now, 1))
    error = refused.value
    assert (error.code, error.facts["line"], error.facts["field"]) == (code, line, column)
    assert error.message.startswith(f"lab.csv:{line}")


def test_a_mapped_column_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(Invalid, match=r"no column 'host' for node; there are node, kind"):
        read(TEXT, columns={"node": "host"})


def test_a_strange_word_is_told_of_once() -> None:
    text = "node,kind,accelerators\na,X,1\nb,X,1\nc,Y,1\nd,X,x\n"
    with pytest.raises(Invalid) as refused:
        read(text)
    told = [(problem["line"], problem["code"]) for problem in refused.value.facts["problems"]]
    assert told == [(2, "unknown_kind"), (4, "unknown_kind"), (5, "file_bad_value")]


@pytest.mark.parametrize("text", ["", "\n\n", "node,kind,accelerators\n", "a,b\0,c\n1,2,3\n"])
def test_an_inventory_without_nodes_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"file_missing_field|file_bad_value"):
        read(text)


rows = st.lists(
    st.tuples(
        st.sampled_from(["h100-sxm", "mi300x"]), st.integers(0, 8), st.sampled_from(["r1", "r2"]),
        st.integers(0, 4),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


@given(rows)
def test_every_row_is_one_node_of_the_file_that_is_written(drawn: list[tuple[Any, ...]]) -> None:
    lines = [f"n{at},{kind},{held},{rack},{cpus}" for at, (kind, held, rack, cpus) in
             enumerate(drawn)]  # fmt: skip
    text = "\n".join(["node,kind,accelerators,rack,cpus", *lines])
    wanted = {
        (f"n{at}", kind, held, rack, cpus)
        for at, (kind, held, rack, cpus) in enumerate(drawn)
        if held
    }
    if not wanted:
        return
    found = read(text)
    again = read_fleet_file("lab.csv", write_fleet_file(found.file))
    assert again == found.file
    assert {
        (node.name, lease.kind, node.accelerators, node.rack, node.cpus)
        for lease in again.leases
        for node in lease.expand()
    } == wanted
    assert found.without == len(drawn) - len(wanted)


def test_a_count_with_thousands_of_digits_is_refused_in_words() -> None:
    with pytest.raises(Invalid, match=r"lab.csv:2: accelerators"):
        read(TEXT.replace("h100-sxm,8", "h100-sxm," + "9" * 5_000, 1))


def test_a_column_that_is_there_twice_is_refused_if_it_is_read() -> None:
    with pytest.raises(Invalid, match="column 'kind' is there twice"):
        read(TEXT.replace("engine", "Kind", 1))
    assert read(TEXT.replace("cpus", "note").replace("engine", "note")).without == 1


def test_cells_between_semicolons_are_said_to_be_so() -> None:
    with pytest.raises(Invalid, match="between semicolons"):
        read(TEXT.replace(",", ";"))
