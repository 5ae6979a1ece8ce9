"""The import contracts catch what they are for: each violation is planted in a copy."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VIOLATIONS = {
    "upwards": ("leases/planted.py", "import comptoir.desk\n"),
    "between siblings": ("placement/planted.py", "import comptoir.pricing\n"),
    "from the client": ("client/planted.py", "import comptoir.ledger\n"),
    "of a clock": ("metering/planted.py", "import time\n"),
    "of SQL": ("ledger/planted.py", "from sqlalchemy import select\n"),
    "of randomness in a function": ("units/planted.py", "def f():\n    import random\n"),
    "from outside the picture": ("helpers/__init__.py", ""),
}


def lint(directory: Path) -> int:
    program = Path(sys.executable).with_name("lint-imports")
    if not program.exists():
        pytest.skip("import-linter is not installed: make check installs it")
    environment = {**os.environ, "PYTHONPATH": str(directory / "src")}
    command = [str(program), "--no-cache", "--no-logo"]
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, check=False
    ).returncode


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("house")
    shutil.copytree(ROOT / "src", directory / "src")
    shutil.copy(ROOT / "pyproject.toml", directory / "pyproject.toml")
    return directory


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_a_planted_import_is_caught(copy: Path, violation: str) -> None:
    name, text = VIOLATIONS[violation]
    planted = copy / "src" / "comptoir" / name
    created = not planted.parent.exists()
    planted.parent.mkdir(exist_ok=True)
    planted.write_text(text)
    try:
        assert lint(copy) == 1
    finally:
        shutil.rmtree(planted.parent) if created else planted.unlink()


def test_the_house_as_it_stands_is_clean(copy: Path) -> None:
    assert lint(copy) == 0
