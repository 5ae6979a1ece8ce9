"""A Slurm controller of the bench's own: emulated nodes, a private key, loopback only, an end.

Only decisions are compared: the nodes are of state CLOUD, so that a job counts as soon as it has
its allocation, and nothing is launched. From Debian:
`apt-get install slurmctld slurm-client munge`.
"""

import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from comptoir.api.serving import pick_port
from comptoir.units.errors import Unavailable

PROGRAMS = ("slurmctld", "sbatch", "squeue", "scontrol", "sdiag", "munged")
SYSTEM_PATH = "/usr/sbin:/sbin"
"""Where Debian keeps daemons; not on everybody's path."""
START_TIMEOUT_S = 30.0
FILL_TIMEOUT_S = 600.0
_ANSWER_TIMEOUT_S = 120
_CLIENTS = 2
_ALLOCATED = "CONFIGURING,RUNNING"

# Deep queues and cycles as long as it takes (half of MessageTimeout), so that one pass may start
# all; no backfill beside it, and one processor an accelerator: every choice made for its speed.
_TUNED = (
    "default_queue_depth=20000,partition_job_depth=20000,max_sched_time=49,sched_interval=2,"
    "sched_min_interval=0,defer_batch,batch_sched_delay=0,sched_max_job_start=0,"
    "bf_interval=600"
)
_CONF = """\
ClusterName=comptoirbench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
AuthType=auth/munge
AuthInfo=socket={directory}/munge.socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={directory}/state
SlurmctldPidFile={directory}/slurmctld.pid
SlurmctldLogFile={directory}/slurmctld.log
SlurmctldDebug=error
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SwitchType=switch/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SchedulerType=sched/backfill
SchedulerParameters={tuned}
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
PriorityType=priority/basic
MaxJobCount=20000
MessageTimeout=100
ResumeProgram=/bin/true
SuspendProgram=/bin/true
SuspendTime=36000
ResumeTimeout=36000
ResumeRate=0
SuspendRate=0
GresTypes=gpu
NodeName=n[1-{nodes}] CPUs=8 Boards=1 SocketsPerBoard=1 CoresPerSocket=8 ThreadsPerCore=1 \
RealMemory=512000 Gres=gpu:8 State=CLOUD
PartitionName=all Nodes=n[1-{nodes}] Default=YES MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True, slots=True)
class Filled:
    """How Slurm filled the fleet: what got an allocation, in which time, at which cost."""

    version: str
    allocated: int
    took_s: float
    processor_s: float
    longest_pause_s: float
    submitted_per_s: float


def missing() -> str:
    """Why Slurm cannot be started here; empty if it can."""
    path = f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}"
    absent = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if absent:
        return f"{', '.join(absent)} not installed (apt-get install slurmctld slurm-client munge)"
    try:
        address = socket.gethostbyname(socket.gethostname())
    except OSError:
        address = "nothing"
    if not address.startswith("127."):
        return f"the name of this host is {address}, and not loopback, to which Slurm would bind"
    return ""


def fill(nodes: int, sizes: Sequence[int]) -> Filled:
    """Have all jobs wait, then let them start, and time it until all have their allocations.

    Args:
        nodes: Emulated nodes of 8 accelerators.
        sizes: The accelerators of each job; over 8 are whole nodes.

    Raises:
        Unavailable: `bench_slurm`: it did not start, or did not answer.
    """
    with tempfile.TemporaryDirectory(prefix="comptoir-slurm-") as name, _running(name, nodes) as it:
        asked = time.monotonic()
        it.submit(sizes)
        submitted_per_s = len(sizes) / (time.monotonic() - asked)
        it.ask("sdiag", "--reset")
        spent, started = it.processor_s(), time.monotonic()
        it.ask("scontrol", "update", "PartitionName=all", "State=UP")
        while time.monotonic() - started < FILL_TIMEOUT_S:
            if _counted(it.ask("sdiag"), "Jobs started") >= len(sizes):
                break
            time.sleep(0.25)
        took_s, spent = time.monotonic() - started, it.processor_s() - spent
        allocated = len(it.ask("squeue", "-h", "-t", _ALLOCATED, "-o", "%i").split())
        cycles = re.findall(r"Max cycle:\s+(\d+)", it.ask("sdiag"))
        version = it.ask("scontrol", "--version").strip()
        pause_s = max(map(int, cycles), default=0) / 1e6
        return Filled(version, allocated, took_s, spent, pause_s, submitted_per_s)


def _counted(said: str, name: str) -> int:
    """A counter of `sdiag`, which answers also in the middle of a cycle, and costs little."""
    found = re.search(rf"{name}:\s*(\d+)", said)
    return int(found[1]) if found else 0


@dataclass(frozen=True, slots=True)
class _Controller:
    """A running controller."""

    directory: Path
    process: "subprocess.Popen[bytes]"
    environment: dict[str, str]

    def ask(self, *words: str) -> str:
        """What a client of Slurm says."""
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, check=False,
            timeout=_ANSWER_TIMEOUT_S,
        )  # fmt: skip
        if done.returncode:
            raise Unavailable("bench_slurm", f"{words[0]} failed: {done.stderr.strip()[-300:]}")
        return done.stdout

    def submit(self, sizes: Sequence[int]) -> None:
        """Queue the jobs while the partition is down, by two clients at once."""
        self.ask("scontrol", "update", "PartitionName=all", "State=DOWN")
        script = self.directory / "job.sh"
        script.write_text("#!/bin/sh\nsleep 36000\n")
        lines = "".join(f"{_words(size)} {script}\n" for size in sizes)
        done = subprocess.run(
            ["xargs", "-P", str(_CLIENTS), "-L", "1", "sbatch", "--parsable", "--output=/dev/null"],
            input=lines.encode(), env=self.environment, capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode or len(done.stdout.split()) != len(sizes):
            raise Unavailable("bench_slurm", f"sbatch failed: {done.stderr.decode()[-300:]}")

    def processor_s(self) -> float:
        """The controller's processor time so far, in seconds."""
        after_name = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _words(size: int) -> str:
    if size <= 8:
        return f"-N 1 -n 1 --gres=gpu:{size}"
    return f"-N {size // 8} --ntasks-per-node=1 --gres=gpu:8"


@contextmanager
def _running(name: str, nodes: int) -> Iterator[_Controller]:
    """munged and slurmctld, up; ended again by their ids."""
    directory = Path(name)
    directory.chmod(0o755)
    (directory / "state").mkdir(mode=0o700)
    (directory / "munge.key").write_bytes(os.urandom(128))
    (directory / "munge.key").chmod(0o600)
    (directory / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    (directory / "slurm.conf").write_text(
        _CONF.format(
            host=socket.gethostname(), port=pick_port("127.0.0.1", 0), user=getpass.getuser(),
            directory=directory, nodes=nodes, tuned=_TUNED,
        )
    )  # fmt: skip
    path = f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}"
    environment = {**os.environ, "PATH": path, "SLURM_CONF": str(directory / "slurm.conf")}
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> "subprocess.Popen[bytes]":
        with (directory / f"{words[0]}.out").open("wb") as out:
            process = subprocess.Popen(words, env=environment, stdout=out, stderr=out)
        started.append(process)
        return process

    try:
        start(
            "munged", "--foreground", "--force", f"--key-file={directory}/munge.key",
            f"--socket={directory}/munge.socket", f"--pid-file={directory}/munged.pid",
            f"--log-file={directory}/munged.log", f"--seed-file={directory}/munged.seed",
        )  # fmt: skip
        _until(lambda: (directory / "munge.socket").exists(), directory)
        controller = _Controller(directory, start("slurmctld", "-D", "-c"), environment)
        _until(lambda: "UP" in controller.ask("scontrol", "ping"), directory)
        yield controller
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _until(holds: Callable[[], bool], directory: Path) -> None:
    """Wait for a part of Slurm.

    Raises:
        Unavailable: `bench_slurm`, with the end of its logs.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except Unavailable:
            pass
        time.sleep(0.1)
    said = " ".join(
        path.read_text(errors="replace")[-300:] for path in sorted(directory.glob("*.[lo]*"))
    )
    raise Unavailable("bench_slurm", f"Slurm did not start: {said}"[:800])
