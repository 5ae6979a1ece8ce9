"""The parts of the local engine that need no sandbox."""

import errno
import struct
from pathlib import Path

import pytest

from comptoir.engines.local import seccomp, uids
from comptoir.engines.local.shim.cgroup import NO_CGROUP, Cgroup, find_cgroup
from comptoir.engines.local.shim.main import size_text
from comptoir.engines.local.shim.records import CgroupPlace

ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
X86_64, AARCH64 = 0xC000003E, 0xC00000B7


def judge(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """Run a classic BPF program over one system call."""
    padded = [*arguments, *([0] * (6 - len(arguments)))]
    data = struct.pack("=IIQ6Q", number, architecture, 0, *padded)
    steps = list(struct.iter_unpack("=HBBI", program))
    at = word = 0
    while True:
        code, yes, no, value = steps[at]
        at += 1
        if code == 0x20:
            (word,) = struct.unpack_from("=I", data, value)
        elif code == 0x06:
            return int(value)
        else:
            holds = {0x15: word == value, 0x35: word >= value, 0x45: bool(word & value)}[code]
            at += yes if holds else no


@pytest.mark.parametrize(
    ("number", "arguments", "verdict"),
    [
        (0, (), ALLOW),  # read
        (57, (), ALLOW),  # fork
        (101, (), EPERM),  # ptrace
        (165, (), EPERM),  # mount
        (272, (), EPERM),  # unshare
        (321, (), EPERM),  # bpf
        (425, (), EPERM),  # io_uring_setup
        (435, (), ENOSYS),  # clone3
        (41, (2, 1), ALLOW),  # socket, IPv4
        (41, (16, 3), EPERM),  # netlink
        (41, (40, 1), EPERM),  # vsock
        (16, (0, 0x5401), ALLOW),  # ioctl TCGETS
        (16, (0, 0x5412), EPERM),  # TIOCSTI
        (16, (0, (1 << 32) | 0x5412), EPERM),  # the kernel looks at the low word too
        (56, (0x11,), ALLOW),  # clone, as fork does
        (56, (0x10000000,), EPERM),  # with a user namespace
        (203, (), EPERM),  # sched_setaffinity
        (0x40000000 + 101, (), ENOSYS),  # ptrace by its x32 number
    ],
)
def test_the_filter_refuses_what_it_lists(
    number: int, arguments: tuple[int, ...], verdict: int
) -> None:
    program = seccomp.deny_filter(allow_affinity=False, machine="x86_64")
    assert judge(program, X86_64, number, *arguments) == verdict


def test_the_filter_kills_calls_of_another_architecture() -> None:
    program = seccomp.deny_filter(allow_affinity=False, machine="x86_64")
    assert judge(program, 0x40000003, 0) == KILL


def test_the_filter_knows_arm() -> None:
    program = seccomp.deny_filter(allow_affinity=True, machine="aarch64")
    assert judge(program, AARCH64, 117) == EPERM  # ptrace
    assert judge(program, AARCH64, 122) == ALLOW  # sched_setaffinity
    assert judge(program, AARCH64, 198, 16) == EPERM  # netlink
    assert judge(program, AARCH64, 63) == ALLOW  # read


def fake_v2(root: Path) -> CgroupPlace:
    """A directory that looks like a version 2 hierarchy."""
    (root / "cgroup.controllers").write_text("cpuset cpu memory pids")
    (root / "cgroup.subtree_control").write_text("")
    place = find_cgroup("here", str(root))
    return CgroupPlace(version=2, root=place["root"], group=f"{place['group']}/att_1")


def test_version_2_limits_are_written(tmp_path: Path) -> None:
    cgroup = Cgroup(fake_v2(tmp_path))
    cgroup.create(memory_bytes=1 << 30, processes=64, cores=[2, 3])
    group = tmp_path / "comptoir-here" / "att_1"
    written = {path.name: path.read_text() for path in group.iterdir()}
    assert written == {
        "memory.max": str(1 << 30),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "cpu.max": "200000 100000",
        "pids.max": "64",
        "cpuset.cpus": "2,3",
    }


def test_version_2_is_read(tmp_path: Path) -> None:
    cgroup = Cgroup(fake_v2(tmp_path))
    group = tmp_path / "comptoir-here" / "att_1"
    group.mkdir(parents=True)
    (group / "cpu.stat").write_text("usage_usec 1234\nuser_usec 1000\n")
    (group / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    assert cgroup.busy_us() == 1234
    assert cgroup.out_of_memory()
    (group / "cgroup.kill").write_text("")
    cgroup.kill()
    assert (group / "cgroup.kill").read_text() == "1"


def test_a_hybrid_hierarchy_without_controllers_is_not_version_2(tmp_path: Path) -> None:
    assert find_cgroup("here", str(tmp_path)) == NO_CGROUP
    assert not Cgroup(NO_CGROUP).has("memory")
    assert Cgroup(NO_CGROUP).remove()


def test_user_ids_are_never_shared_by_two_control_planes(tmp_path: Path) -> None:
    registry = tmp_path / "uids"
    planes = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        planes.append(uids.UserIds(tmp_path / name, name, registry))
    given = [plane.uid_of(f"ten_{number}") for plane in planes for number in range(50)]
    assert len(set(given)) == 100
    assert planes[0].uid_of("ten_7") == given[7]
    # After a reboot the registry is empty, and each takes its own again.
    for claim in registry.iterdir():
        claim.unlink()
    again = uids.UserIds(tmp_path / "one", "one", registry)
    assert again.uid_of("ten_7") == given[7]


def test_a_claim_of_a_directory_that_is_gone_is_free(tmp_path: Path) -> None:
    registry = tmp_path / "uids"
    (tmp_path / "one").mkdir()
    plane = uids.UserIds(tmp_path / "one", "one", registry)
    uid = plane.uid_of("ten_a")
    (registry / str(uid)).write_text("other\n/no/such/directory\nten_b\n")
    assert uids.UserIds(tmp_path / "one", "one", registry).uid_of("ten_a") == uid
    (registry / str(uid)).write_text(f"other\n{tmp_path}\nten_b\n")
    assert uids.UserIds(tmp_path / "one", "one", registry).uid_of("ten_a") != uid


def test_stale_claims_are_cleared_at_start(tmp_path: Path) -> None:
    registry = tmp_path / "uids"
    registry.mkdir()
    (registry / "1900000001").write_text("other\n/no/such/directory\nten_b\n")
    (registry / "1900000002").write_text(f"other\n{tmp_path}\nten_b\n")
    uids.UserIds(tmp_path, "one", registry)
    assert [path.name for path in registry.glob("[0-9]*")] == ["1900000002"]


def test_user_ids_stay_within_what_the_namespace_maps() -> None:
    assert uids.uid_range("0 0 4294967295\n") == (1_900_000_000, 1_000_000)
    assert uids.uid_range("0 100000 65536\n") == (50_000, 10_000)


def test_sizes_are_said_as_people_say_them() -> None:
    assert [size_text(size) for size in (1 << 30, 3 << 19, 12)] == ["1 GiB", "1.5 MiB", "12 bytes"]
