"""`doctor`: what this machine has and lacks, with a remedy for each finding."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from comptoir.cli.commands.serving import DATA
from comptoir.cli.formats import counted
from comptoir.cli.lazy import Session, leaf
from comptoir.cli.server_extra import missing_extras

_PROBE_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `needed_for`: a client can live without what the server needs."""

    check: str
    ok: bool
    found: str
    remedy: str = ""
    needed_for: str = "server"


@leaf("doctor", "comptoir doctor", "comptoir doctor --data ./post --json", online=False)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=DATA,
    show_default=True,
    help="The data directory to look at.",
)
def doctor(cli: Session, data: Path) -> int:
    """Check this machine and say what to do about each finding.

    The exit code is 1 if something that a server needs is missing.
    """
    findings = list(examine(data))
    broken = [finding for finding in findings if not finding.ok]
    if cli.json:
        rows = [asdict(finding) for finding in findings]
        cli.record({"ok": not broken, "findings": rows}, "")
        return 1 if broken else 0
    say = "everything is in order" if not broken else f"{counted(len(broken), 'thing')} to mend"
    lines = []
    for finding in findings:
        lines.append((finding.check, f"{'ok' if finding.ok else 'MISSING'}  {finding.found}"))
        if not finding.ok:
            lines.append(("", f"         {finding.remedy}"))
    cli.record({}, f"{say} on this machine", lines)
    return 1 if broken else 0


def examine(data: Path) -> Iterator[Finding]:
    """Every check, cheap ones first."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer")
    missing = missing_extras()
    yield Finding(
        "server packages",
        not missing,
        "installed" if not missing else f"missing: {', '.join(missing)}",
        "pip install 'comptoir[server]'",
    )
    yield _sandbox()
    yield _engine(data)
    yield _kernels()
    yield _data_directory(data)
    yield _config()


def _sandbox() -> Finding:
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return Finding("sandbox", False, "bwrap is not here", "sudo apt-get install bubblewrap")
    command = [bwrap, "--unshare-all", "--ro-bind", "/", "/", "--", "/bin/true"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("sandbox", False, f"bwrap does not run: {error}", "reinstall bubblewrap")
    if done.returncode == 0:
        return Finding("sandbox", True, "bubblewrap holds")
    why = done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]
    return Finding(
        "sandbox",
        False,
        f"bubblewrap may not make namespaces: {why[0]}",
        "sudo sysctl kernel.unprivileged_userns_clone=1 "
        "kernel.apparmor_restrict_unprivileged_userns=0, or run the server as root",
    )


def _engine(data: Path) -> Finding:
    """The local engine's own probes, where it can be made."""
    import tempfile

    try:
        from comptoir.desk.engine_port import EngineSettings
        from comptoir.engines.local.engine import LocalEngine

        with tempfile.TemporaryDirectory(prefix="comptoir-doctor-") as directory:
            health = LocalEngine(Path(directory), "doctor", EngineSettings()).health()
    except Exception as error:  # whatever it is, it is a finding and not the end
        return Finding("local engine", False, f"{type(error).__name__}: {error}", "mend the above")
    notes = f" ({'; '.join(health.notes)})" if health.notes else ""
    return Finding(
        "local engine",
        health.available,
        f"available{notes}" if health.available else health.reason,
        "see docs/local-engine.md for what each probe needs",
    )


def _kernels() -> Finding:
    """Whether placement is compiled here: plain is slower, and as good."""
    try:
        from comptoir.desk.kernel_threads import kernels_found

        return Finding("placement kernels", True, kernels_found(), needed_for="speed")
    except Exception as error:  # as above
        remedy = "set NUMBA_CACHE_DIR to a directory that the server may write to"
        return Finding("placement kernels", False, f"{error}", remedy, "speed")


def _data_directory(data: Path) -> Finding:
    if not data.exists():
        parent = data.absolute().parent
        ok = os.access(parent, os.W_OK | os.X_OK)
        return Finding("data directory", ok, f"{data} will be made", f"make {parent} writable")
    mode = stat.S_IMODE(data.stat().st_mode)
    private, mine = mode & 0o077 == 0, os.access(data, os.W_OK | os.X_OK)
    return Finding(
        "data directory",
        private and mine,
        f"{data}, mode {mode:04o}{'' if mine else ', not writable'}",
        f"chown it to the server's user, and chmod 0700 {data}",
    )


def _config() -> Finding:
    from comptoir.client import profiles

    path = profiles.config_path()
    if not path.exists():
        return Finding("profiles", True, "none yet", needed_for="client")
    mode = stat.S_IMODE(path.stat().st_mode)
    return Finding(
        "profiles",
        mode & 0o077 == 0,
        f"{path}, mode {mode:04o}",
        f"chmod 0600 {path}",
        needed_for="client",
    )
