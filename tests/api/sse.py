"""Server-sent events as a reader of its own sees them: no code of the client or the server."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import urllib3

from tests.api.world import Person, Said

PATIENCE_S = 40.0


@dataclass
class Told:
    """What a stream said, event by event."""

    began: str = ""
    """The id after which the stream began."""
    ids: list[str] = field(default_factory=list)
    """The id after each event, data or not."""
    notices: list[Any] = field(default_factory=list)
    comments: int = 0
    end: Any = None


@dataclass
class Reader:
    """One open stream."""

    answer: urllib3.BaseHTTPResponse
    told: Told = field(default_factory=Told)

    def __post_init__(self) -> None:
        self._lines = self._split()

    def close(self) -> None:
        self.answer.close()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _split(self) -> Iterator[str]:
        rest = b""
        while piece := self.answer.read1(65_536):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line.decode()

    def step(self) -> bool:
        """Read one event (or a comment); False at the end of the stream."""
        kind, data, said = "message", [], False
        for line in self._lines:
            if not line:
                if kind == "end":
                    self.told.end = json.loads("".join(data))
                elif data:
                    self.told.notices.append(json.loads("\n".join(data)))
                return True
            said = True
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "":
                self.told.comments += 1
            elif name == "id":
                self.told.ids.append(value)
            elif name == "event":
                kind = value
            elif name == "data":
                data.append(value)
        assert not said, "the stream broke off inside an event"
        return False

    def until(self, count: int) -> list[Any]:
        """Read until there are so many notices; heartbeats alone do not go on for ever."""
        deadline = time.monotonic() + PATIENCE_S
        while len(self.told.notices) < count and self.step():
            assert time.monotonic() < deadline, f"{len(self.told.notices)} of {count} were told"
        return self.told.notices

    def rest(self) -> Told:
        """Read to the end."""
        while self.step():
            pass
        return self.told


def follow(who: Person, query: str = "", **headers: str) -> Reader:
    """Open a stream; what is no stream fails."""
    answer = _ask(who, query, headers)
    assert answer.status == 200, answer.read()
    assert answer.headers["content-type"].startswith("text/event-stream")
    reader = Reader(answer)
    assert reader.step()  # the first words: from here on it is told
    reader.told.began, reader.told.ids = reader.told.ids[0], []
    return reader


def refused(who: Person, query: str, status: int, code: str, **headers: str) -> Any:
    answer = _ask(who, query, headers)
    return Said(answer.status, answer.headers, answer.read()).refused(status, code)


def _ask(who: Person, query: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return who.world.http.request(
        "GET",
        f"{who.world.url}/v1/feed{query}",
        headers={"Authorization": f"Bearer {who.secret}", **given},
        preload_content=False,
        retries=False,
        timeout=urllib3.Timeout(connect=5, read=20),
    )
