"""The README's commands work as they are written, in the order in which they are written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.server import free_port

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str = "") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_readmes_session_works_as_written(tmp_path: Path) -> None:
    script = "\n".join(block for block in blocks() if "make demo" not in block)
    assert "comptoir up" in script
    assert "comptoir run" in script
    # The only changes: a port that is surely free, and an end to the server.
    script = script.replace("8420", str(free_port()))
    script = f"set -e\ntrap 'kill %1; wait' EXIT\n{script}\n"
    done = subprocess.run(
        ["bash", "-m", "-c", script],
        cwd=tmp_path,
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(sum(n * n for n in range(10_000_000))) in done.stdout
    assert "ACME-" in done.stdout
    assert "sums to zero" in done.stdout or "balanced" in done.stdout


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_readmes_make_targets_exist(target: str) -> None:
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_readmes_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_the_readmes_python_is_real() -> None:
    from comptoir import Client

    client = Client("http://127.0.0.1:1", "ck_x_y")
    (example,) = blocks("python")
    for name in re.findall(r"client\.(\w+\.\w+)\(", example):
        group, method = name.split(".")
        assert callable(getattr(getattr(client, group), method)), name
