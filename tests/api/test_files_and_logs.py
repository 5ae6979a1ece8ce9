"""A lease's files go in and out as they are; a job's log is read, continued and followed."""

import io
import tarfile
import threading
import time

import urllib3

from comptoir.api.door import Limits
from tests.api.world import World, open_world


def archive(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return packed.getvalue()


def running_job(world: World) -> tuple[str, str]:
    lease = world.lease()
    job = world.people["member"].post(
        "/v1/jobs", {"lease_id": lease["id"], "command": ["train"], "release_lease": True}
    )
    said = world.wait(f"/v1/jobs/{job.ok()['id']}", state="running")
    attempt = said["attempt_list"][0]["id"]
    deadline = time.monotonic() + 10
    while attempt not in world.engine.logs and time.monotonic() < deadline:
        time.sleep(0.005)  # the order comes with the commit of the intent
    return said["id"], attempt


def test_files_go_in_and_come_out_byte_for_byte(world: World) -> None:
    member, lease = world.people["member"], world.lease()["id"]
    path = f"/v1/leases/{lease}/files"
    data = bytes(range(256)) * 3_000
    said = member.ask("PUT", path, archive(**{"a.bin": data, "sub__b.txt": b"hi"}))
    assert said.ok()["bytes_written"] == str(len(data) + 2)
    names = [item["path"] for item in member.get(path).ok()["items"]]
    assert names == ["a.bin", "sub/b.txt"]
    got = member.get(f"{path}/a.bin")
    assert got.data == data
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''a.bin"
    assert got.headers["content-type"] == "application/octet-stream"
    assert member.get(f"{path}/sub/b.txt").data == b"hi"


def test_links_and_paths_that_leave_are_not_found(world: World) -> None:
    member, lease = world.people["member"], world.lease()["id"]
    path = f"/v1/leases/{lease}/files"
    member.ask("PUT", path, archive(a=b"1")).ok()
    for bad in (
        "link",
        "..%2F..%2Fetc%2Fpasswd",
        "%2Fetc%2Fpasswd",
        "a%00",
        "nothing",
        "x" * 5_000,
    ):
        member.get(f"{path}/{bad}").refused(404, "not_found")


def test_only_the_leases_own_may_upload_and_read(world: World) -> None:
    lease = world.lease()["id"]
    path = f"/v1/leases/{lease}/files"
    packed = archive(a=b"secret")
    world.people["stranger"].ask("PUT", path, packed).refused(404, "not_found")
    world.people["reader"].ask("PUT", path, packed).refused(403, "missing_permission")
    world.people["auditor"].ask("PUT", path, packed).refused(403, "missing_permission")
    world.operator.ask("PUT", path, packed).ok()
    world.people["stranger"].get(path).refused(404, "not_found")
    world.people["stranger"].get(f"{path}/a").refused(404, "not_found")
    assert world.people["reader"].get(f"{path}/a").data == b"secret"


def test_bad_archives_and_ended_leases_are_refused(world: World) -> None:
    member, lease = world.people["member"], world.lease()["id"]
    path = f"/v1/leases/{lease}/files"
    member.ask("PUT", path, b"not a tar").refused(422, "bad_archive")
    state = member.get(f"/v1/leases/{lease}").ok()["state"]
    member.post(f"/v1/leases/{lease}/{'cancel' if state in ('waiting', 'scheduled') else 'end'}")
    deadline = time.monotonic() + 5
    while member.get(f"/v1/leases/{lease}").ok()["state"] not in ("ended", "cancelled"):
        assert time.monotonic() < deadline
    member.ask("PUT", path, archive(a=b"1")).refused(409, "lease_over")


def test_an_upload_over_the_cap_is_cut_off(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with open_world(tmp_path, Limits(upload_bytes=100_000)) as world:
        lease = world.lease()["id"]
        path = f"/v1/leases/{lease}/files"
        world.people["member"].ask("PUT", path, b"x" * 100_001).refused(413, "upload_too_large")
        chunks = (b"x" * 10_000 for _ in range(20))
        key = world.people["member"].secret
        said = urllib3.request(
            "PUT", world.url + path, body=chunks, headers={"Authorization": f"Bearer {key}"}
        )
        assert (said.status, said.json()["code"]) == (413, "upload_too_large")
        assert world.engine.files == {}


def test_a_log_is_read_from_an_offset_and_says_where_to_go_on(world: World) -> None:
    member = world.people["member"]
    job, attempt = running_job(world)
    first = member.get(f"/v1/jobs/{job}/logs")
    assert (first.status, first.data) == (200, b"started\n")
    assert first.headers["x-next-offset"] == "8"
    world.engine.logs[attempt] += b"epoch 1\n"
    more = member.get(f"/v1/jobs/{job}/logs?offset=8&attempt=1")
    assert (more.data, more.headers["x-next-offset"]) == (b"epoch 1\n", "16")
    member.get(f"/v1/jobs/{job}/logs?attempt=2").refused(404, "not_found")
    world.people["stranger"].get(f"/v1/jobs/{job}/logs?follow=true").refused(404, "not_found")
    world.engine.finish(attempt)


def test_a_followed_log_streams_and_ends_with_the_job(world: World) -> None:
    job, attempt = running_job(world)
    threading.Timer(0.3, lambda: world.engine.logs[attempt].extend(b"last words\n")).start()
    threading.Timer(0.6, lambda: world.engine.finish(attempt)).start()
    said = world.people["member"].get(f"/v1/jobs/{job}/logs?follow=true")
    assert said.data == b"started\nlast words\n"
    assert world.people["member"].get(f"/v1/jobs/{job}").ok()["state"] == "succeeded"


def test_a_job_that_never_ran_has_an_empty_log_and_its_stream_ends(world: World) -> None:
    member = world.people["member"]
    lease = world.lease(starts_at="2099-01-01T00:00:00Z")["id"]
    job = member.post("/v1/jobs", {"lease_id": lease, "command": ["true"]}).ok()["id"]
    said = member.get(f"/v1/jobs/{job}/logs")
    assert (said.data, said.headers["x-next-offset"]) == (b"", "0")
    threading.Timer(0.3, lambda: member.post(f"/v1/jobs/{job}/cancel")).start()
    assert member.get(f"/v1/jobs/{job}/logs?follow=true").data == b""


def test_followed_logs_are_bounded(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with open_world(tmp_path, Limits(streams=0)) as world:
        job, _ = running_job(world)
        said = world.people["member"].get(f"/v1/jobs/{job}/logs?follow=true")
        said.refused(429, "too_many_streams")


def test_a_revoked_key_ends_its_stream(world: World) -> None:
    job, attempt = running_job(world)
    guest = world.user("guest", ["tenant_member"], "acme")
    key = guest.get("/v1/keys").ok()["items"][0]["id"]
    threading.Timer(0.3, lambda: world.operator.post(f"/v1/keys/{key}/revoke")).start()
    started = time.monotonic()
    guest.get(f"/v1/jobs/{job}/logs?follow=true")
    assert time.monotonic() - started < 5
    world.engine.finish(attempt)
