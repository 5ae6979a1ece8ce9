"""The system call filter of every sandbox, as a classic BPF program.

Written here rather than through libseccomp: the list is a screenful, two
architectures need only their numbers, and the engine then depends on no library
that a machine may lack. Everything is allowed but what is listed: a job runs any
ordinary program, and meets "not permitted" where the kernel has often been
broken or where a sandbox could be widened.

Source: seccomp(2); linux/filter.h; asm/unistd_64.h and asm-generic/unistd.h.
"""

import errno
import os
import platform
import struct
from collections.abc import Mapping, Sequence

_NR, _ARCHITECTURE, _ARGUMENT_0, _ARGUMENT_1 = 0, 4, 16, 24  # offsets in seccomp_data
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_X32 = 0x40000000
_CLONE_NEWUSER = 0x10000000
_AF_NETLINK, _AF_VSOCK = 16, 40
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

_X86_64 = {
    "ptrace": 101, "personality": 135, "pivot_root": 155, "acct": 163, "mount": 165,
    "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "init_module": 175,
    "delete_module": 176, "quotactl": 179, "add_key": 248, "request_key": 249,
    "keyctl": 250, "unshare": 272, "perf_event_open": 298, "open_by_handle_at": 304,
    "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kexec_load": 246,
    "finit_module": 313, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323,
    "ioctl": 16, "socket": 41, "clone": 56, "sched_setaffinity": 203, "iopl": 172,
    "ioperm": 173,
}  # fmt: skip
_AARCH64 = {
    "ptrace": 117, "personality": 92, "pivot_root": 41, "acct": 89, "mount": 40,
    "umount2": 39, "swapon": 224, "swapoff": 225, "reboot": 142, "init_module": 105,
    "delete_module": 106, "quotactl": 60, "add_key": 217, "request_key": 218,
    "keyctl": 219, "unshare": 97, "perf_event_open": 241, "open_by_handle_at": 265,
    "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "kexec_load": 104,
    "finit_module": 273, "kexec_file_load": 294, "bpf": 280, "userfaultfd": 282,
    "ioctl": 29, "socket": 198, "clone": 220, "sched_setaffinity": 122,
}  # fmt: skip
_EVERYWHERE = {  # calls since 2019 have one number on every architecture
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
    "fspick": 433, "clone3": 435, "mount_setattr": 442, "quotactl_fd": 443,
}  # fmt: skip
_MACHINES: Mapping[str, tuple[int, Mapping[str, int]]] = {
    "x86_64": (0xC000003E, _X86_64),
    "aarch64": (0xC00000B7, _AARCH64),
}
_CONDITIONAL = ("ioctl", "socket", "clone", "clone3", "sched_setaffinity")
Instruction = tuple[int, int, int, int]


def _statement(code: int, value: int) -> Instruction:
    return (code, 0, 0, value)


def _when(nr: int, argument: int, tests: Sequence[tuple[int, int]]) -> list[Instruction]:
    """Refuse call `nr` when any of (comparison, value) holds for its argument's low word."""
    body = [_statement(_LOAD, argument)]
    for number, (code, value) in enumerate(tests):
        # Jump to the refusal, which stands after the remaining tests and the allow.
        body.append((code, len(tests) - number, 0, value))
    body += [_statement(_RETURN, _ALLOW), _statement(_RETURN, _ERRNO | errno.EPERM)]
    return [(_EQUAL, 0, len(body), nr), *body]


def supported(machine: str | None = None) -> bool:
    """Whether there is a filter for this architecture."""
    return (machine or platform.machine()) in _MACHINES


def deny_filter(allow_affinity: bool, machine: str | None = None) -> bytes:
    """The filter, as bubblewrap's `--seccomp` takes it.

    Args:
        allow_affinity: Whether a job may choose among its cores; only where a
            control group holds it to them.
        machine: An architecture, as `platform.machine()` names it.

    Raises:
        KeyError: there is no list for that architecture.
    """
    architecture, numbers = _MACHINES[machine or platform.machine()]
    calls = {**numbers, **_EVERYWHERE}
    program = [
        _statement(_LOAD, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        _statement(_RETURN, _KILL),
        _statement(_LOAD, _NR),
    ]
    if architecture == _MACHINES["x86_64"][0]:
        # The x32 numbers name the same calls once more.
        program += [(_AT_LEAST, 0, 1, _X32), _statement(_RETURN, _ERRNO | errno.ENOSYS)]
    # Libraries fall back from clone3 to clone, whose flags a filter can read.
    program += [
        (_EQUAL, 0, 1, calls["clone3"]),
        _statement(_RETURN, _ERRNO | errno.ENOSYS),
    ]
    refused = [number for name, number in calls.items() if name not in _CONDITIONAL]
    if not allow_affinity:
        refused.append(calls["sched_setaffinity"])
    for number in sorted(refused):
        program += [(_EQUAL, 0, 1, number), _statement(_RETURN, _ERRNO | errno.EPERM)]
    families = [(_EQUAL, _AF_NETLINK), (_EQUAL, _AF_VSOCK)]
    program += _when(calls["socket"], _ARGUMENT_0, families)
    program += _when(calls["ioctl"], _ARGUMENT_1, [(_EQUAL, _TIOCSTI), (_EQUAL, _TIOCLINUX)])
    program += _when(calls["clone"], _ARGUMENT_0, [(_ANY_BIT, _CLONE_NEWUSER)])
    program.append(_statement(_RETURN, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def export_filter(path: str, allow_affinity: bool) -> None:
    """Write the filter to a file that any user may read, whole or not at all."""
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "wb") as file:
        file.write(deny_filter(allow_affinity))
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)
