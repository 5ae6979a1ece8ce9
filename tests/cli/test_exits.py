"""How a command ends: its code, its words, never a traceback."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from comptoir.cli import main as entry
from comptoir.cli.commands import status
from comptoir.cli.exits import EXIT_CODES
from comptoir.cli.session import Session
from comptoir.units import errors

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"
NOWHERE = ["--url", "http://127.0.0.1:1"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("COMPTOIR_URL", "COMPTOIR_API_KEY", "COMPTOIR_DEBUG"):
        monkeypatch.delenv(name, raising=False)


def raise_in_status(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(_: Session) -> None:
        raise error

    monkeypatch.setattr(Session, "client", property(fail))
    assert status.status  # the command whose body asks for a client


def test_every_error_class_has_an_exit_code() -> None:
    classes = {c for c in vars(errors).values() if isinstance(c, type) and c.__base__ in (
        errors.ComptoirError, Exception)} - {errors.ComptoirError}  # fmt: skip
    assert classes == set(EXIT_CODES)


def test_the_docs_have_the_table() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| (.*?) \|", DOCS.read_text(), re.M))
    for kind, (code, word) in EXIT_CODES.items():
        assert word in rows[str(code)], kind
    assert {"0", "1", "2", "125", "130"} <= set(rows)


def test_a_no_is_two_lines_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raise_in_status(monkeypatch, errors.Refused("quota_exceeded", "16 of 16", "end a lease"))
    assert entry.main(["status"]) == 7
    said = capsys.readouterr()
    assert said.err == "refused  quota_exceeded: 16 of 16\n         end a lease\n"
    assert said.out == ""


def test_a_no_in_json_is_one_document_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raise_in_status(monkeypatch, errors.Conflict("lease_over", "it is", "ask", {"n": 1}))
    assert entry.main(["status", "--json"]) == 6
    said = capsys.readouterr()
    expected = {"code": "lease_over", "message": "it is", "next": "ask", "facts": {"n": 1}}
    assert (said.out, json.loads(said.err)) == ("", expected)


def test_a_bug_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raise_in_status(monkeypatch, ZeroDivisionError("division by zero"))
    assert entry.main(["status"]) == 1
    said = capsys.readouterr().err
    assert "COMPTOIR_DEBUG=1" in said
    assert "Traceback" not in said


def test_a_person_who_asks_gets_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPTOIR_DEBUG", "1")
    raise_in_status(monkeypatch, ZeroDivisionError("division by zero"))
    with pytest.raises(ZeroDivisionError):
        entry.main(["status"])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["status", *NOWHERE], 8),
        (["status", "--profile", "nix"], 5),
        (["status", "--url", "nonsense"], 2),
        (["lease", "request", "--kind", "cpu-core"], 2),
        (["leese"], 2),
        (["lease", "extend", "ls_1", "--ends", "tomorrow"], 2),
        (["lease", "end", "ls_1", "--json", *NOWHERE], 2),
        (["run", "--kind", "cpu-core", "--no-upload", *NOWHERE, "--", "true"], 125),
        ([], 2),
        (["lease"], 2),
    ],
)
def test_exit_codes(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(arguments) == code
    assert "Traceback" not in capsys.readouterr().err


def test_a_near_miss_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    entry.main(["lease", "cancle", "ls_1"])
    assert "Did you mean cancel?" in capsys.readouterr().err


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    program = "from comptoir.cli.main import entry; entry()"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", program, "--help"],
        stdout=writing, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(writing)
    assert done.stderr == b""


def test_ctrl_c_is_one_word() -> None:
    program = (
        "import time, comptoir.cli.main as m, comptoir.cli.session as s\n"
        "def wait(_): print('ready', flush=True); time.sleep(60)\n"
        "s.Session.client = property(wait)\n"
        "m.entry()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, "status"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said.strip()) == (130, "interrupted")


def test_no_colour_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "")
    assert entry.main(["profile", "list"]) == 0
    assert entry.main(["status", *NOWHERE]) == 8
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err


def test_a_line_of_the_offers_is_held_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["hold", "1", "--for", "2h", "--kind", "h100-sxm", "--hours", "3"]
    assert entry.main([*words, *NOWHERE]) == 2
    assert "leave out --kind, --hours, or N" in capsys.readouterr().err


def test_a_recurring_request_passes_its_duration_on_to_be_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, Any]] = []

    def request(wanted: dict[str, Any], every: str, until: str) -> None:
        asked.append(wanted)
        raise errors.Invalid("series_with_window", "its windows come from its recurrence")

    client = SimpleNamespace(series=SimpleNamespace(request=request))
    monkeypatch.setattr(Session, "client", property(lambda _: client))
    words = "lease request --kind cpu-core --accelerators 1 --class spot --for 1h --until +3d"
    assert entry.main([*words.split(), "--every", "daily 20:00 to 22:00 UTC"]) == 2
    assert asked[0]["duration_s"] == 3_600


@pytest.mark.parametrize("words", [["tenant", "suspend", "nosuch"], ["supply", "end", "nosuch"]])
def test_nobody_is_asked_to_confirm_what_there_is_not(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def get(name: str) -> None:
        raise errors.NotFound("not_found", f"no {name}")

    found = SimpleNamespace(get=get)
    client = SimpleNamespace(tenants=found, supply=found)
    monkeypatch.setattr(Session, "client", property(lambda _: client))
    assert entry.main(words) == EXIT_CODES[errors.NotFound][0]
    assert "this will" not in capsys.readouterr().err


def test_figures_go_into_a_directory_that_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = tmp_path / "nosuch" / "x.json"
    assert entry.main(["bench", "desk", "--json", str(nowhere)]) == 2
    assert "there is no directory" in capsys.readouterr().err
    assert not nowhere.parent.exists()


def test_an_inventory_is_saved_over_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csv, there = tmp_path / "i.csv", tmp_path / "fleet.toml"
    csv.write_text("node,kind,accelerators\nn1,h100-sxm,8\n")
    there.write_text("mine")
    words = ["fleet", "import", str(csv), "--lease", "lab", "--save", str(there)]
    assert entry.main(words) == 2
    assert "exists already" in capsys.readouterr().err
    assert there.read_text() == "mine"


@pytest.mark.parametrize("line", ["1=", "x", "=5.00"])
def test_a_line_to_credit_that_says_half_of_it_credits_nothing(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raise_in_status(monkeypatch, AssertionError("the server was asked"))
    command = ["credit-note", "issue", "ACME-2026-000001", "--line", line, "--reason", "x", "--yes"]
    assert entry.main(command) == 2
    assert f"{line!r}" in capsys.readouterr().err


def test_drafts_that_somebody_else_made_final_meanwhile_stop_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def finalise(draft: str) -> dict[str, str]:
        if draft == "iv_2":
            raise errors.Conflict("already_final", "iv_2 is ACME-2026-000002", "", {})
        return {"id": draft, "tenant_id": "tn_1"}

    drafts = [{"id": f"iv_{n}"} for n in (3, 2, 1)]
    invoices = SimpleNamespace(drafts=lambda **_: drafts, finalise=finalise)
    tenants = SimpleNamespace(list=lambda: [], get=lambda _: None)
    client = SimpleNamespace(invoices=invoices, tenants=tenants, close=lambda: None)
    monkeypatch.setattr(Session, "client", property(lambda _: client))
    assert entry.main(["invoice", "finalise", "--period", "2026-10", "--yes", "--json"]) == 0
    said = capsys.readouterr()
    assert [each["id"] for each in json.loads(said.out)["items"]] == ["iv_1", "iv_3"]
    assert said.err == "passed over: iv_2 is ACME-2026-000002\n"
