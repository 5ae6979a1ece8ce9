"""What set-up cannot do is one sentence with its remedy, and an exit code of its own.

Each test copies the script into an empty checkout and gives it a doctored PATH: the real
tools it may use, and stand-ins for those that are to be missing or to fail.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = (
    *("bash", "cat", "chmod", "cp", "cut", "dirname", "env", "flock", "grep", "id", "install"),
    *("mkdir", "rm", "sed", "sha256sum", "sleep", "tail", "tr", "true"),
)
NO_ROOT = "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n"
PYTHON_WITHOUT_VENV = """#!/bin/sh
case "$2" in *ensurepip*) exit 1;; *platform*) echo 3.11.2;; esac
"""
OLD_PYTHON = "#!/bin/sh\nexit 1\n"
PYTHON_OFFLINE = """#!/bin/sh
case "$*" in
*"import platform"*) echo 3.12.1;;
"-m venv"*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python";;
"-c import pip") exit 1;;
*"pip install"*) echo "ERROR: No matching distribution found for pip"; exit 1;;
esac
"""
REFUSED_BWRAP = "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"
GOOD_BWRAP = "#!/bin/sh\nexit 0\n"


@dataclass(frozen=True)
class Checkout:
    """A checkout with nothing set up, and the directory that is its whole PATH."""

    root: Path
    programs: Path

    def provide(self, name: str, script: str) -> None:
        path = self.programs / name
        path.write_text(script)
        path.chmod(0o755)

    def setup(self, profile: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.root / "scripts" / "setup"), profile]
        if os.geteuid() == 0:  # what an ordinary person without sudo meets
            subprocess.run(["chown", "-R", "65534:65534", str(self.root)], check=True)
            command = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            command.append(str(self.root / "scripts" / "setup"))
            command.append(profile)
        return subprocess.run(
            command,
            env={"PATH": str(self.programs), "HOME": "/nonexistent", **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def checkout() -> Iterator[Checkout]:
    # Not pytest's own directory: that is private, and another user has to reach this one.
    with tempfile.TemporaryDirectory(prefix="comptoir-setup-") as directory:
        Path(directory).chmod(0o755)
        yield build_checkout(Path(directory))


def build_checkout(directory: Path) -> Checkout:
    root, programs = directory / "checkout", directory / "programs"
    (root / "scripts").mkdir(parents=True)
    programs.mkdir()
    shutil.copy(ROOT / "scripts" / "setup", root / "scripts" / "setup")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, root / name)
    for tool in TOOLS:
        found = shutil.which(tool, path="/usr/bin:/bin")
        assert found is not None, tool
        (programs / tool).symlink_to(found)
    made = Checkout(root, programs)
    made.provide("sudo", NO_ROOT)
    return made


def assert_says(done: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    """One sentence on the error stream, with these parts; and this exit code."""
    assert done.returncode == code, done.stderr + done.stdout
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("setup  ")
    assert "Traceback" not in done.stdout + done.stderr
    for part in parts:
        assert part in done.stderr


def test_a_wrong_profile_is_told_the_right_ones(checkout: Checkout) -> None:
    assert_says(checkout.setup("everything"), 64, "demo|check|test")


def test_no_python_at_all(checkout: Checkout) -> None:
    checkout.provide("bwrap", GOOD_BWRAP)
    assert_says(checkout.setup("demo"), 65, "Python 3.11 or newer", "apt-get install python3")


def test_a_python_that_is_too_old_is_none(checkout: Checkout) -> None:
    checkout.provide("bwrap", GOOD_BWRAP)
    checkout.provide("python3", OLD_PYTHON)
    assert_says(checkout.setup("demo"), 65, "Python 3.11 or newer")


def test_python_without_its_venv_package(checkout: Checkout) -> None:
    checkout.provide("bwrap", GOOD_BWRAP)
    checkout.provide("python3", PYTHON_WITHOUT_VENV)
    done = checkout.setup("demo")
    assert_says(done, 66, "Python 3.11.2", "sudo apt-get install python3-venv")


def test_bubblewrap_missing_and_nobody_to_install_it(checkout: Checkout) -> None:
    checkout.provide("apt-get", "#!/bin/sh\nexit 1\n")
    assert_says(checkout.setup("demo"), 67, "sudo apt-get install bubblewrap")


def test_bubblewrap_missing_and_no_apt(checkout: Checkout) -> None:
    assert_says(checkout.setup("demo"), 67, "no apt-get", "bubblewrap")


def test_apt_that_fails_is_quoted(checkout: Checkout) -> None:
    checkout.provide("sudo", '#!/bin/sh\nshift\nexec "$@"\n')
    failing = "#!/bin/sh\necho 'E: Unable to locate package bubblewrap' >&2\nexit 100\n"
    checkout.provide("apt-get", failing)
    assert_says(checkout.setup("demo"), 67, "Unable to locate package bubblewrap")


def test_sandboxes_refused_by_the_machine(checkout: Checkout) -> None:
    checkout.provide("bwrap", REFUSED_BWRAP)
    done = checkout.setup("demo")
    assert_says(done, 68, "Comptoir runs no job outside", "then")


def test_packages_out_of_reach(checkout: Checkout) -> None:
    checkout.provide("bwrap", GOOD_BWRAP)
    checkout.provide("python3", PYTHON_OFFLINE)
    done = checkout.setup("demo")
    assert_says(done, 69, "No matching distribution found", "check the network")


def can_make_user_namespaces() -> bool:
    probe = ["unshare", "--user", "--map-root-user", "true"]
    return (
        shutil.which("unshare") is not None and subprocess.run(probe, check=False).returncode == 0
    )


@pytest.mark.skipif(
    not can_make_user_namespaces(), reason="needs a namespace to switch them off in"
)
def test_user_namespaces_really_switched_off(checkout: Checkout) -> None:
    bwrap = shutil.which("bwrap")
    assert bwrap is not None
    (checkout.programs / "bwrap").symlink_to(bwrap)
    switch_off = 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"'
    inside = ["unshare", "--user", "--map-root-user", "bash", "-c", switch_off, "-"]
    done = subprocess.run(
        [*inside, str(checkout.root / "scripts" / "setup"), "demo"],
        env={"PATH": f"{checkout.programs}:/usr/bin:/bin", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert_says(done, 68, "user.max_user_namespaces", "sudo sysctl -w user.max_user_namespaces=")


def test_fresh_stamps_leave_nothing_to_do() -> None:
    if Path(sys.prefix) != ROOT / ".venv" or not (ROOT / ".venv" / ".stamp-test").exists():
        pytest.skip("this environment was not made by scripts/setup")
    done = subprocess.run(
        [str(ROOT / "scripts" / "setup"), "check"], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
