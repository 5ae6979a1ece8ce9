"""One POST: pinned to a judged address, bounded in time and size, redirected nowhere."""

import socket
import ssl
import subprocess
import threading
import time
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from comptoir.notices import posting
from comptoir.notices.posting import Answer, Outside, PostFailed
from comptoir.units.errors import Invalid, Refused
from tests.notices.receiver import receiving, speaking

HERE = Outside(loopback=True)
OUT = Outside()


class Names:
    """Name servers that answer as they are told, and count how often they are asked."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): found for name, found in answers.items()}
        self.asked: list[str] = []

    def getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked.append(host)
        found = self.answers.get(host)
        if found is None:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        addresses = found.pop(0) if len(found) > 1 else found[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    made = Names()
    monkeypatch.setattr(posting.socket, "getaddrinfo", made.getaddrinfo)
    return made


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "[::1]", "10.1.2.3", "169.254.169.254", "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]", "0.0.0.0", "[64:ff9b::a00:1]",
    ],
)  # fmt: skip
def test_an_address_inside_is_refused_before_anything_is_sent(host: str) -> None:
    for call in (OUT.judge, lambda url: OUT.post(url, {}, b"")):
        with pytest.raises(Refused, match="address_refused"):
            call(f"https://{host}/latest/meta-data")


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "017700000001", "127.1"])
def test_an_address_in_disguise_is_judged_as_what_it_means(host: str) -> None:
    with pytest.raises(Refused, match=r"address_refused|host_unknown"):
        OUT.judge(f"https://{host}/")


def test_a_name_that_leads_inside_is_refused(names: Names) -> None:
    names.answers["inside.example"] = [["192.168.0.7"]]
    with pytest.raises(Refused, match="address_refused") as refused:
        OUT.judge("https://inside.example/")
    assert refused.value.facts == {"host": "inside.example", "address": "192.168.0.7"}


def test_a_name_of_which_one_address_leads_inside_is_refused(names: Names) -> None:
    names.answers["both.example"] = [["93.184.216.34", "127.0.0.1"]]
    with pytest.raises(Refused, match="address_refused"):
        OUT.judge("https://both.example/")


def test_a_name_that_nobody_answers_for_is_given_up_within_the_same_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = threading.Event()

    def silent(*_: Any, **__: Any) -> list[Any]:
        answered.wait(10)
        return []

    monkeypatch.setattr(posting.socket, "getaddrinfo", silent)
    monkeypatch.setattr(posting, "WITHIN_S", 0.2)
    for call in (OUT.judge, lambda url: OUT.post(url, {}, b"")):
        began = time.monotonic()
        with pytest.raises(Refused, match="was not looked up within"):
            call("https://slow.example/")
        assert time.monotonic() - began < 5
    answered.set()


def test_an_unknown_name_is_refused(names: Names) -> None:
    with pytest.raises(Refused, match="host_unknown"):
        OUT.judge("https://nowhere.example/")


def test_a_name_is_resolved_once_and_its_answer_is_what_is_called(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second look-up could lead inside; there is none."""
    called: list[Any] = []

    def connect(address: str, port: int, until: float) -> socket.socket:
        called.append((address, port))
        raise PostFailed("stop here")

    monkeypatch.setattr(posting, "_connect", connect)
    names.answers["rebinds.example"] = [["93.184.216.34"], ["127.0.0.1"]]
    with pytest.raises(PostFailed):
        OUT.post("https://rebinds.example:8443/x", {}, b"")
    assert (names.asked, called) == (["rebinds.example"], [("93.184.216.34", 8443)])


def test_plain_http_is_refused_and_the_setting_for_tests_lets_loopback_only_pass(
    names: Names,
) -> None:
    names.answers["example.org"] = [["93.184.216.34"]]
    for outside in (OUT, HERE):
        with pytest.raises(Invalid, match="webhook_not_https"):
            outside.judge("http://example.org/")
    names.answers["10.0.0.1"] = [["10.0.0.1"]]
    with pytest.raises(Refused, match="address_refused"):
        HERE.judge("https://10.0.0.1/")


def test_a_post_says_what_it_was_given() -> None:
    with receiving() as receiver:
        answer = HERE.post(receiver.url, {"Content-Type": "application/json"}, b'{"a":1}')
        (got,) = receiver.got
    assert answer == Answer(204, 0)
    assert (got.path, got.body) == ("/hook?a=b", b'{"a":1}')
    assert got.headers["host"] == f"127.0.0.1:{receiver.server_port}"
    assert got.headers["connection"] == "close"


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with receiving() as inner, receiving() as outer:
        outer.answers = lambda _: (302, {"Location": inner.url})
        assert HERE.post(outer.url, {}, b"").status == 302
        assert inner.got == []


def test_what_the_receiver_asks_for_is_heard() -> None:
    with receiving() as receiver:
        receiver.answers = lambda _: (503, {"Retry-After": "120"})
        assert HERE.post(receiver.url, {}, b"") == Answer(503, 120)
        receiver.answers = lambda _: (503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})
        assert HERE.post(receiver.url, {}, b"") == Answer(503, 0)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([b""], "closed without an answer"),
        ([b"SSH-2.0-OpenSSH_9.6\r\n\r\n"], "not HTTP"),
        ([b"HTTP/1.1 999 Nonsense\r\n\r\n"], "not HTTP"),
        ([b"HTTP/1.1 200 OK\r\n", *repeat(b"X: " + b"y" * 1_000 + b"\r\n", 40)], "more than"),
        ([b"HTTP/1.1 200 OK\r\nX: half"], "closed without an answer"),
    ],
)
def test_an_answer_that_is_none_is_a_failure(words: list[bytes], why: str) -> None:
    with speaking(*words) as port, pytest.raises(PostFailed, match=why):
        HERE.post(f"http://127.0.0.1:{port}/", {}, b"x")


def test_an_interim_answer_is_not_the_answer() -> None:
    words = b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n"
    with speaking(words) as port:
        assert HERE.post(f"http://127.0.0.1:{port}/", {}, b"x").status == 202


def test_a_body_is_not_waited_for() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"
    with speaking(endless, keep=True) as port:
        began = time.monotonic()
        assert HERE.post(f"http://127.0.0.1:{port}/", {}, b"x").status == 200
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_receiver_that_drips_is_left_in_time(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """Each byte comes in time, the whole does not; in TLS the handshake itself never ends."""
    monkeypatch.setattr(posting, "WITHIN_S", 0.5)
    with speaking(*(b"H" for _ in range(100)), every_s=0.05, keep=True) as port:
        began = time.monotonic()
        with pytest.raises(PostFailed):
            HERE.post(f"{scheme}://127.0.0.1:{port}/", {}, b"x")
        assert time.monotonic() - began < 2


def test_a_silent_receiver_is_said_to_be_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "WITHIN_S", 0.3)
    with speaking(keep=True) as port, pytest.raises(PostFailed, match="no answer within"):
        HERE.post(f"http://127.0.0.1:{port}/", {}, b"x")


def test_nobody_listening_is_said() -> None:
    with receiving() as receiver:
        url = receiver.url
    with pytest.raises(PostFailed, match="refused"):
        HERE.post(url, {}, b"")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate authority and a certificate for hooks.example, made here."""
    place = tmp_path_factory.mktemp("tls")
    extensions = place / "extensions"
    extensions.write_text("subjectAltName=DNS:hooks.example\n")
    for command in (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test "
        "-keyout ca.key -out ca.pem",
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=hooks.example "
        "-keyout server.key -out server.csr",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
        "-extfile extensions -out server.pem",
    ):
        subprocess.run(
            ["openssl", *command.split()], cwd=place, check=True, capture_output=True, timeout=30
        )
    return place


def test_tls_is_spoken_to_the_pinned_address_under_the_hosts_name(
    authority: Path, names: Names
) -> None:
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(authority / "server.pem", authority / "server.key")
    said: list[str | None] = []
    served.sni_callback = lambda _socket, name, _context: said.append(name)
    trusting = ssl.create_default_context(cafile=str(authority / "ca.pem"))
    names.answers = {name: [["127.0.0.1"]] for name in ("hooks.example", "other.example")}
    with receiving(tls=served) as receiver:
        url = f"https://hooks.example:{receiver.server_port}/hook"
        answer = Outside(loopback=True, trust=trusting).post(url, {}, b"{}")
        assert answer.status == 204
        assert receiver.got[0].headers["host"] == f"hooks.example:{receiver.server_port}"
        assert said == ["hooks.example"]
        with pytest.raises(PostFailed, match="certificate is not good"):
            Outside(loopback=True).post(url, {}, b"{}")
        other = url.replace("hooks.example", "other.example")
        with pytest.raises(PostFailed, match="certificate is not good"):
            Outside(loopback=True, trust=trusting).post(other, {}, b"{}")
        assert len(receiver.got) == 1
