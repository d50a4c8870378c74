"""The whole appliance as a snap on a real snapd: every application, and a guest.

One machine serves all tests, in their order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.rig.appliance import REQUIREMENTS, SNAP, booted, deploy, guest_profiles, plugs
from tests.rig.cloud_machine import MODULES, PROCESSOR
from tests.rig.snapd_host import NAME, PATIENCE, Host

GUEST = "g1"
UP_TIMEOUT = 3600

MODULES_OF_SNAPS = (*MODULES, "iptable_filter", "xt_MASQUERADE", "crc64_rocksoft_generic")
"""What a usual machine loads when it is used; this kernel has no nftables for IPv4. The last one
the kernel takes for disks, and keeps."""

pytestmark = REQUIREMENTS


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with booted(tmp_path_factory.mktemp("machine"), memory="8G") as host:
        for module in MODULES_OF_SNAPS:
            host.machine.run("modprobe", module)
        host.machine.shell(PROCESSOR)
        host.before = host.state()
        host.install(SNAP)
        host.connect(plugs())
        yield host


def test_up_brings_up_every_application(host: Host):
    deploy(host, timeout=UP_TIMEOUT)
    status = host.machine.run(NAME, "status", "--format", "json", timeout=PATIENCE).output
    applications = json.loads(status)["applications"]
    states = {name: each["application-status"]["current"] for name, each in applications.items()}
    assert states == dict.fromkeys(states, "active")


def test_a_guest_boots_and_lets_its_user_in(host: Host):
    host.machine.run(NAME, "launch", GUEST, "--wait", timeout=UP_TIMEOUT)


def test_the_guest_is_confined_by_apparmor(host: Host):
    profile = guest_profiles(host)
    assert profile.startswith("libvirt-")
    assert profile.endswith(" (enforce)\n")


def test_the_guest_runs_on_through_a_refresh(host: Host):
    profile = guest_profiles(host)
    host.install(SNAP)
    assert guest_profiles(host) == profile


def test_removal_with_the_guest_running_leaves_the_host_as_it_was_found(host: Host):
    host.forget_connections()
    host.snap("remove", "--purge", NAME)
    assert host.changed() == {}
