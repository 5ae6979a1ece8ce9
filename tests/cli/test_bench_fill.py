"""The fill bench: what is asked for, that it is really handed over, and what it says of Slurm."""

from pathlib import Path

import pytest

from comptoir.cli.bench import fill, slurm


def test_the_stream_is_always_the_same_mix() -> None:
    sizes = fill.stream()
    assert sizes == fill.stream() != sorted(sizes)
    assert (len(sizes), sum(sizes), max(sizes)) == (4_720, 23_732, 1_024)
    assert sum(size > 8 for size in sizes) == 220
    assert all(size % 8 == 0 for size in sizes if size > 8)


def test_every_request_is_handed_over_and_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fill, "NODES", 16)
    sizes = [1, 8, 64, 2, 4]
    for clients in (1, 3):
        filling = fill._fill(sizes, clients)
        assert len(filling.waits_ms) == len(sizes)
    with pytest.raises(Exception, match="1 of 2 were handed over"):
        fill._fill([128, 8], 1)


def test_where_slurm_is_absent_one_line_says_so_and_ours_stand_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(fill, "NODES", 16)
    monkeypatch.setattr(fill, "RUNS", 1)
    monkeypatch.setattr(fill, "stream", lambda: [1, 8, 64])
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(slurm, "SYSTEM_PATH", str(tmp_path))
    found = fill.measure()
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("no Slurm beside it: slurmctld, ")
    assert "apt-get install" in line
    assert not [name for name in found.numbers if "slurm" in name or name == "ratio"]
    assert found.numbers["allocations_per_s"] > 0


def test_slurm_allocates_the_same_stream_where_it_is_installed() -> None:
    if why := slurm.missing():
        assert "not installed" in why or "loopback" in why
        return
    filled = slurm.fill(8, [1, 2, 8, 16, 4])
    assert filled.allocated == 5
    assert filled.took_s > 0
