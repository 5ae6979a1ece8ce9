"""Run inside a sandbox by the probes: tries to get out, prints what it managed.

It is passed to an interpreter as text, so it imports the standard library only.
Its arguments are one JSON object; it prints one JSON list of the names of the
checks that failed, then leaves an orphan behind for the engine to find dead.
"""

import ctypes
import json
import os
import socket
import sys
import time


def reads_a_secret(paths: list[str]) -> bool:
    """Whether any secret file can be opened."""
    for path in paths:
        try:
            os.close(os.open(path, os.O_RDONLY))
        except OSError:
            continue
        return True
    return False


def writes_outside() -> bool:
    """Whether the system can be written to."""
    for path in ("/usr/comptoir-probe", "/comptoir-probe", "/etc/comptoir-probe"):
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
        except OSError:
            continue
        return True
    return False


def reaches_the_network(port: int, address: str) -> bool:
    """Whether the host answers, on its loopback or an abstract socket, or there is a way out."""
    with open("/proc/net/dev", encoding="ascii") as file:
        if {line.split(":")[0].strip() for line in file if ":" in line} - {"lo"}:
            return True
    attempts = (
        (socket.AF_INET, ("127.0.0.1", port)),
        (socket.AF_INET, ("192.0.2.1", 9)),
        (socket.AF_UNIX, "\0" + address),
    )
    for family, target in attempts:
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(0.2)
            try:
                client.connect(target)
            except TimeoutError:
                return True  # a packet left for somewhere
            except OSError:
                continue
            return True
    return False


def makes_a_namespace() -> bool:
    """Whether a user namespace can be nested."""
    return int(ctypes.CDLL(None).unshare(0x10000000)) == 0


def sees_an_environment(canary: str) -> bool:
    """Whether the control plane's environment shows in any process."""
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                text = file.read()
        except OSError:
            continue
        if canary.encode() in text or (name == "1" and text):
            return True
    return False


def is_privileged() -> bool:
    """Whether any capability is held, or the filter or no-new-privileges is missing."""
    with open("/proc/self/status", encoding="ascii") as file:
        status = dict(line.split(":", 1) for line in file)
    wanted = {"NoNewPrivs": 1, "Seccomp": 2, "CapEff": 0, "CapPrm": 0, "CapBnd": 0}
    return any(int(status[name].strip(), 16) != value for name, value in wanted.items())


def changes_its_cores() -> bool:
    """Whether a process can move to a core that it was not given."""
    mine = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    except OSError:
        return False
    return os.sched_getaffinity(0) != mine


def main() -> None:
    """Try everything."""
    given = json.loads(sys.argv[1])
    checks = {
        "canary": lambda: reads_a_secret(given["secrets"]),
        "write /usr": writes_outside,
        "connect out": lambda: reaches_the_network(given["port"], given["address"]),
        "nested user namespace": makes_a_namespace,
        "environment canary": lambda: sees_an_environment(given["canary"]),
        "privileges": is_privileged,
        "cores": changes_its_cores,
    }
    failed = [name for name, check in checks.items() if check()]
    sys.stdout.write(json.dumps(failed) + "\n")
    sys.stdout.flush()
    if os.fork() == 0:
        os.setsid()
    time.sleep(60)


if __name__ == "__main__":
    main()
