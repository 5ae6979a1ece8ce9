"""A trace is read exactly, or refused by line and field."""

import gzip
from fractions import Fraction
from pathlib import Path

import pytest

from comptoir.simulation.replay.trace import read_trace
from comptoir.units.errors import Invalid

HEADER = "job_id,submit_s,duration_s,accelerators,tenant\n"


def written(tmp_path: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_rows_are_read_with_their_fractions(tmp_path: Path) -> None:
    text = HEADER + "a,0,10,8,red\nb,0.5,2.25,0.46,\nc,3,0,1,red\n"
    trace = read_trace(written(tmp_path, gzip.compress(text.encode()), "t.csv.gz"))
    assert [(j.id, j.submit_ms, j.duration_ms, j.accelerators, j.tenant) for j in trace.jobs] == [
        ("a", 0, 10_000, 8, "red"),
        ("b", 500, 2_250, Fraction(46, 100), "all"),
    ]
    assert trace.skipped == 1


def test_swf_is_read_by_place(tmp_path: Path) -> None:
    row = "{0} {1} 5 {2} 4 -1 -1 {3} -1 -1 1 7 -1 -1 -1 -1 -1 -1\n"
    text = "; Version: 2.2\n" + row.format(1, 0, 60, 8) + row.format(2, 9, 30, -1)
    text += row.format(3, 10, -1, 8)
    trace = read_trace(written(tmp_path, text, "t.swf"))
    assert [(j.id, j.submit_ms, j.accelerators, j.tenant) for j in trace.jobs] == [
        ("1", 0, 8, "user-7"),
        ("2", 9_000, 4, "user-7"),
    ]
    assert trace.skipped == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEADER + "a,0,-1,8,\n", "t.csv:2: duration_s: -1 is negative"),
        (HEADER + "a,0,nan,8,\n", "t.csv:2: duration_s: 'nan' is not a number"),
        (HEADER + "a,0,1/0,8,\n", "t.csv:2: duration_s: '1/0' is not a number"),
        (HEADER + "a,0,1,9999999,\n", "t.csv:2: accelerators: 9999999 is over 1,000,000"),
        (HEADER + "a,5,1,8,\nb,4,1,8,\n", "t.csv:3: submit_s: 4 comes after 5"),
        (HEADER + "a,5,1,8,\na,5,1,8,\n", "t.csv:3: job_id: 'a' is also line 2"),
        (HEADER + ",5,1,8,\n", "t.csv:2: job_id: it is empty"),
        (HEADER + "a,5,1\n", "t.csv:2: it has 3 cells, the header 5"),
        ("job_id,submit_s,duration_s\n", "t.csv:1: accelerators: there is no such column"),
        (HEADER, "there is no job in it"),
        ("", "t.csv:1: job_id: there is no such column; there are none"),
    ],
)
def test_what_is_wrong_is_said_by_line_and_field(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Invalid, match="bad_trace") as caught:
        read_trace(written(tmp_path, text))
    assert said in caught.value.message


def test_a_broken_gzip_is_said(tmp_path: Path) -> None:
    whole = gzip.compress((HEADER + "a,0,10,8,\n" * 1).encode() + b"x" * 0, mtime=0)
    with pytest.raises(Invalid, match=r"bad_trace: t.csv.gz:\d+: the gzip is broken"):
        read_trace(written(tmp_path, whole[:-9], "t.csv.gz"))
    with pytest.raises(Invalid, match=r"it is called .gz and is not gzip"):
        read_trace(written(tmp_path, HEADER, "t.csv.gz"))
    with pytest.raises(Invalid, match=r"nowhere.csv: it cannot be read: No such file"):
        read_trace(tmp_path / "nowhere.csv")
