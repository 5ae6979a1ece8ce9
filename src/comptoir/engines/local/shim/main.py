"""The life of a shim: claim, start, watch, record.

The shim is the parent of the sandbox, so the sandbox dies with it and its exit
code comes to it. It takes two signals from an engine, whichever engine that is
by now: SIGTERM passes SIGTERM on to the job's own process, SIGUSR1 ends the whole
tree. It never rests on the control plane for anything else.

Invariant: one attempt runs at most once. The claim is made under a lock that
only one shim can hold, and a claimed attempt is never started again.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import sys
import time

from . import records, sandbox, tree
from .beneath import bytes_beneath
from .cgroup import Cgroup
from .output import CappedLog
from .records import Claim, Exit, Identity, Order

CLAIMED, ALREADY = b"c", b"a"
_PR_SET_CHILD_SUBREAPER = 36
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.25, 10.0
_ENTRIES = 200_000
_NOT_SET_UP = 125
_COMMAND_NOT_FOUND = 127  # as shells say it
_NO_COMMAND = b"bwrap: execvp "  # said by the sandbox, so only when no job ever ran


def main() -> None:
    """Entry: `<local directory> <attempt directory> <descriptor to answer on>`."""
    directory, answer = sys.argv[-2], int(sys.argv[-1])
    if os.fork():
        os._exit(0)  # whoever started us has nothing to wait for
    boot = records.boot_id()
    lock = os.open(os.path.join(directory, records.LOCK), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.write(answer, ALREADY)
        return
    order = records.read_order(directory)
    if order is None or records.read_claim(directory) is not None:
        os.write(answer, ALREADY)
        return
    watch = Watch(directory, order, boot)
    watch.claim()
    # The server may have died meanwhile; the work goes on.
    with contextlib.suppress(BrokenPipeError):
        os.write(answer, CLAIMED)
    os.close(answer)
    watch.run()


class Watch:
    """One attempt from claim to exit record."""

    def __init__(self, directory: str, order: Order, boot: str) -> None:
        self._directory = directory
        self._order = order
        self._boot = boot
        self._cgroup = Cgroup(order["cgroup"])
        self._log = CappedLog(order["log"], order["log_bytes"])
        self._first: Identity | None = None
        self._exit_code: int | None = None
        self._stop_wanted = False
        self._kill_wanted = False
        self._detail = ""
        self._busy_us = 0
        self._reports = b""
        self._sandbox_pid = 0
        self._work = os.open(order["work"], os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        self._look_every_s = _FIRST_LOOK_S
        self._wake, self._woken = os.pipe()

    def claim(self) -> None:
        """Say that this attempt is ours and has begun."""
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        for number in (signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, self._on_signal)
        # What outlives bubblewrap becomes our child, so that we can wait for it.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._started_at_ms = time.time_ns() // 1_000_000
        self._started = time.monotonic()
        identity = records.identify(os.getpid(), self._boot)
        assert identity is not None
        claim = Claim(**identity, started_at_ms=self._started_at_ms)
        records.write_record(self._directory, records.CLAIM, claim)

    def _on_signal(self, number: int, _frame: object) -> None:
        if number == signal.SIGTERM:
            self._stop_wanted = True
        else:
            self._kill_wanted = True

    def run(self) -> None:
        """Start the sandbox, watch it to its end and record that."""
        try:
            status = self._start()
        except OSError as error:
            self._detail = f"sandbox not set up: {error}"
            self._finish(None, _NOT_SET_UP)
            return
        self._watch(status)
        code = self._reap()
        self._drain()
        if code and not self._kill_wanted:
            self._look_at_work()  # a file at its size limit ends a job before a look does
        if self._exit_code is None and not self._kill_wanted and not self._detail:
            if _NO_COMMAND in self._log.tail():
                self._detail = f"no such command: {self._order['command'][0][:100]}"
                code = _COMMAND_NOT_FOUND
            else:
                self._detail = "sandbox not set up: see the log"
        self._finish(self._exit_code, code)

    def _start(self) -> int:
        order = self._order
        self._cgroup.create(order["memory_bytes"], order["processes"], order["cores"])
        status, status_writer = os.pipe()
        self._output, output_writer = os.pipe()
        shim = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
        self._sandbox_pid = os.fork()
        if self._sandbox_pid == 0:
            try:
                signal.set_wakeup_fd(-1)
                for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGINT):
                    signal.signal(number, signal.SIG_DFL)
                sandbox.become(order, self._cgroup, output_writer, status_writer, shim)
            except BaseException as error:
                os.write(output_writer, f"comptoir: {error}\n".encode())
            finally:
                os._exit(_NOT_SET_UP)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGUSR1})
        os.close(status_writer)
        os.close(output_writer)
        os.set_blocking(self._output, False)
        return status

    def _watch(self, status: int) -> None:
        ended = os.pidfd_open(self._sandbox_pid)
        poll = select.poll()
        for handle in (ended, status, self._output, self._wake):
            poll.register(handle, select.POLLIN)
        next_look = time.monotonic() + self._look_every_s
        while True:
            self._obey()
            patience_s = 0.01 if self._stop_wanted else max(0.0, next_look - time.monotonic())
            for handle, _ in poll.poll(patience_s * 1000):
                if handle == ended:
                    self._read_reports(status)
                    os.close(ended)
                    return
                if handle == status and not self._read_reports(status):
                    poll.unregister(status)
                elif handle == self._output and not self._log.take(self._output):
                    poll.unregister(self._output)
                elif handle == self._wake:
                    os.read(self._wake, 4096)
            if time.monotonic() >= next_look:
                self._look()
                next_look = time.monotonic() + self._look_every_s

    def _read_reports(self, status: int) -> bool:
        """Take in bubblewrap's reports: its first process, then the exit code."""
        text = os.read(status, 4096)
        self._reports += text
        while b"\n" in self._reports:
            line, _, self._reports = self._reports.partition(b"\n")
            report = json.loads(line)
            if "child-pid" in report:
                self._first = records.identify(int(report["child-pid"]), self._boot)
                records.write_record(self._directory, records.JOB, self._first)
            if "exit-code" in report:
                self._exit_code = int(report["exit-code"])
        return bool(text)

    def _obey(self) -> None:
        """Do what the engine asked by signal, as soon as the job is there for it."""
        if self._kill_wanted:
            self._kill()
        if self._stop_wanted and self._first is not None:
            job = tree.job_process(self._first["pid"])
            identity = None if job is None else records.identify(job, self._boot)
            if identity is not None:
                records.signal_process(identity, signal.SIGTERM, self._boot)
                self._stop_wanted = False

    def _kill(self) -> None:
        if self._first is not None:
            records.signal_process(self._first, signal.SIGKILL, self._boot)
        else:
            os.kill(self._sandbox_pid, signal.SIGKILL)  # ours and not yet waited for

    def _look(self) -> None:
        """Measure what no kernel limit holds here; end the job when it is over."""
        begun = time.monotonic()
        order = self._order
        self._look_at_work()
        if self._first is not None and self._cgroup.version == 0:
            busy_us, resident = tree.measure(self._first["pid"])
            self._busy_us = max(self._busy_us, busy_us)
            records.write_record(self._directory, records.BUSY, self._busy_us)
            if resident > order["memory_bytes"]:
                self._end_because(f"out of memory ({size_text(order['memory_bytes'])})")
        # Never spend more than a twentieth of the time looking.
        spent = time.monotonic() - begun
        self._look_every_s = min(_LONGEST_LOOK_S, max(_FIRST_LOOK_S, 20 * spent))

    def _look_at_work(self) -> None:
        limit = self._order["work_bytes"]
        if bytes_beneath(self._work, limit, _ENTRIES) > limit:
            self._end_because(f"work directory over {size_text(limit)}")

    def _end_because(self, detail: str) -> None:
        self._detail = self._detail or detail
        self._kill_wanted = True

    def _reap(self) -> int:
        """Wait for the sandbox and everything it left; the sandbox's own exit code."""
        code = _NOT_SET_UP
        used_us = 0
        deadline = time.monotonic() + 5.0
        while time.monotonic() < deadline:
            for child in tree.children_of(os.getpid()):  # not waited for, so surely ours
                if child != self._sandbox_pid:
                    os.kill(child, signal.SIGKILL)
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                time.sleep(0.002)
                continue
            if pid == self._sandbox_pid:
                code = os.waitstatus_to_exitcode(status)
            used_us += int((used.ru_utime + used.ru_stime) * 1_000_000)
        if self._cgroup.busy_us() is None:
            self._busy_us = max(self._busy_us, used_us)
        return 128 - code if code < 0 else code

    def _drain(self) -> None:
        """Take what the job printed last; its end of the pipe closes with it."""
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline:
            try:
                if not self._log.take(self._output):
                    return
            except BlockingIOError:
                time.sleep(0.005)

    def _finish(self, exit_code: int | None, sandbox_code: int) -> None:
        """Record the end. Nothing of the attempt is left once that is written."""
        self._busy_us = max(self._busy_us, self._cgroup.busy_us() or 0)
        if self._cgroup.out_of_memory() and (exit_code or sandbox_code):
            limit = size_text(self._order["memory_bytes"])
            self._detail = f"out of memory ({limit})"
        clean = self._cgroup.remove()
        lasted_ms = int((time.monotonic() - self._started) * 1000)
        self._log.close()
        end = Exit(
            exit_code=(sandbox_code if exit_code is None else exit_code) & 255,
            started_at_ms=self._started_at_ms,
            ended_at_ms=self._started_at_ms + lasted_ms,
            busy_us=self._busy_us,
            detail=self._detail,
            clean=clean,
        )
        while True:  # a full disk must not lose an exit code; room may be made
            try:
                records.write_record(self._directory, records.EXIT, end, durable=True)
                return
            except OSError:
                time.sleep(1.0)


def size_text(size: int) -> str:
    """A size as people say it: `1 GiB`, `1.5 MiB`."""
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << power:
            return f"{size / (1 << power):.4g} {unit}"
    return f"{size} bytes"
