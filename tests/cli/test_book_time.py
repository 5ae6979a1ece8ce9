"""What is said of time is said by the clock of the book: a test clock is not the machine's."""

from typing import Any

import pytest

from comptoir.cli.main import main
from comptoir.client.transport import Transport
from tests.cli.answers import ORDINARY, Answers

NOW = "2026-11-28T06:10:00.000Z"
"""Ten minutes after every instant of the answers."""


@pytest.fixture(autouse=True)
def post(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPTOIR_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("COMPTOIR_API_KEY", "ck_test_" + "x" * 43)
    answers = Answers(ORDINARY)

    def ask(self: Transport, method: str, path: str, *rest: Any) -> Any:
        if path == "/v1/clock":
            return {"now": NOW, "test": True}
        return answers.ask(method, path)

    monkeypatch.setattr(Transport, "_ask", ask)


@pytest.mark.parametrize("command", ["lease show ls_7Q4M", "lease why ls_7Q4M"])
def test_how_long_ago_something_was_is_by_the_clock_of_the_book(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command.split()) == 0
    assert "10 min" in " ".join(capsys.readouterr().out.splitlines()[:2])


def test_what_is_in_force_is_by_the_clock_of_the_book(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["entitlement", "list"]) == 0
    assert "ended" in capsys.readouterr().out


def test_machines_read_instants_and_the_clock_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = Answers(ORDINARY)
    asked = []

    def ask(self: Transport, method: str, path: str, *rest: Any) -> Any:
        asked.append(path)
        return answers.ask(method, path)

    monkeypatch.setattr(Transport, "_ask", ask)
    assert main(["lease", "show", "ls_7Q4M", "--json"]) == 0
    assert asked == ["/v1/leases/ls_7Q4M"]
