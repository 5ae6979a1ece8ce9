"""The fleet's drawing fits its width, shows what there is, and gets coarser as it grows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.cli.commands.fleet_files import text_of
from comptoir.cli.fleet_map import MOST_ROWS, Unit, _signs, lines, natural

SIGNS = {"leased": "#", "most": "+", "some": "-", "free": ".", "spare": "s", "out": "x"}
FABRIC = {"site": "menlo", "cluster": "roce", "name": "RoCE", "gbps": 400,
          "between_racks": "", "between_pods": "7:1"}  # fmt: skip


def drawn(units: list[Unit], width: int = 100, **more: Any) -> list[str]:
    return [line.plain for line in lines(units, [FABRIC], width, SIGNS, **more)]


def racks(pods: int, count: int, leased: int = 0) -> Iterator[Unit]:
    for pod in range(1, pods + 1):
        for rack in range(1, count + 1):
            yield Unit(("menlo", "roce", f"pod-{pod}", f"rack-{rack}"), "h100-sxm", 2, 16,
                       leased, 0)  # fmt: skip


def test_a_pod_is_a_row_and_its_racks_are_its_cells() -> None:
    second = [unit for unit in racks(2, 60) if unit.place[2] == "pod-2"]
    units = [*racks(1, 60, 16), *second]
    units[0] = Unit(units[0].place, "h100-sxm", 2, 16, 0, 16)
    said = drawn(units)
    assert said[0] == "1,920 x h100-sxm   944 leased (49 %)   960 free   16 out of service"
    assert said[2] == "menlo/roce   RoCE   400 Gb/s   7:1 between pods"
    assert "x###" in said[3] and "944 of 960 leased, 120 nodes" in said[3]
    assert "....." in said[4] and "0 of 960 leased, 120 nodes" in said[4]


def test_a_spare_is_drawn_as_a_spare_and_not_as_out_of_service() -> None:
    units = list(racks(1, 40))
    units[0] = Unit(units[0].place, "h100-sxm", 2, 16, 0, 0, 16)
    units[1] = Unit(units[1].place, "h100-sxm", 2, 16, 0, 16)
    said = drawn(units)
    assert said[0] == ("640 x h100-sxm   0 leased (0 %)   608 free   16 spare   16 out of service")
    assert "sx.." in said[3]
    assert said[-1] == "# leased  + mostly  - partly  . free  s spare  x out of service"
    wide = drawn([Unit(("a", "b", "c", "d"), "h100-sxm", 4, 32, 8, 8, 8)])
    assert [wide[3].split("  ")[2].count(sign) for sign in "#.sx"] == [16, 16, 16, 16]


def test_cells_hold_several_racks_or_racks_several_cells() -> None:
    wide = drawn(list(racks(1, 6, 8)))
    assert wide[3].count("#") == wide[3].count(".") > 0
    many = drawn(list(racks(1, 192, 8)))
    assert set(many[3].split("  ")[2].strip()) == {"+"}


def test_pods_are_in_the_order_in_which_people_count() -> None:
    assert sorted(["pod-10", "pod-2", "pod", "a-1"], key=natural) == [
        "a-1",
        "pod",
        "pod-2",
        "pod-10",
    ]


def test_a_fleet_of_many_pods_is_drawn_by_clusters() -> None:
    said = drawn(list(racks(MOST_ROWS + 1, 2)))
    assert [line for line in said if "roce" in line and "leased" in line]
    assert len(said) < 8


def test_what_little_is_leased_is_seen() -> None:
    units = [Unit(("s", "c", "p", "r"), "b200", 10, 1_000, 1, 1)]
    row = drawn(units)[3]
    assert "#" in row and "x" in row and "." in row


def test_a_file_is_drawn_without_what_only_a_book_knows() -> None:
    said = drawn(list(racks(1, 4)), live=False)
    assert said[0] == "64 x h100-sxm"
    assert said[3].endswith("64 in 8 nodes")
    assert not [line for line in said if "leased" in line]


def test_what_teams_are_entitled_to_is_said_of_the_whole() -> None:
    said = drawn(list(racks(1, 4, 8)), entitled={"h100-sxm": 1_000})
    assert said[0].endswith("32 free   1,000 entitled")


def test_an_empty_fleet_draws_nothing() -> None:
    assert drawn([]) == []


@st.composite
def units(draw: st.DrawFn) -> list[Unit]:
    found = []
    for number in range(draw(st.integers(1, 40))):
        whole = draw(st.integers(1, 5_000))
        leased = draw(st.integers(0, whole))
        place = (
            draw(st.sampled_from(["paris-1", "a-site-with-a-very-long-name-indeed-" * 2])),
            draw(st.sampled_from(["a", "b"])),
            f"pod-{draw(st.integers(1, 60))}",
            f"rack-{number}",
        )
        out = draw(st.integers(0, whole - leased))
        found.append(Unit(place, draw(st.sampled_from(["h100-sxm", "mtia-v2"])), 2, whole, leased,
                          out))  # fmt: skip
    return sorted(found, key=lambda unit: [natural(name) for name in unit.place])


@given(units(), st.sampled_from([100, 80, 60]))
def test_no_line_is_wider_than_the_terminal_and_nothing_is_lost(
    found: list[Unit], width: int
) -> None:
    said = drawn(found, width)
    assert max(len(line) for line in said) <= width
    rows = [line for line in said if line.startswith("  ")]
    leased = [int(line.split(" of ")[0].split()[-1].replace(",", "")) for line in rows]
    assert sum(leased) == sum(unit.leased for unit in found)


def test_what_cannot_show_blocks_gets_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain:
        encoding = "ascii"

    monkeypatch.setattr("sys.stdout", Plain())
    assert _signs() == SIGNS


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    inventory = tmp_path / "lab.csv"
    inventory.write_bytes(b"\xef\xbb\xbfnode,kind\r\n")
    assert text_of(inventory).startswith("node,kind")
