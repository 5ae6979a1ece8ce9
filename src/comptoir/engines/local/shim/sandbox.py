"""The sandbox of one attempt: the command line of bubblewrap, and becoming it.

What a job sees is written here and nowhere else. The environment of bubblewrap
itself is empty, because a job can read it as /proc/1/environ, and its arguments
go through a descriptor, because a job can read its command line.
"""

import ctypes
import os
import resource
import signal
from typing import NamedTuple, NoReturn

from . import stage
from .cgroup import Cgroup
from .records import NOTICE, Order

WORK = "/lease"
"""Where a job finds its lease's directory; also its HOME."""

TOLD = "/run/comptoir"
NOTICE_FILE = f"{TOLD}/{NOTICE}"
"""Where a job finds what it is told before it is stopped. It cannot write there."""

_USER = 1000
_PASSWD = "job:x:1000:1000:job:/lease:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
_GROUP = "job:x:1000:\nnogroup:x:65534:\n"
_FROM_ETC = (
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/ssl/certs",
    "/etc/ca-certificates",
    "/etc/localtime",
)
_TOP_DIRECTORIES = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
    "GOMAXPROCS",
)
_OPEN_FILES = 4096
_PR_SET_PDEATHSIG = 1


class Places(NamedTuple):
    """Directories of an order as the process that becomes the sandbox sees them."""

    work: str
    told: str
    mounts: list[str]


def job_environment(order: Order) -> dict[str, str]:
    """What the engine says about the place, then what the order says."""
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": WORK,
        "TMPDIR": "/tmp",
        "LANG": "C.UTF-8",
        "USER": "job",
    }
    environment |= {name: str(len(order["cores"])) for name in _THREAD_VARIABLES}
    environment |= dict(order["environment"])
    environment["COMPTOIR_NOTICE_FILE"] = NOTICE_FILE
    return environment


def arguments(
    order: Order, places: Places, status: int, seccomp: int, files: tuple[int, int]
) -> list[str]:
    """The arguments of bubblewrap for an order.

    Args:
        order: What to run.
        places: Where its directories are now, as this process sees them.
        status: Descriptor for bubblewrap's own reports.
        seccomp: Descriptor of the system call filter.
        files: Descriptors of the sandbox's passwd and group files.
    """
    scratch = str(max(16 << 20, min(order["memory_bytes"] // 2, 4 << 30)))
    given = ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    given += ["--unshare-net", "--unshare-cgroup-try", "--disable-userns"]
    given += ["--die-with-parent", "--new-session", "--hostname", "lease", "--cap-drop", "ALL"]
    given += ["--uid", str(_USER), "--gid", str(_USER), "--clearenv"]
    for name, value in job_environment(order).items():
        given += ["--setenv", name, value]
    given += ["--ro-bind", "/usr", "/usr"]
    for top in _TOP_DIRECTORIES:
        if os.path.islink(top):
            given += ["--symlink", os.readlink(top), top]
        elif os.path.isdir(top):
            given += ["--ro-bind", top, top]
    for path in _FROM_ETC:
        given += ["--ro-bind-try", path, path]
    given += ["--ro-bind-data", str(files[0]), "/etc/passwd"]
    given += ["--ro-bind-data", str(files[1]), "/etc/group"]
    given += ["--proc", "/proc", "--dev", "/dev"]
    given += ["--size", scratch, "--tmpfs", "/tmp", "--size", scratch, "--tmpfs", "/dev/shm"]
    for source, target in zip(places.mounts, order["mounts"], strict=True):
        given += ["--ro-bind", source, target]
    given += ["--ro-bind", places.told, TOLD]
    given += ["--bind", places.work, WORK, "--remount-ro", "/", "--chdir", WORK]
    return [*given, "--json-status-fd", str(status), "--seccomp", str(seccomp)]


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def _in_memory(name: str, text: bytes) -> int:
    handle = os.memfd_create(name, 0)
    os.write(handle, text)
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


def become(order: Order, cgroup: Cgroup, output: int, status: int, parent: int) -> NoReturn:
    """Turn this freshly forked process into the sandbox. Never returns.

    Args:
        order: What to run.
        cgroup: The groups to join, already made.
        output: Descriptor that takes what the job prints.
        status: Descriptor that takes bubblewrap's reports.
        parent: The shim; without it there must be no sandbox.

    Raises:
        OSError: the sandbox could not be set up; nothing ran.
    """
    cgroup.join(os.getpid())
    os.sched_setaffinity(0, order["cores"])
    seccomp = os.open(order["seccomp"], os.O_RDONLY)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    # One page over, so that a file which fills the directory is also seen to overfill it.
    _limit(resource.RLIMIT_FSIZE, order["work_bytes"] + 4096)
    if not cgroup.has("memory"):
        _limit(resource.RLIMIT_DATA, order["memory_bytes"])
    places = Places(order["work"], order["told"], order["mounts"])
    uid = order["uid"]
    if uid is not None:
        shown = stage.build(order["stage"], places.work, [places.told, *places.mounts])
        places = Places(shown[0], shown[1], shown[2:])
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    _die_with(parent)
    for number in range(1, signal.NSIG):
        if number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these two
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for handle in (status, seccomp):
        os.set_inheritable(handle, True)
    files = _in_memory("passwd", _PASSWD.encode()), _in_memory("group", _GROUP.encode())
    given = arguments(order, places, status, seccomp, files)
    text = b"".join(os.fsencode(argument) + b"\0" for argument in given)
    options = _in_memory("arguments", text)
    command = list(order["command"])
    if not cgroup.has("pids") and os.path.exists("/usr/bin/prlimit"):
        # Set inside, where only the sandbox's own processes count against it.
        command = ["/usr/bin/prlimit", f"--nproc={order['processes']}", "--", *command]
    os.execve(order["bwrap"], ["bwrap", "--args", str(options), "--", *command], {})


def _die_with(parent: int) -> None:
    """Have the kernel end this process with its parent, also if it is gone already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(125)
