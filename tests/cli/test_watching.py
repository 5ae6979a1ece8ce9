"""Ctrl-C while a job is followed leaves the job running and says how to go on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from comptoir.client import Client
from tests.api.world import KIND, open_world


def test_ctrl_c_leaves_the_job_running(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        member = Client(world.url, world.people["member"].secret)
        job = member.run(["sleep"], kind=KIND)
        environment = {
            **os.environ,
            "COMPTOIR_URL": world.url,
            "COMPTOIR_API_KEY": str(world.people["member"].secret),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "comptoir", "job", "logs", job["id"], "--follow"],
            env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 130
        assert f"comptoir job cancel {job['id']}" in said
        assert "Traceback" not in said
        assert member.jobs.get(job["id"])["state"] == "running"
