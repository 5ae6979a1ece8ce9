"""What starting costs, and what a customer needs: nothing heavy, nothing of the server."""

import subprocess
import sys
import textwrap

import pytest

HEAVY = ("sqlalchemy", "fastapi", "pydantic", "uvicorn", "rich", "urllib3", "numpy")
SERVER = (
    *("sqlalchemy", "alembic", "fastapi", "starlette", "pydantic", "uvicorn", "uvloop"),
    *("httptools", "psycopg", "numpy", "sklearn", "pyseccomp"),
)


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments", ["--version", "--help", "lease --help", "lease request --help", "run --help"]
)
def test_a_command_that_does_no_work_imports_nothing_heavy(arguments: str) -> None:
    done = python(
        f"""
        import sys
        from comptoir.cli.main import main
        code = main({arguments.split()!r})
        print("heavy:", sorted(set({HEAVY!r}) & set(sys.modules)), code)
        """
    )
    assert done.stdout.splitlines()[-1] == "heavy: [] 0", done.stderr


BLOCK = f"""
import sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {SERVER!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
"""


def test_a_customer_needs_none_of_the_server() -> None:
    done = python(
        BLOCK
        + """
from comptoir import Client
from comptoir.cli.lazy import Group
from comptoir.cli.main import comptoir, main
import click

def walk(group, path):
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, Group):
            walk(command, path + (name,))

walk(comptoir, ())
Client("http://127.0.0.1:1", "ck_x")
print(main(["status", "--url", "http://127.0.0.1:1"]))
"""
    )
    assert done.stdout.splitlines() == ["8"], done.stderr


@pytest.mark.parametrize("arguments", [["up"], ["demo", "--once"], ["db", "upgrade"]])
def test_a_server_command_without_the_server_is_one_sentence(arguments: list[str]) -> None:
    done = python(f"{BLOCK}\nfrom comptoir.cli.main import main\nsys.exit(main({arguments!r}))")
    assert done.returncode == 8
    assert "pip install 'comptoir[server]'" in done.stderr
    assert "Traceback" not in done.stderr
