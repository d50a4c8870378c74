"""What the cloud survives: services that die, its own processes killed, stop and start."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from openstack.connection import Connection
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.cloud.conftest import Microstack
from tests.cloud.guests import Guest, wait_until
from workload.layout import Layout
from workload.runtime import processes
from workload.runtime.client import Client
from workload.runtime.programs import base_environment
from workload.runtime.status import ServiceStatus

RESTARTED = 120.0
AGAIN = 300.0
ASKING = 8
TAKERS = {"conductor", "scheduler", "compute"}
"""Queues of Nova that the start of a guest goes through."""

LAST_STEP = "move_messages_to_vhost_store"
"""Of a new database of RabbitMQ 3.10, as the file of its version names it."""


def test_every_service_that_dies_is_started_again(
    cloud: Microstack, connection: Connection
) -> None:
    """All at once, as when memory has run out."""
    before = {s.name: s.pid for s in services() if s.daemon == "simple" and s.pid}
    assert len(before) > 20
    for pid in before.values():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def restarted() -> bool:
        now = {s.name: s for s in services()}
        return all(
            now[name].state == "active" and now[name].pid not in (0, pid)
            for name, pid in before.items()
        )

    wait_until(restarted, "every service runs again", RESTARTED)
    # At once: some answer before those that they ask, and a request may wait for its taker.
    cloud("launch", "undaunted")
    compute = connection.compute
    compute.delete_server(compute.find_server("undaunted", ignore_missing=False))
    cloud("up")
    assert cloud.unsettled() == {}


def test_a_broker_that_was_killed_in_its_first_start_comes_back(
    cloud: Microstack, connection: Connection
) -> None:
    """What was found: it had begun its database's last step, and refused that ever after."""
    layout = Layout.from_environment()
    database = layout.snap_common / "lib/rabbitmq/mnesia/microstack@localhost"
    client = Client(layout.snapd_socket)
    client.stop(["rabbitmq"])
    version = database / "schema_version"
    assert f",{LAST_STEP}]" in version.read_text()
    version.write_text(version.read_text().replace(f",{LAST_STEP}]", "]"))
    (database / "schema_upgrade_lock").touch()
    client.start(["rabbitmq"])
    # A request that nobody takes yet is lost with a new broker, and a guest waits for ever.
    wait_until(lambda: takers(layout) >= TAKERS, "Nova takes requests again", RESTARTED)
    cloud("launch", "heard")
    compute = connection.compute
    compute.delete_server(compute.find_server("heard", ignore_missing=False))
    cloud("up")
    assert cloud.unsettled() == {}


def takers(layout: Layout) -> set[str]:
    """Return the queues that a service listens to; none while the broker does not answer."""
    definitions = json.loads((layout.etc / "rabbitmq/definitions.json").read_text())
    listing = [str(layout.snap / "bin/rabbitmqctl"), "--silent", "list_consumers"]
    queues: set[str] = set()
    for vhost in definitions["vhosts"]:
        done = subprocess.run(
            [*listing, "--vhost", vhost["name"], "queue_name"],
            env=base_environment(layout),
            capture_output=True,
            text=True,
            check=False,
        )
        queues |= set(done.stdout.split()) if done.returncode == 0 else set()
    return queues


@pytest.mark.parametrize("name", ["keystone", "neutron-api"])
def test_an_api_that_just_came_back_allows_what_is_allowed(
    cloud: Microstack, connection: Connection, name: str
) -> None:
    """To many at once, as all services ask Keystone of tokens then."""
    token = connection.session.get_token()
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    addresses = {
        "keystone": f"{connection.endpoint_for('identity')}/auth/tokens",
        "neutron-api": f"{connection.endpoint_for('network')}/v2.0/networks?name=test",
    }
    pid = service(name).pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: service(name).pid not in (0, pid), f"{name} runs again", RESTARTED)

    def ask(_: int) -> str:
        answer = once_there(addresses[name], headers)
        assert answer.status_code == 200, answer.text
        return next(iter(answer.json().values()))

    with ThreadPoolExecutor(ASKING) as pool:
        assert all(pool.map(ask, range(ASKING)))


@pytest.mark.parametrize("program", ["snapd", "machine"])
def test_the_timeline_outlives_what_records_it(
    cloud: Microstack, program: str, tmp_path: Path
) -> None:
    layout = Layout.from_environment()
    before = starts(cloud, tmp_path)
    for process in processes.of_service(layout, program):
        process.kill()
    wait_until(lambda: processes.of_service(layout, program) != [], program, RESTARTED)
    cloud("up")
    assert starts(cloud, tmp_path) >= before > 0


def test_up_brings_back_what_the_death_of_the_supervisor_took_along(cloud: Microstack) -> None:
    layout = Layout.from_environment()
    (supervisord,) = processes.supervisord(layout)
    supervisord.kill()
    cloud("up")
    assert cloud.unsettled() == {}
    unwell = ("restarting", "failed", "stopped")
    assert [s.name for s in services() if s.state in unwell] == []


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


def starts(cloud: Microstack, folder: Path) -> int:
    """Return how many starts of services the timeline has."""
    told = cloud("timeline", "-o", str(folder / "timeline.html")).stdout
    found = re.search(r"(\d+) service starts", told)
    assert found, told
    return int(found[1])


@retry(
    retry=retry_if_exception_type(requests.ConnectionError),
    stop=stop_after_delay(RESTARTED),
    wait=wait_fixed(0.05),
)
def once_there(url: str, headers: Mapping[str, str]) -> requests.Response:
    """Ask an API that is starting, as soon as it listens."""
    return requests.get(url, headers=headers, timeout=RESTARTED)


def service(name: str) -> ServiceStatus:
    return next(status for status in services() if status.name == name)


def services() -> list[ServiceStatus]:
    return Client(Layout.from_environment().snapd_socket).services()


def pids() -> dict[str, int]:
    return {status.name: status.pid for status in services()}
