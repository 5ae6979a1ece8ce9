"""`comptoir simulate`: a trace in; a summary, JSON and a page out; bad input by line and field."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from comptoir.cli.main import main

FLEET = """
[[inbound]]
name = "ours"
kind = "h100-sxm"
cost = 1.00
[[inbound.nodes]]
site = "a"
cluster = "b"
racks = 2
accelerators_per_node = 8
"""
RATES = "kind,class,price\nh100-sxm,internal,1\nh100-sxm,on_demand,3\nh100-sxm,spot,0.5\n"
HEADER = "job_id,submit_s,duration_s,accelerators,tenant\n"
KEYS = {
    "jobs", "accepted", "rejected", "utilisation", "wait_s", "bounded_slowdown", "reclaims",
    "goodput", "revenue", "simulated_s", "wall_s",
}  # fmt: skip


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet.toml").write_text(FLEET)
    (tmp_path / "rates.csv").write_text(RATES)
    rows = [
        f"j{n},{n * 400},{1_000 + 977 * n % 5_000},{(1, 2, 8, 16)[n % 4]},t{n % 3}"
        for n in range(60)
    ]
    (tmp_path / "trace.csv").write_text(HEADER + "\n".join([*rows, "huge,90000,5,99,t1"]) + "\n")
    return tmp_path


def simulate(*more: str) -> int:
    return main(["simulate", "trace.csv", "--fleet", "fleet.toml", *more])


class Outside(HTMLParser):
    """Whatever a page would fetch or run, and whether what it opens it closes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fetching = {"script", "link", "img", "iframe", "object", "embed", "image", "use"}
        if tag in fetching or {"href", "src", "xlink:href"} & {name for name, _ in attrs}:
            self.found.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_report_has_its_keys_a_page_and_a_summary(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = ("--json", "out.json", "--html", "out.html", "--rates", "rates.csv")
    assert simulate(*written, "--policy", "comptoir,unsold,fifo,easy") == 0
    report = json.loads((place / "out.json").read_text())
    assert report.keys() >= KEYS
    assert report["wait_s"].keys() >= {"mean", "p50", "p90", "p99", "by_size", "by_class"}
    assert report["bounded_slowdown"].keys() >= {"mean", "p50", "p90", "p99", "by_size"}
    assert (report["jobs"], report["accepted"], report["rejected"]) == (61, 60, 1)
    assert re.fullmatch(r"\d+\.\d{6}", report["revenue"])
    assert float(report["revenue"]) > 0
    assert list(report["policies"]) == ["comptoir", "unsold", "fifo", "easy"]
    said = capsys.readouterr().out
    assert "1 refused, fleet_too_small: the first is huge" in said
    assert max(map(len, said.splitlines())) <= 110
    page = (place / "out.html").read_text()
    outside = Outside()
    outside.feed(page)
    assert (outside.found, outside.open) == ([], [])
    assert page.count("<svg") >= 6
    assert "prefers-color-scheme:dark" in page
    assert "url(" not in page


def test_the_same_seed_writes_the_same_bytes_but_for_the_time_it_took(place: Path) -> None:
    for name in ("one", "two"):
        assert simulate("--json", f"{name}.json", "--html", f"{name}.html", "--seed", "5") == 0
    assert (place / "one.html").read_bytes() == (place / "two.html").read_bytes()
    lines = [(place / f"{name}.json").read_text().splitlines() for name in ("one", "two")]
    differing = [one for one, two in zip(*lines, strict=True) if one != two]
    assert all(line.startswith(' "wall_s":') for line in differing)


def test_more_slices_lose_less_of_fractions(place: Path) -> None:
    (place / "trace.csv").write_text(HEADER + "a,0,3600,0.3,x\nb,0,3600,1,x\n")
    losses = []
    for slices in ("1", "2", "7"):
        assert simulate("--slices", slices, "--json", "out.json", "--mix", "spot=1") == 0
        report = json.loads((place / "out.json").read_text())
        losses.append(report["rounding"]["lost_accelerator_hours"])
    assert losses == [0.7, 0.2, round(3 / 7 - 0.3, 3)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("x,1,-5,1,t", "invalid  bad_trace: trace.csv:63: duration_s: -5 is negative"),
        ("x,1,5,1,t", "invalid  bad_trace: trace.csv:63: submit_s: 1 comes after 90000"),
        ("huge,90000,5,1,t", "trace.csv:63: job_id: 'huge' is also line 62"),
    ],
)
def test_a_bad_row_is_named_by_line_and_field(
    place: Path, capsys: pytest.CaptureFixture[str], row: str, said: str
) -> None:
    with (place / "trace.csv").open("a") as file:
        file.write(row + "\n")
    assert simulate("--json", "out.json") == 2
    assert said in capsys.readouterr().err
    assert not (place / "out.json").exists()


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--strict"], 7, "gang_too_large: trace.csv:62: accelerators: job huge asks for 99"),
        (["--mix", "gold=1"], 2, "bad_mix: 'gold=1'"),
        (["--policy", "best"], 2, "unknown_policy: 'best'"),
        (["--rates", "none.csv"], 2, "bad_file: none.csv cannot be read: No such file"),
        (["--rates", "fleet.toml"], 2, "fleet.toml:"),
        (["--html", "fleet.toml/x.html"], 2, "cannot_write: fleet.toml/x.html"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_code(
    capsys: pytest.CaptureFixture[str], more: list[str], code: int, said: str
) -> None:
    assert simulate(*more) == code
    assert said in capsys.readouterr().err


def test_the_bench_of_replays_says_that_its_trace_is_not_here(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bench", "replay"]) == 2
    assert "no_file: there is no examples/traces/philly-2017.csv.gz here" in capsys.readouterr().err
