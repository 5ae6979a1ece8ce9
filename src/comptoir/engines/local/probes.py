"""Whether a sandbox really holds on this machine, tried at start and every hour.

Two real attempts run through the same shim as any job, at the same time. One
tries to get out and reports what it managed, and is then killed with an orphan
of its own. The other asks for more memory than it may have. Any failure makes
the engine unavailable, and the reason names the check.
"""

import contextlib
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from comptoir.desk.engine_port import (
    AttemptSight,
    EngineHealth,
    LogPage,
    Observation,
    StartOrder,
)
from comptoir.engines.local import probe_inside, seccomp
from comptoir.engines.local.attempts import Attempt
from comptoir.engines.local.directories import Directories
from comptoir.engines.local.files import open_file
from comptoir.engines.local.shim import records
from comptoir.engines.local.shim.cgroup import Cgroup
from comptoir.units.errors import ComptoirError, NotFound
from comptoir.units.ids import AttemptId, JobId, LeaseId, NodeId, TenantId

PREFIX = "probe-"
"""How the ids of probes begin; no lease or attempt of a tenant begins so."""

_PATIENCE_S = 15.0
_CAP_BYTES = 48 << 20
_EAT = "b = bytearray(96 << 20)\nfor i in range(0, len(b), 4096): b[i] = 1\n"


class Probed(Protocol):
    """What the probes need of the engine."""

    bwrap: str
    directories: Directories
    cgroup: records.CgroupPlace
    secrets: tuple[str, ...]

    def start_probe(self, order: StartOrder) -> None: ...
    def attempt(self, attempt_id: AttemptId) -> Attempt | None: ...
    def kill(self, attempt_id: AttemptId) -> None: ...
    def forget(self, attempt_ids: list[AttemptId]) -> None: ...
    def read_log(
        self, lease_id: LeaseId, attempt_id: AttemptId, offset: int, limit: int
    ) -> LogPage: ...
    def delete_directory(self, lease_id: LeaseId) -> None: ...


class ProbeError(Exception):
    """A check did not hold; the message is its name, and why."""


def run_probes(engine: Probed) -> EngineHealth:
    """Try everything; never raises for a sandbox that does not hold."""
    try:
        _before(engine)
        _inside(engine)
    except ProbeError as failure:
        return EngineHealth(available=False, reason=f"sandbox ({failure})")
    except (ComptoirError, OSError) as error:
        return EngineHealth(available=False, reason=f"sandbox (probe did not run: {error})")
    return EngineHealth(available=True, notes=notes(engine))


def notes(engine: Probed) -> tuple[str, ...]:
    """What is weaker here than it could be."""
    cgroup = Cgroup(engine.cgroup)
    found = []
    if os.geteuid() != 0:
        found.append("jobs run as the control plane's own user, inside their sandbox")
    if not cgroup.has("memory"):
        found.append("memory limit is per process and measured four times a second: no cgroup")
    if not cgroup.has("pids"):
        found.append("process limit is per user inside the sandbox: no cgroup")
    if cgroup.version == 0:
        found.append("busy time is sampled: no cgroup")
    found.append("the work directory's cap is measured, not a quota: it can be passed briefly")
    return tuple(found)


def _before(engine: Probed) -> None:
    """What can be known without a sandbox."""
    if not engine.bwrap or not os.access(engine.bwrap, os.X_OK):
        raise ProbeError("bubblewrap is missing: `apt-get install bubblewrap`")
    if not seccomp.supported():
        raise ProbeError(f"seccomp: no filter for {os.uname().machine}")
    _check_links_are_refused(engine.directories.top)


def _check_links_are_refused(top: Path) -> None:
    place = top / "probe-links"
    place.mkdir(exist_ok=True)
    link = place / "link"
    try:
        link.unlink(missing_ok=True)
        link.symlink_to("/proc/self/status")
        open_file(place, "link").close()
    except NotFound:
        pass
    else:
        raise ProbeError("openat2: a link was followed")
    (place / "plain").write_text("plain")
    try:
        open_file(place, "plain").close()
    except NotFound:
        raise ProbeError("openat2: this kernel lacks it (5.6 or later is needed)") from None
    finally:
        engine_files = [link, place / "plain"]
        for path in engine_files:
            path.unlink(missing_ok=True)
        place.rmdir()


def _some_files(paths: tuple[str, ...]) -> list[str]:
    """A few real files among the secret paths, the book's own with some luck."""
    found = []
    for path in paths:
        if os.path.isdir(path):
            inside = (os.path.join(path, name) for name in sorted(os.listdir(path)))
            found += [file for file in inside if os.path.isfile(file)][:20]
        elif os.path.isfile(path):
            found.append(path)
    return found


@contextmanager
def _listening() -> Iterator[tuple[int, str]]:
    """Something of the host to connect to: a loopback port and an abstract address."""
    address = f"comptoir-probe-{secrets.token_hex(8)}"
    with socket.create_server(("127.0.0.1", 0)) as port, socket.socket(socket.AF_UNIX) as unix:
        unix.bind("\0" + address)
        unix.listen()
        yield port.getsockname()[1], address


def _inside(engine: Probed) -> None:
    mark = secrets.token_hex(6)
    lease = LeaseId(f"{PREFIX}{mark}")
    escape, eater = AttemptId(f"{PREFIX}{mark}-a"), AttemptId(f"{PREFIX}{mark}-b")
    canary_name = f"COMPTOIR_CANARY_{mark}"
    canary_file = engine.directories.top / "canary"
    canary_file.write_text(mark)
    os.environ[canary_name] = mark
    try:
        with _listening() as (port, address):
            given = {
                "secrets": [str(canary_file), *_some_files(engine.secrets)],
                "port": port,
                "address": address,
                "canary": mark,
            }
            inside = Path(probe_inside.__file__).read_text()
            engine.start_probe(_order(escape, lease, inside, json.dumps(given), 1 << 28))
            capped = Cgroup(engine.cgroup).has("memory")
            if capped:
                engine.start_probe(_order(eater, lease, _EAT, "", _CAP_BYTES))
            _check_escape(engine, lease, escape)
            if capped:
                _check_cap(engine, eater)
    finally:
        del os.environ[canary_name]
        for attempt_id in (escape, eater):
            engine.kill(attempt_id)
            with contextlib.suppress(ProbeError):
                _ended(engine, attempt_id)
        engine.forget([escape, eater])
        engine.delete_directory(lease)


def sweep(engine: Probed) -> None:
    """Clear away the probes of a control plane that ended in the middle of them."""
    for name in os.listdir(engine.directories.attempts):
        if name.startswith(PREFIX):
            engine.kill(AttemptId(name))
            with contextlib.suppress(ProbeError):
                _ended(engine, AttemptId(name))
            engine.forget([AttemptId(name)])
            engine.directories.remove(engine.directories.attempt(name))
    for name in os.listdir(engine.directories.leases):
        if name.startswith(PREFIX):
            engine.delete_directory(LeaseId(name))


def _order(
    attempt: AttemptId, lease: LeaseId, script: str, argument: str, memory_bytes: int
) -> StartOrder:
    python = os.path.join(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
    if not os.path.exists(python):
        python = os.path.realpath(sys.executable)
    return StartOrder(
        attempt_id=attempt,
        job_id=JobId(attempt),
        lease_id=lease,
        tenant_id=TenantId("probe"),
        attempt_number=1,
        node_id=NodeId("here"),
        accelerators=(0,),
        command=(python, "-I", "-S", "-c", script, argument),
        mounts=() if sys.base_prefix.startswith("/usr") else (sys.base_prefix,),
        memory_bytes=memory_bytes,
    )


def _ended(engine: Probed, attempt_id: AttemptId) -> Observation | None:
    """The end of an attempt; None for one that never started."""
    attempt = engine.attempt(attempt_id)
    deadline = time.monotonic() + _PATIENCE_S
    while attempt is not None:
        sight = attempt.observe()
        if sight.sight != AttemptSight.RUNNING:
            return sight
        if time.monotonic() > deadline:
            raise ProbeError("orphan after kill: the sandbox did not end")
        time.sleep(0.005)
    return None


def _check_escape(engine: Probed, lease: LeaseId, attempt_id: AttemptId) -> None:
    attempt = engine.attempt(attempt_id)
    if attempt is None:
        raise ProbeError("probe did not run")
    deadline = time.monotonic() + _PATIENCE_S
    text = b""
    while b"\n" not in text:
        text = engine.read_log(lease, attempt_id, 0, 1 << 16).data
        if attempt.observe().sight != AttemptSight.RUNNING or time.monotonic() > deadline:
            raise ProbeError(_why_not(text.decode(errors="replace"), attempt.observe().detail))
        time.sleep(0.005)
    try:
        broken = json.loads(text.splitlines()[0])
    except ValueError:
        raise ProbeError(_why_not(text.decode(errors="replace"), "")) from None
    if broken:
        raise ProbeError(", ".join(broken))
    _check_uid(attempt)
    first = attempt.first_process()
    engine.kill(attempt_id)
    _ended(engine, attempt_id)
    if first is None or records.is_alive(first, records.boot_id()):
        raise ProbeError("orphan after kill")
    end = records.read_exit(str(engine.directories.attempt(attempt_id)))
    if end is None or not end["clean"]:
        raise ProbeError("orphan after kill: its control groups would not empty")


def _check_uid(attempt: Attempt) -> None:
    first = attempt.first_process()
    if first is None or attempt.order["uid"] is None:
        return
    with open(f"/proc/{first['pid']}/status", encoding="ascii") as file:
        uids = next(line for line in file if line.startswith("Uid:")).split()[1:]
    if set(uids) != {str(attempt.order["uid"])}:
        raise ProbeError(f"host user: the sandbox runs as {uids[0]}")


def _check_cap(engine: Probed, attempt_id: AttemptId) -> None:
    end = _ended(engine, attempt_id)
    if end is None or not end.detail.startswith("out of memory"):
        raise ProbeError("memory cap: more was taken than allowed")


def _why_not(text: str, detail: str) -> str:
    """One sentence on why no sandbox came up, with the remedy where it is known."""

    def setting(path: str) -> str:
        with contextlib.suppress(OSError), open(f"/proc/sys/{path}", encoding="ascii") as file:
            return file.read().strip()
        return ""

    if setting("user/max_user_namespaces") == "0":
        return "user namespaces are off: `sysctl -w user.max_user_namespaces=10000`"
    if setting("kernel/unprivileged_userns_clone") == "0":
        return "user namespaces are off: `sysctl -w kernel.unprivileged_userns_clone=1`"
    if setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return (
            "AppArmor restricts user namespaces: give /usr/bin/bwrap a profile with `userns,` "
            "or `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
        )
    said = (text or detail).strip().splitlines()
    return f"bubblewrap: {said[-1][:200]}" if said else "bubblewrap: no sandbox came up"
