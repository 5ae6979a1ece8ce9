"""`lease request --batch` and `lease end` of several: one answer each, in the order given."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from comptoir.cli.exits import FAILED, OK
from comptoir.cli.lazy import Session
from comptoir.client.records import LeaseAnswer
from comptoir.units.errors import Invalid


def request_many(cli: Session, path: Path) -> int:
    """Send the requests of a file; the exit code says whether all were taken.

    Raises:
        Invalid: `bad_batch_file`, before anything is sent.
    """
    numbered = [*_read(path)]
    answers = cli.client.leases.request_many(item for _, item in numbered)
    return _show(cli, "line", [number for number, _ in numbered], answers)


def end_many(cli: Session, lease_ids: Sequence[str], yes: bool) -> int:
    """End several leases; the exit code says whether all were ended."""
    cli.confirm(f"end {len(lease_ids):,} leases: their jobs have their notice to stop", yes)
    return _show(cli, "asked", lease_ids, cli.client.leases.end_many(lease_ids))


def _read(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects of a file, with the numbers of their lines; empty lines are passed over."""
    try:
        raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        lines = raw.decode().split("\n")
    except OSError as error:
        raise _bad_file(path, f"it cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise _bad_file(path, "it is not UTF-8") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _bad_file(path, f"line {number}: {error}") from None
        if not isinstance(item, dict):
            raise _bad_file(path, f"line {number}: it is no JSON object")
        yield number, item


def _bad_file(path: Path, why: str) -> Invalid:
    example = '{"kind": "h100-sxm", "accelerators": 8, "lease_class": "spot"}'
    return Invalid("bad_batch_file", f"{path}: {why}", f"write one a line: {example}")


def _show(cli: Session, header: str, asked: Sequence[Any], answers: Iterable[LeaseAnswer]) -> int:
    """What became of each, as far as it was answered, also if the server went away meanwhile."""
    from comptoir.cli.output import Column

    rows: list[dict[str, Any]] = []
    columns = [
        Column(header, lambda row: str(row["asked"])),
        Column("lease", lambda row: row["id"] or "-"),
        Column("state", lambda row: row["result"]["state"] if row["result"] else "refused"),
        Column("what", _what, flexible=True),
    ]
    try:
        for of, answer in zip(asked, answers, strict=True):
            result = answer["result"]
            rows.append({"asked": of, **answer, "id": result and result["id"]})
    finally:
        cli.table([row for row in rows if row["id"] or not cli.ids], columns, "answers")
    return OK if all(row["problem"] is None for row in rows) else FAILED


def _what(row: Mapping[str, Any]) -> str:
    if row["problem"] is not None:
        return f"{row['problem']['code']}: {row['problem']['detail']}"
    found = row["result"]
    return f"{found['accelerators']:,} x {found['kind']}, {found['lease_class']}"
