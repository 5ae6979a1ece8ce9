"""A full disk refuses what grows, still takes what ends or frees, and loses nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SIZE = "24m"


def test_a_full_disk_refuses_growth_and_takes_ends(tmp_path: Path) -> None:
    script = Path(__file__).with_name("full_disk.py")
    mount = f"mount -t tmpfs -o size={SIZE} tmpfs {tmp_path}"
    alone = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "-r", "--mount"]
    if subprocess.run([*alone, "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here, not even in a namespace")
    done = subprocess.run(
        [*alone, "sh", "-c", f"{mount} && exec {sys.executable} {script} {tmp_path}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    facts = json.loads(done.stdout)
    assert facts["codes"] == ["disk_full"] * 3
    assert facts["kept"] == facts["taken"] > 64
    assert facts["ended"] == 64
    assert not facts["broken"]
    assert facts["same"]
    used = [amount for account, amount in facts["accelerator_ms"].items() if "usage" in account]
    assert used == [64 * 10_000]
    assert facts["again"]
