"""Mail over the real API: a tenant's notices arrive at its mailbox, and those alone."""

import time
from pathlib import Path

from comptoir.notices.mailing import MailSettings
from tests.api.world import KIND, open_world
from tests.notices.test_mailing import mail_server


def test_a_tenants_notices_arrive_in_its_mailbox(tmp_path: Path) -> None:
    with mail_server() as box:
        mail = MailSettings("127.0.0.1", "house@example.org", box.port, "none")
        with open_world(tmp_path, mail=mail) as world:
            body = {"kind": "mail", "target": "ada@acme.example", "types": ["lease.*", "quota.*"]}
            made = world.people["admin"].post("/v1/subscriptions", body).ok()
            assert made["secret"] is None
            assert made["target"] == "ada@acme.example"
            path = f"/v1/tenants/zenith/quotas/{KIND}"
            world.operator.ask("PUT", path, {"accelerators": 3}).ok()
            lease = world.lease(name="nightly")
            tries = f"/v1/subscriptions/{made['id']}/deliveries"
            deadline = time.monotonic() + 15
            while not (items := world.people["admin"].get(tries).ok()["items"]):
                assert time.monotonic() < deadline
                time.sleep(0.05)
    assert items[-1]["delivered"]
    assert items[-1]["status"] == 250
    message = box.got[0]
    assert box.to == ["ada@acme.example"]
    assert lease["id"] in message["subject"] or "notices" in message["subject"]
    assert "name: nightly" in message.get_content()
    assert "zenith" not in message.get_content()
    assert "why:" not in message.get_content()
