"""Traces read: CSV as published ones are flattened, and SWF; what is wrong, by line and field.

CSV: gzip or plain, a header, times in seconds from the trace's first event. Columns: `job_id`,
`submit_s`, `duration_s`, `accelerators` are needed; `tenant` and `accelerator_type` are used
where they are. SWF: fields by place, `;` before comments.

Source: Feitelson, Tsafrir and Krakov, "Experience with using the Parallel Workloads Archive",
2014 (the Standard Workload Format).
"""

import csv
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from comptoir.units.errors import Invalid
from comptoir.units.time import MS_PER_S

MOST_JOBS = 5_000_000
MOST_SECONDS = 10**10
MOST_ACCELERATORS = 10**6
NEEDED = ("job_id", "submit_s", "duration_s", "accelerators")
USED = (*NEEDED, "tenant", "accelerator_type")
SWF_FIELDS = 18


@dataclass(frozen=True, slots=True)
class TraceJob:
    """One job as it was recorded. `accelerators` may be a fraction; times from the first event."""

    id: str
    submit_ms: int
    duration_ms: int
    accelerators: Fraction | int
    tenant: str
    accelerator_type: str
    line: int


@dataclass(frozen=True, slots=True)
class Trace:
    """The jobs of a file in order of submission. `skipped` had nothing to run."""

    name: str
    jobs: tuple[TraceJob, ...]
    skipped: int

    @property
    def span_ms(self) -> int:
        """From the first submission to the last."""
        return self.jobs[-1].submit_ms - self.jobs[0].submit_ms if self.jobs else 0


def read_trace(path: Path) -> Trace:
    """Read a trace; its form follows from its name: `.swf`, `.swf.gz`, or CSV.

    Raises:
        Invalid: `bad_trace`, with file, line and field.
    """
    name = path.name
    reader = _swf if name.removesuffix(".gz").endswith(".swf") else _csv
    jobs: list[TraceJob] = []
    skipped = 0
    seen: dict[str, int] = {}
    line = 0
    try:
        for line, job in reader(name, _lines(path)):
            if job is None:
                skipped += 1
                continue
            first = seen.setdefault(job.id, line)
            if first != line:
                raise wrong(name, line, "job_id", f"{job.id!r} is also line {first}")
            if jobs and job.submit_ms < jobs[-1].submit_ms:
                before = jobs[-1].submit_ms / MS_PER_S
                said = f"{job.submit_ms / MS_PER_S:g} comes after {before:g}: sort by submission"
                raise wrong(name, line, "submit_s", said)
            jobs.append(job)
            if len(jobs) > MOST_JOBS:
                raise wrong(name, line, "", f"it has more than {MOST_JOBS:,} jobs")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise wrong(name, line + 1, "", f"the gzip is broken: {error}") from error
    except UnicodeDecodeError as error:
        raise wrong(name, line + 1, "", "it is not UTF-8") from error
    except OSError as error:
        raise wrong(name, 0, "", f"it cannot be read: {error.strerror or error}") from error
    if not jobs:
        raise wrong(name, line, "", "there is no job in it")
    return Trace(name, tuple(jobs), skipped)


def wrong(name: str, line: int, field: str, what: str) -> Invalid:
    """What is wrong with a trace, and where."""
    place = f"{name}:{line}" if line else name
    return Invalid(
        "bad_trace",
        ": ".join(part for part in (place, field, what) if part),
        "mend the file; docs/replay.md says what it holds",
        {"file": name, "line": line, "field": field},
    )


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    if path.name.endswith(".gz") and not packed:
        raise wrong(path.name, 0, "", "it is called .gz and is not gzip")
    with (
        gzip.open(path, "rt", encoding="utf-8", newline="")
        if packed
        else path.open(encoding="utf-8", newline="") as text
    ):
        yield from text


_Read = Iterator[tuple[int, TraceJob | None]]


def _csv(name: str, lines: Iterator[str]) -> _Read:
    rows = csv.reader(lines)
    header = [cell.strip() for cell in next(rows, [])]
    missing = [field for field in NEEDED if field not in header]
    if missing:
        there = ", ".join(header) or "none"
        raise wrong(name, 1, missing[0], f"there is no such column; there are {there}")
    at = {field: header.index(field) for field in USED if field in header}
    for row in rows:
        line = rows.line_num
        if not row:
            continue
        if len(row) != len(header):
            raise wrong(name, line, "", f"it has {len(row)} cells, the header {len(header)}")
        cells = {field: row[place].strip() for field, place in at.items()}
        yield line, _job(name, line, cells)


def _swf(name: str, lines: Iterator[str]) -> _Read:
    """Field 8 is what was asked for, 5 what was given; -1 means unknown."""
    for line, text in enumerate(lines, 1):
        words = text.split()
        if not words or words[0].startswith(";"):
            continue
        if len(words) != SWF_FIELDS:
            raise wrong(name, line, "", f"it has {len(words)} fields, SWF has {SWF_FIELDS}")
        processors = words[7] if words[7] != "-1" else words[4]
        if words[3] == "-1" or processors == "-1":
            yield line, None
            continue
        cells = {
            "job_id": words[0], "submit_s": words[1], "duration_s": words[3],
            "accelerators": processors, "tenant": f"user-{words[11]}" if words[11] != "-1" else "",
        }  # fmt: skip
        yield line, _job(name, line, cells)


def _job(name: str, line: int, cells: dict[str, str]) -> TraceJob | None:
    """A job; None if it had no accelerator or no time: there is nothing to replay."""
    submit = _number(name, line, "submit_s", cells["submit_s"], MOST_SECONDS)
    duration = _number(name, line, "duration_s", cells["duration_s"], MOST_SECONDS)
    accelerators = _number(name, line, "accelerators", cells["accelerators"], MOST_ACCELERATORS)
    if not cells["job_id"]:
        raise wrong(name, line, "job_id", "it is empty")
    if not duration or not accelerators:
        return None
    return TraceJob(
        cells["job_id"],
        int(submit * MS_PER_S),
        max(int(duration * MS_PER_S), 1),
        accelerators,
        cells.get("tenant", "") or "all",
        cells.get("accelerator_type", ""),
        line,
    )


def _number(name: str, line: int, field: str, text: str, most: int) -> Fraction | int:
    if text.isdecimal() and text.isascii() and len(text) < 12:  # nearly all are
        return _within(name, line, field, int(text), text, most)
    try:
        plain = text.isascii() and not text.endswith(("nan", "inf", "/0")) and "/" not in text
        number = Fraction(text) if plain else None
    except ValueError:
        number = None
    if number is None:
        raise wrong(name, line, field, f"{text!r} is not a number")
    return _within(name, line, field, number, text, most)


def _within(
    name: str, line: int, field: str, number: Fraction | int, text: str, most: int
) -> Fraction | int:
    if number < 0:
        raise wrong(name, line, field, f"{text} is negative")
    if number > most:
        raise wrong(name, line, field, f"{text} is over {most:,}")
    return number
