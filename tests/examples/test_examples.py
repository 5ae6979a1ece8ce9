"""The examples are real jobs: they learn, save, resume and say so in lines a demo can read."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).parents[2] / "examples"
EPOCH_LINE = re.compile(r"epoch (\d+)/(\d+)  loss (\d+\.\d{4})  accuracy (\d+\.\d) %")


def start(example: str, directory: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(EXAMPLES / example), *arguments],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


def run(example: str, directory: Path, *arguments: str) -> list[str]:
    process = start(example, directory, *arguments)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return said.splitlines()


def interrupt_after_epoch(epoch: int, directory: Path, *arguments: str) -> list[str]:
    """Train until `epoch` is done, send SIGTERM; what it said."""
    process = start("train_digits.py", directory, *arguments)
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line.rstrip("\n"))
        if line.startswith(f"epoch {epoch}/"):
            process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 143
    return said


def test_an_interrupted_training_resumes_and_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    interrupted, straight = tmp_path / "interrupted", tmp_path / "straight"
    interrupted.mkdir()
    straight.mkdir()

    first = interrupt_after_epoch(2, interrupted, "--epochs", "3")
    assert first[0] == "starting from scratch, 3 epochs"
    assert first[-1] == "interrupted in epoch 3, checkpoint saved"
    assert not (interrupted / "result.json").exists()

    second = run("train_digits.py", interrupted, "--epochs", "3")
    assert second[0] == "resumes from epoch 2"
    last_epoch = EPOCH_LINE.fullmatch(second[1])
    assert last_epoch is not None
    assert last_epoch[1] == "3"
    assert second[-1] == f"finished: 3/3 epochs, accuracy {last_epoch[4]} %"
    result = json.loads((interrupted / "result.json").read_text())
    assert (result["epochs_total"], result["epochs_done"], result["resumed_from"]) == (3, 3, 2)
    assert f"{100 * result['accuracy']:.1f}" == last_epoch[4]

    run("train_digits.py", straight, "--epochs", "3")
    weights = []
    for directory in (interrupted, straight):
        with np.load(directory / "checkpoint.npz") as saved:
            weights.append(saved["w0"])
    np.testing.assert_array_equal(*weights)


def test_a_kill_while_saving_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    run("train_digits.py", tmp_path, "--epochs", "1")
    (tmp_path / "checkpoint.partial").write_bytes(b"half a file")
    said = run("train_digits.py", tmp_path, "--epochs", "2")
    assert said[0] == "resumes from epoch 1"
    assert not (tmp_path / "checkpoint.partial").exists()


def test_five_epochs_learn_the_digits(tmp_path: Path) -> None:
    run("train_digits.py", tmp_path, "--epochs", "5")
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["epochs_done"] == result["epochs_total"] == 5
    assert result["accuracy"] > 0.92


def test_posts_are_ranked_the_same_each_time(tmp_path: Path) -> None:
    first = run("rank_posts.py", tmp_path, "--posts", "20000")
    assert re.fullmatch(r"ranked 20,000 posts, top post \d+ score 0\.\d\d", first[-1])
    assert run("rank_posts.py", tmp_path, "--posts", "20000") == first
