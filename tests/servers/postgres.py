"""A real, throw-away PostgreSQL server for the tests, and fresh databases in it.

The server lives in a temporary directory, listens on a unix socket there and nowhere
else, and dies with the process that started it. It is durable towards its own crash but
not towards the machine's (fsync is off), which is all a contract test can see. PostgreSQL
refuses to run as root, so root runs it as the user that Debian's package created.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path

import psycopg

SERVER_USER = "postgres"
OWNER = "comptoir"
TEMPLATE = "template0"
START_TIMEOUT_S = 30
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum": "off",
}
_REMEDY = "`make test` installs it, or run scripts/setup test"


class PostgresMissing(Exception):
    """No PostgreSQL server is installed; the message says how to get one."""


def find_program(name: str) -> str:
    """The path of a PostgreSQL program: the newest Debian has, else the PATH's."""
    debian = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = sorted(debian, key=lambda path: float(path.parts[-3]), reverse=True)
    found = str(newest[0]) if newest else shutil.which(name)
    if found is None:
        raise PostgresMissing(f"the tests need a PostgreSQL server and found no {name}: {_REMEDY}")
    return found


class PostgresServer:
    """One server: `start`, `stop`, `create_database`, and `close` when done with it.

    It can be stopped and started again, also the hard way, to test recovery.
    """

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="comptoir-pg-"))
        self._data = self.directory / "data"
        self._log = self.directory / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        if os.geteuid() == 0:
            account = pwd.getpwnam(SERVER_USER)
            os.chown(self.directory, account.pw_uid, account.pw_gid)
        command = [find_program("initdb"), "-D", str(self._data), "-U", OWNER, "--auth=trust"]
        subprocess.run(
            [*self._as_server_user(), *command, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=self.directory,
        )

    def url(self, database: str = "postgres") -> str:
        """The URL of one of its databases, as `comptoir up --database` takes it."""
        return f"postgresql://{OWNER}@/{database}?host={self.directory}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [find_program("postgres"), "-D", str(self._data), "-k", str(self.directory)]
        for name, value in _SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as_server_user(), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                start_new_session=True,  # a Ctrl-C is for the tests
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(self.url()).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start:\n{self.log()}") from None
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT disconnects and shuts down, SIGQUIT and SIGKILL crash it."""
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(START_TIMEOUT_S)
        self._process = None

    def close(self) -> None:
        """Stop it and remove its directory."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self) -> str:
        """What the server has said so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def create_database(self, template: str = TEMPLATE) -> str:
        """A fresh database, a copy of `template`; its name.

        A migrated database makes a cheap template: nobody may be connected to it meanwhile.
        """
        name = f"test_{next(self._numbers)}"
        self._administer(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop_database(self, name: str) -> None:
        """Drop it, disconnecting whoever is still there."""
        self._administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    @staticmethod
    def _as_server_user() -> list[str]:
        dies_with_us = ["setpriv", "--pdeathsig", "INT"]
        if os.geteuid() != 0:
            return dies_with_us
        account = pwd.getpwnam(SERVER_USER)
        ids = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        return [*dies_with_us, *ids]
