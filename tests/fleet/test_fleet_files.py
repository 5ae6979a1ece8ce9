"""A fleet file expands as it says, is written as it is read, and its problems are placed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.fleet.conditions import Conditions, SoldTo
from comptoir.fleet.files import (
    DEFAULT_NODE_NAME,
    Block,
    FileLease,
    FleetFile,
    Span,
    check_node_name,
    parse_size,
)
from comptoir.fleet.nodes import MOST_ACCEPT_WITHIN_S, MOST_FENCE_AFTER_S
from comptoir.fleet.read_file import read_fleet_file
from comptoir.fleet.topology import Fabric
from comptoir.fleet.write_file import write_fleet_file
from comptoir.units.errors import Invalid
from comptoir.units.reading import MOST_PROBLEMS
from comptoir.units.recurrence import parse_recurrence
from comptoir.units.time import parse_instant

LLAMA3 = """\
[[inbound]]
name = "llama3"
kind = "h100-sxm"
cost = 1.60
starts = 2026-11-01
ends = 2029-11-01T00:00:00+01:00

[[inbound.nodes]]
site = "menlo"
cluster = "roce"
pods = 8
racks = 192
nodes = 2
accelerators_per_node = 8
memory = "2 TiB"
accelerators = 24576

[[cluster]]
site = "menlo"
name = "roce"
fabric = "RoCE"
gbps = 400
between_pods = "7:1"
"""


def test_the_cluster_of_24_576_is_a_few_lines() -> None:
    file = read_fleet_file("llama3.toml", LLAMA3)
    (lease,) = file.leases
    nodes = list(lease.expand())
    assert (len(nodes), lease.accelerators) == (3_072, 24_576)
    assert len({(node.pod, node.rack) for node in nodes}) == 1_536
    assert sum(node.accelerators for node in nodes if node.pod == "pod-3") == 3_072
    assert nodes[0].name == "menlo-roce-1-1-1"
    assert nodes[-1].name == "menlo-roce-8-192-2"
    assert {node.memory_bytes for node in nodes} == {2 << 40}
    assert lease.cost_nanos == 1_600_000_000
    assert lease.starts_at_ms == parse_instant("2026-11-01T00:00:00Z")
    assert lease.ends_at_ms == parse_instant("2029-10-31T23:00:00Z")
    assert file.fabrics == (Fabric("menlo", "roce", "RoCE", 400, "", "7:1"),)


# The expander, and the writer with it.

names = st.text(st.sampled_from("abcé \"\\'0-"), min_size=1, max_size=6).filter(
    lambda name: name.isprintable()
)
spans = st.one_of(
    st.builds(lambda first, more: Span(first, first + more), st.integers(0, 20), st.integers(0, 4)),
    st.lists(names, min_size=1, max_size=9, unique=True).map(lambda few: Span(1, 0, tuple(few))),
)
sizes = st.one_of(st.integers(0, 900).map(lambda n: n << 20), st.integers(0, 900).map(
    lambda n: n * 10**9))  # fmt: skip
blocks = st.builds(
    Block,
    site=names,
    cluster=names,
    accelerators_per_node=st.integers(1, 72),
    pods=spans,
    racks=spans,
    nodes=st.builds(lambda first, more: Span(first, first + more), st.integers(0, 9),
                    st.integers(0, 3)),
    memory_bytes=sizes,
    cpus=st.integers(0, 512),
    engine=st.sampled_from(["", "slurm"]),
    node_name=st.sampled_from([DEFAULT_NODE_NAME, "{cluster}/{pod:2}/{rack:3}/{node}@{site}"]),
    spare=st.booleans(),
    gated=st.sampled_from([None, True, False]),
    fence_after_s=st.integers(0, MOST_FENCE_AFTER_S),
    accept_within_s=st.integers(0, MOST_ACCEPT_WITHIN_S),
)  # fmt: skip
conditions = st.builds(
    Conditions,
    st.sampled_from(SoldTo),
    st.sampled_from([(), (parse_recurrence("weekdays 20:00 to 08:00 Europe/Paris"),)]),
    st.sampled_from(["", "erc-7"]),
    st.sampled_from(["", "FR", "US-VA"]),
)
leases = st.builds(
    FileLease,
    name=names,
    kind=st.sampled_from(["h100-sxm", "mtia-v2"]),
    blocks=st.lists(blocks, min_size=1, max_size=2).map(tuple),
    partner=st.sampled_from(["owned", "nebius"]),
    starts_at_ms=st.none() | st.integers(0, 10**12),
    ends_at_ms=st.none() | st.integers(10**12 + 1, 10**13),
    cost_nanos=st.integers(0, 10**12),
    currency=st.sampled_from(["USD", "EUR"]),
    conditions=conditions,
)
ratios = st.sampled_from(["", "1:1", "7:1", "1.5:1"])
fabrics = st.builds(Fabric, names, names, names, st.integers(0, 800), ratios, ratios)
files = st.builds(
    lambda found, joined: FleetFile(
        "drawn.toml",
        tuple({lease.name: lease for lease in found}.values()),
        tuple({(fabric.site, fabric.cluster): fabric for fabric in joined}.values()),
    ),
    st.lists(leases, min_size=1, max_size=3),
    st.lists(fabrics, max_size=2),
)


@given(blocks)
def test_counts_multiply_and_each_node_stands_in_its_place(block: Block) -> None:
    nodes = list(block.expand())
    assert len(nodes) == block.node_count == len(block.pods) * len(block.racks) * len(block.nodes)
    assert sum(node.accelerators for node in nodes) == block.accelerators
    places = {(node.pod, node.rack) for node in nodes}
    assert len(places) == len(block.pods) * len(block.racks)
    assert {(node.site, node.cluster) for node in nodes} == {(block.site, block.cluster)}


@given(files)
def test_a_file_is_read_as_it_was_written_or_names_are_not_unique(file: FleetFile) -> None:
    given_names = [node.name for lease in file.leases for node in lease.expand()]
    text = write_fleet_file(file, "a header\n\nof three lines")
    if len(set(given_names)) == len(given_names):
        assert read_fleet_file(file.name, text) == file
        return
    with pytest.raises(Invalid, match=r"fleet_duplicate_name|fleet_node_in_two_leases"):
        read_fleet_file(file.name, text)


# Problems, each with its line and field.

PROBLEMS = [
    ("accelerators = 24576", "accelerators = 24575", 16, "accelerators", "fleet_counts"),
    ("racks = 192", "racks = 191", 16, "accelerators", "fleet_counts"),
    ('kind = "h100-sxm"', 'kind = "h100"', 3, "inbound[0].kind", "unknown_kind"),
    ('kind = "h100-sxm"', "kind = 100", 3, "inbound[0].kind", "file_bad_value"),
    ('kind = "h100-sxm"', "", 1, "inbound[0]", "file_missing_field"),
    ("cost = 1.60", "cost = -1.60", 4, "inbound[0].cost", "bad_price"),
    ("cost = 1.60", "cost = 1e3", 4, "inbound[0].cost", "bad_price"),
    ("cost = 1.60", "cost = true", 4, "inbound[0].cost", "file_bad_value"),
    ("cost = 1.60", 'currency = "XXX"', 4, "inbound[0].currency", "unknown_currency"),
    ("starts = 2026-11-01", "starts = 2026-11-01T00:00:00", 5, "starts", "bad_instant"),
    ("starts = 2026-11-01", "starts = 07:30:00", 5, "starts", "bad_instant"),
    ("starts = 2026-11-01", 'starts = "soon"', 5, "starts", "bad_instant"),
    ("starts = 2026-11-01", "starts = 2030-01-01", 6, "ends", "end_before_start"),
    ("starts = 2026-11-01", "start = 2026-11-01", 5, "inbound[0].start", "file_unknown_field"),
    ("starts = 2026-11-01", 'sold_to = "friends"', 5, "sold_to", "file_bad_value"),
    ("starts = 2026-11-01", 'selling_windows = "at night"', 5, "selling_w", "bad_recurrence"),
    ("starts = 2026-11-01", 'grant = "NSF 1"', 5, "inbound[0].grant", "bad_slug"),
    ("starts = 2026-11-01", 'residency = "France"', 5, "residency", "bad_residency"),
    ("pods = 8", "pods = 0", 11, "inbound[0].nodes[0].pods", "out_of_range"),
    ("pods = 8", 'pods = "8-1"', 11, "inbound[0].nodes[0].pods", "file_bad_value"),
    ("pods = 8", "pods = [1, 2]", 11, "inbound[0].nodes[0].pods", "file_bad_value"),
    ("pods = 8", "pods = 2.5", 11, "inbound[0].nodes[0].pods", "file_bad_value"),
    ("pods = 8", 'pods = "two"', 11, "inbound[0].nodes[0].pods", "file_bad_value"),
    ("pods = 8", 'pods = "1-3,7"', 11, "inbound[0].nodes[0].pods", "file_bad_value"),
    ("pods = 8", 'pods = "1..4"', 11, "inbound[0].nodes[0].pods", "file_bad_value"),
    ("nodes = 2", "nodes = true", 13, "inbound[0].nodes[0].nodes", "file_bad_value"),
    ("starts = 2026-11-01", 'residency = "ZZ"', 5, "residency", "unknown_country"),
    ("racks = 192", "racks = 100000", 13, "inbound[0].nodes[0].nodes", "fleet_counts"),
    ("nodes = 2", 'node_name = "n{pod}-{rock}"', 13, "node_name", "bad_node_name"),
    ("nodes = 2", 'nodes = ["a", "b"]', 13, "nodes[0].nodes[0]", "fleet_duplicate_name"),
    ('memory = "2 TiB"', "memory = 2048", 15, "memory", "file_bad_value"),
    ('memory = "2 TiB"', 'memory = "2 elephants"', 15, "memory", "bad_size"),
    ('memory = "2 TiB"', 'spare = "yes"', 15, "spare", "file_bad_value"),
    ('memory = "2 TiB"', "fence_after = 300", 15, "fence_after", "file_bad_value"),
    ('memory = "2 TiB"', 'fence_after = "a while"', 15, "fence_after", "bad_duration"),
    ('memory = "2 TiB"', 'accept_within = "8d"', 15, "accept_within", "out_of_range"),
    ("[[inbound.nodes]]", "[inbound.nodes]", 8, "inbound[0].nodes", "file_bad_value"),
    ("[[cluster]]", "[[clusters]]", 18, "clusters", "file_unknown_field"),
    ('between_pods = "7:1"', 'between_pods = "7"', 23, "between_pods", "bad_ratio"),
    ('name = "roce"', 'name = "roce', 20, "", "file_not_toml"),
    ("gbps = 400", "gbps = 400\ngbps = 800", 23, "", "file_not_toml"),
    ("gbps = 400", 'gbps = 400\n[[cluster]]\nsite="menlo"\nname="roce"\nfabric="IB"', 25,
     "cluster[1].name", "fleet_duplicate_name"),
]  # fmt: skip


@pytest.mark.parametrize(("was", "now", "line", "field", "code"), PROBLEMS)
def test_a_problem_names_the_file_the_line_and_the_field(
    was: str, now: str, line: int, field: str, code: str
) -> None:
    assert LLAMA3.count(was) >= 1
    with pytest.raises(Invalid) as refused:
        read_fleet_file("llama3.toml", LLAMA3.replace(was, now, 1))
    error = refused.value
    assert (error.code, error.facts["line"]) == (code, line), str(error)
    assert field in error.facts["field"]
    assert error.message.startswith(f"llama3.toml:{line}: ")
    assert error.facts["file"] == "llama3.toml"


def test_a_node_in_two_inbound_leases_is_named_with_both() -> None:
    second = LLAMA3.split("[[cluster]]")[0].replace('"llama3"', '"more"')
    second = second.replace("pods = 8", 'pods = "8-9"').replace("24576", "6144")
    with pytest.raises(Invalid, match="menlo-roce-8-1-1") as refused:
        read_fleet_file("two.toml", LLAMA3 + second)
    assert refused.value.code == "fleet_node_in_two_leases"
    assert refused.value.facts["line"] == 24 + 12
    assert "line 13" in refused.value.message


def test_all_problems_are_told_at_once_in_the_order_of_lines() -> None:
    text = LLAMA3.replace("cost = 1.60", "kost = 1").replace("gbps = 400", "gbps = -1").replace(
        '"h100-sxm"', '"h100"')  # fmt: skip
    with pytest.raises(Invalid, match=r"and 2 more") as refused:
        read_fleet_file("llama3.toml", text)
    problems = refused.value.facts["problems"]
    assert [problem["line"] for problem in problems] == [3, 4, 22]
    assert "did you mean cost" in _problem_of("cost = 1.60", "kost = 1").next


def _problem_of(was: str, now: str) -> Invalid:
    with pytest.raises(Invalid) as refused:
        read_fleet_file("llama3.toml", LLAMA3.replace(was, now))
    return refused.value


def test_a_file_of_very_many_problems_tells_a_bounded_number() -> None:
    many = "\n".join(f"x{n} = 1" for n in range(100))
    with pytest.raises(Invalid) as refused:
        read_fleet_file("x.toml", f"{many}\n{LLAMA3}")
    assert len(refused.value.facts["problems"]) == MOST_PROBLEMS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a = " + "[" * 3_000,
        "# " + "x" * (1 << 20),
        "x = \0",
        "x = " + "9" * 5_000,
        "a" + ".a" * 20_000 + " = 1",
        "[" + ".".join(['"a b"'] * 40) + "]",
    ],
)
def test_what_is_no_fleet_file_is_refused_in_words(text: str) -> None:
    with pytest.raises(Invalid, match=r"file_not_toml|file_missing_field"):
        read_fleet_file("x.toml", text)


def test_more_nodes_than_are_taken_are_counted_before_they_are_written_out() -> None:
    block = LLAMA3[LLAMA3.index("[[inbound.nodes]]") : LLAMA3.index("accelerators = 24576")]
    block = block.replace("racks = 192", "racks = 250").replace("nodes = 2", "nodes = 500")
    head = LLAMA3[: LLAMA3.index("[[inbound.nodes]]")]
    with pytest.raises(Invalid, match="3,000,000 nodes") as refused:
        read_fleet_file("x.toml", head + 3 * block)
    assert refused.value.code == "fleet_counts"


def test_counts_of_a_lease_are_checked_over_its_blocks() -> None:
    text = LLAMA3.replace('kind = "h100-sxm"', 'kind = "h100-sxm"\naccelerators = 99')
    with pytest.raises(Invalid, match=r"llama3.toml:4: .*make 24,576, not 99"):
        read_fleet_file("llama3.toml", text)


@pytest.mark.parametrize("said", ['"3"', '"3-3"'])
def test_one_of_the_numbered_is_that_one_and_no_new_place(said: str) -> None:
    file = read_fleet_file("llama3.toml", LLAMA3.replace("pods = 8", f"pods = {said}").replace(
        "24576", "3072"))  # fmt: skip
    assert {node.pod for node in file.leases[0].blocks[0].expand()} == {"pod-3"}


def test_node_names_follow_their_pattern() -> None:
    block = Block("s", "c", 8, Span(9, 10), Span(1, 0, ("blue",)), Span(1, 2))
    named = replace(block, node_name=check_node_name("node_name", "gpu{pod:3}{rack}-{node}"))
    assert [node.name for node in named.expand()] == [
        "gpu009blue-1", "gpu009blue-2", "gpu010blue-1", "gpu010blue-2",
    ]  # fmt: skip
    assert {(node.pod, node.rack) for node in named.expand()} == {
        ("pod-9", "blue"), ("pod-10", "blue"),
    }  # fmt: skip


def test_sizes_are_exact() -> None:
    assert parse_size("memory", "1536 GiB") == 1536 << 30
    assert parse_size("memory", "80 GB") == 80 * 10**9
    for text in ("", "1", "GiB", "-1 GiB", "1.5 TiB", "2000 TiB", "1 GiB\n"):
        with pytest.raises(Invalid, match="bad_size"):
            parse_size("memory", text)


def test_a_value_of_the_wrong_type_is_shown_as_written_and_says_where_its_format_is() -> None:
    with pytest.raises(Invalid, match="true is not a count") as no:
        read_fleet_file("f.toml", LLAMA3.replace("nodes = 2", "nodes = true"))
    assert no.value.next == "see docs/operate/fleet.md: The file, field by field"


def test_a_control_character_is_named_and_not_the_length() -> None:
    with pytest.raises(Invalid, match=r"its character 3 is '\\x07'") as no:
        read_fleet_file("f.toml", LLAMA3.replace('name = "', 'name = "ab\\u0007', 1))
    assert no.value.code == "bad_text"


def test_what_has_ended_already_is_a_problem_of_its_line() -> None:
    ends = "ends = 2029-11-01T00:00:00+01:00"
    text = LLAMA3.replace("starts = 2026-11-01\n", "").replace(ends, "ends = 2020-01-01")
    read_fleet_file("f.toml", text)
    with pytest.raises(Invalid, match=r"2020-01-01T00:00:00\.000Z has passed") as no:
        read_fleet_file("f.toml", text, 1_790_000_000_000)
    assert (no.value.code, no.value.facts["field"]) == ("end_in_the_past", "inbound[0].ends")
