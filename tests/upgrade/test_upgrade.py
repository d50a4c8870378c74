"""From the release of OpenStack before to this one, by `up` from a newer checkout.

The tests change this host: they need root, and a host with no cloud on it.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.upgrade import former_release
from tests.upgrade.former_release import CHECKOUT, FORMER
from workload.config import RELEASE
from workload.layout import Layout
from workload.runtime import processes

GUEST = "g1"
PATIENCE = 1800
DASHBOARD = "http://127.0.0.1:8080/auth/login/"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root brings a cloud up"),
]


class Cloud:
    """The cloud of this host, and the checkout it is driven from."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout

    def run(self, *arguments: str, check: bool = True) -> str:
        """Run a command of `./microstack`; return what it wrote."""
        # The tests' own path would have it find this checkout's libraries.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        done = subprocess.run(
            [self.checkout / "microstack", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        assert not check or done.returncode == 0, done.stdout
        return done.stdout

    def releases(self) -> set[str]:
        """The release that each application says it has."""
        applications = json.loads(self.run("status", "--format", "json"))["applications"]
        return {application["version"] for application in applications.values()}


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The cloud with the former release, as it was before this one."""
    assert not Layout().machine_state.exists(), "a cloud is on this host: remove it first"
    cloud = Cloud(former_release.make(tmp_path_factory.mktemp("former") / "checkout"))
    try:
        cloud.run("up")
        yield cloud
    finally:
        Cloud(CHECKOUT).run("remove", "--yes")


@pytest.fixture(scope="module")
def boot_of_guest(former: Cloud) -> tuple[list[str], str]:
    """The command that asks a guest which boot it runs since, and its answer before."""
    told = former.run("launch", GUEST, "--wait")
    (line,) = (line for line in told.splitlines() if line.startswith(f"{GUEST}: ssh "))
    command = [*shlex.split(line.partition(": ")[2]), "cat", "/proc/sys/kernel/random/boot_id"]
    return command, answer(command)


def answer(command: list[str]) -> str:
    return subprocess.check_output(command, text=True, timeout=60)


@pytest.fixture(scope="module")
def cloud(former: Cloud, boot_of_guest: tuple[list[str], str]) -> Cloud:
    """The same cloud, after `up` from this checkout."""
    assert former.releases() == {FORMER}
    assert requests.get(DASHBOARD, timeout=60).ok, "and the dashboard has cached pages"
    cloud = Cloud(CHECKOUT)
    cloud.run("up")
    return cloud


def test_every_application_has_the_new_release(cloud: Cloud):
    assert cloud.releases() == {RELEASE}


def test_nothing_runs_from_the_former_environment(cloud: Cloud):
    environment = (Layout().snap / "openstack").resolve()
    maps = [Path(f"/proc/{p.pid}/maps").read_text() for p in processes.of_appliance(Layout())]
    lines = [
        line for text in maps for line in text.splitlines() if "microstack/openstack-" in line
    ]
    assert lines
    assert [line for line in lines if f"{environment}/" not in line] == []


def test_the_guest_has_run_on(cloud: Cloud, boot_of_guest: tuple[list[str], str]):
    command, before = boot_of_guest
    assert answer(command) == before


def test_a_new_guest_is_let_in(cloud: Cloud):
    assert "ssh" in cloud.run("launch", "g2", "--wait")


def test_the_dashboard_shows_its_page(cloud: Cloud):
    assert requests.get(DASHBOARD, timeout=60).ok


def test_schemas_were_migrated_once(cloud: Cloud):
    logs = sorted(Layout().service_log.glob("*-db-sync.log"))
    before = {log: log.stat().st_mtime_ns for log in logs}
    cloud.run("up")
    assert {log: log.stat().st_mtime_ns for log in logs} == before
    assert len(logs) >= 5


def test_there_is_no_way_back_and_the_former_release_says_so(cloud: Cloud, former: Cloud):
    told = former.run("up", "--timeout", "3m", check=False)
    for application in ("cinder", "glance", "keystone", "neutron", "nova", "placement"):
        line = f"{application}: blocked: the schema is of {RELEASE}, with no way back to {FORMER}"
        assert line in told
    cloud.run("up")
    assert cloud.releases() == {RELEASE}
