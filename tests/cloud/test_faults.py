"""What the cloud survives: services that die, its own processes killed, stop and start."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.cloud.conftest import Microstack
from tests.cloud.guests import Guest, wait_until
from workload.layout import Layout
from workload.runtime.client import Client
from workload.runtime.status import ServiceStatus

RESTARTED = 60.0
AGAIN = 300.0


@pytest.mark.parametrize("name", ["placement", "nova-scheduler", "ovn-northd", "memcached"])
def test_a_service_that_dies_is_started_again(cloud: Microstack, name: str) -> None:
    before = service(name)
    os.kill(before.pid, signal.SIGKILL)

    def restarted() -> bool:
        now = service(name)
        return now.state == "active" and now.pid not in (0, before.pid)

    wait_until(restarted, f"{name} runs again", RESTARTED)


def test_config_changes_restart_what_they_concern_and_nothing_else(cloud: Microstack) -> None:
    before = pids()
    cloud("config", "placement", "debug=true")
    wait_until(lambda: service("placement").pid != before["placement"], "placement", RESTARTED)
    changed = {name for name, pid in pids().items() if pid != before[name]}
    assert changed == {"placement"}
    cloud("config", "placement", "--reset", "debug")


def test_a_wrong_option_is_refused_by_name(cloud: Microstack) -> None:
    refused = cloud("config", "placement", "debug=perhaps", check=False)
    assert refused.returncode == 1
    assert "debug" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_after_stop_and_start_guests_and_their_floating_addresses_work_again(
    cloud: Microstack, t1: Guest
) -> None:
    """Guests that ran are started again with their hypervisor, as after a reboot."""
    cloud("stop")
    cloud("start")
    cloud("up")
    wait_until(lambda: reachable(t1), "t1 answers on its floating address", AGAIN)
    assert t1.run("hostname").strip() == t1.name


def reachable(guest: Guest) -> bool:
    try:
        guest.run("true", timeout=20)
    except (AssertionError, subprocess.TimeoutExpired):
        return False
    return True


def service(name: str) -> ServiceStatus:
    return next(status for status in services() if status.name == name)


def services() -> list[ServiceStatus]:
    return Client(Layout.from_environment().snapd_socket).services()


def pids() -> dict[str, int]:
    return {status.name: status.pid for status in services()}
