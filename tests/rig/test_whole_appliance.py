"""The whole appliance on a real snapd: every application, and a guest with a volume.

Its own charm brings it up and takes it away, in a model that `machine` runs beside the snap. One
machine serves all tests, in their order.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

import pytest
import tenacity

from tests.rig.appliance import PARTS, REQUIREMENTS, SNAP, booted, guest_profiles
from tests.rig.appliance_model import Model, charm
from tests.rig.cloud_machine import MODULES, PROCESSOR
from tests.rig.snapd_host import NAME, PATIENCE, Host
from tests.rig.snapd_machine import MachineError

APPLICATION, CLIENT = "cloud", "client"
OPTIONS = {"cinder-lvm": {"loop-size": "12G"}}
"""The snap is on the machine's disk three times: as resource, in snapd, and for this test."""
GUEST, VOLUME = "g1", "data"
DISK_IN_GUEST = "/dev/vdb"
PATTERN = "written by the guest"
UP_TIMEOUT = 3600

TESTS = r"tempest\.api\.(identity\.v3\.test_tokens|network\.test_networks_negative)"
ENDURING = ("mariadb", "rabbitmq", "ovs-vswitchd", "libvirtd", "nova-compute", "iscsid")
"""Of the services, whose program a refresh to the same does not change."""

MODULES_OF_SNAPS = (*MODULES, "iptable_filter", "xt_MASQUERADE", "sd_mod")
"""What a usual machine loads when it is used; this kernel has no nftables for IPv4. The last one
is for disks, and has the kernel use another for good."""

pytestmark = REQUIREMENTS


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with booted(
        tmp_path_factory.mktemp("machine"), memory="8G", parts=(*PARTS, "tempest")
    ) as host:
        for module in MODULES_OF_SNAPS:
            host.machine.run("modprobe", module)
        host.machine.shell(PROCESSOR)
        host.remember()
        yield host


@pytest.fixture(scope="module")
def model(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """One with the appliance as a unit, and an application that wants an account in its cloud."""
    model = Model(host)
    model.start()
    # snapd refreshes no snap while a command of it runs, as the charm's does when it looks.
    model.juju("model-config", "update-status-hook-interval=60m")
    appliance = host.machine.share(charm(tmp_path_factory.mktemp("charm") / NAME))
    resource = f"microstack-snap={host.snaps}/{SNAP}"
    options = f"options={json.dumps(OPTIONS)}"
    model.juju("deploy", appliance, APPLICATION, "--resource", resource, "--config", options)
    model.juju("deploy", f"{host.checkout}/tests/rig/charms/client", CLIENT)
    return model


def test_the_charm_brings_up_every_application(host: Host, model: Model):
    model.await_active(APPLICATION, UP_TIMEOUT)
    status = host.machine.run(NAME, "status", "--format", "json", timeout=PATIENCE).output
    applications = json.loads(status)["applications"]
    states = {name: each["application-status"]["current"] for name, each in applications.items()}
    assert states == dict.fromkeys(states, "active")


def test_the_charm_tells_the_administrators_account(host: Host, model: Model):
    account = model.act(f"{APPLICATION}/leader", "get-admin-account")
    endpoints = openstack(
        host, "endpoint", "list", "--service", "identity", "-f", "value", "-c", "URL"
    )
    assert account["auth-url"] in endpoints


def test_the_charm_gives_an_account_to_who_is_related_and_takes_it_away(host: Host, model: Model):
    model.juju("integrate", APPLICATION, CLIENT)
    model.await_active(CLIENT, UP_TIMEOUT)
    assert CLIENT in users(host)
    model.juju("remove-application", CLIENT, "--no-prompt")
    model.await_gone(CLIENT)
    assert CLIENT not in users(host)


def test_the_charm_hands_options_through(host: Host, model: Model):
    (size,) = OPTIONS["cinder-lvm"].values()
    told = host.machine.run("microstack.juju", "config", "cinder-lvm", "loop-size").output
    assert told.strip() == size


def users(host: Host) -> list[str]:
    return openstack(host, "user", "list", "--format", "value", "--column", "Name").splitlines()


@pytest.fixture(scope="module")
def login(host: Host) -> list[str]:
    """The command that logs in to a new guest, as root."""
    told = host.machine.run(NAME, "launch", GUEST, "--wait", timeout=UP_TIMEOUT).output
    (line,) = (line for line in told.splitlines() if line.startswith(f"{GUEST}: ssh "))
    *options, target = shlex.split(line.partition(": ")[2])
    return [*options, f"root@{target.partition('@')[2]}"]


def test_a_guest_boots_and_lets_its_user_in(host: Host, login: list[str]):
    assert host.machine.run(*login, "hostname", timeout=PATIENCE).output.strip() == GUEST


def test_the_guest_writes_to_a_volume(host: Host, login: list[str]):
    openstack(host, "volume", "create", "--size", "1", VOLUME)
    await_volume(host, "available")
    openstack(host, "server", "add", "volume", GUEST, VOLUME)
    await_volume(host, "in-use")
    write = f"printf %s {shlex.quote(PATTERN)} >{DISK_IN_GUEST} && sync"
    host.machine.run(*login, write, timeout=PATIENCE)
    assert read_volume(host, login) == PATTERN


def openstack(host: Host, *command: str) -> str:
    return host.machine.run("microstack.openstack", *command, timeout=PATIENCE).output


@tenacity.retry(
    retry=tenacity.retry_if_exception_type(AssertionError),
    stop=tenacity.stop_after_delay(PATIENCE),
    wait=tenacity.wait_fixed(1),
    reraise=True,
)
def await_volume(host: Host, status: str) -> None:
    shown = openstack(host, "volume", "show", VOLUME, "--format", "value", "--column", "status")
    assert shown.strip() == status


def read_volume(host: Host, login: list[str]) -> str:
    """Return what the guest wrote to the volume, read from the volume itself."""
    read = f"echo 1 >/proc/sys/vm/drop_caches && head -c {len(PATTERN)} {DISK_IN_GUEST}"
    return host.machine.run(*login, read, timeout=PATIENCE).output


# The switch in front of the guest has to learn its flows again.
read_again = tenacity.retry(
    retry=tenacity.retry_if_exception_type(MachineError),
    stop=tenacity.stop_after_delay(PATIENCE),
    wait=tenacity.wait_fixed(1),
    reraise=True,
)(read_volume)


def test_the_guests_screen_is_shown_in_a_browser(host: Host, login: list[str]):
    show = ["console", "url", "show", "--spice", GUEST, "--format", "value", "--column", "url"]
    read = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"
    page = host.machine.run("python3", "-c", read, openstack(host, *show).strip()).output
    assert "spice" in page.lower()


def test_the_cloud_is_tested_from_within_the_snap(host: Host):
    told = host.machine.run(NAME, "test", TESTS, timeout=UP_TIMEOUT).output
    assert "report: " in told
    # From now on it has an account.
    test = ["microstack.test", "validate", "--list", TESTS]
    *_, result = host.machine.run(*test, timeout=UP_TIMEOUT).output.splitlines()
    found = json.loads(result)
    assert (found["passed"] > 0, found["failed"], found["left"]) == (True, 0, [])


def test_the_guest_is_confined_by_apparmor(host: Host):
    profile = guest_profiles(host)
    assert profile.startswith("libvirt-")
    assert profile.endswith(" (enforce)\n")


def test_the_guest_runs_on_through_a_refresh_and_has_its_volume(host: Host, login: list[str]):
    profile, runs = guest_profiles(host), {name: host.started(name) for name in ENDURING}
    host.install(SNAP)
    assert {name: host.started(name) for name in ENDURING} == runs
    assert guest_profiles(host) == profile
    assert read_volume(host, login) == PATTERN


def test_guest_and_volume_outlive_a_refresh_that_restarts_everything_else(
    host: Host, login: list[str]
):
    """snapd keeps two revisions: what still runs from the one that goes is restarted."""
    profile, runs = guest_profiles(host), {name: host.started(name) for name in ENDURING}
    host.install(SNAP)
    assert [name for name in ENDURING if host.started(name) == runs[name]] == []
    assert guest_profiles(host) == profile
    assert read_again(host, login) == PATTERN


def test_removal_with_the_guest_running_and_its_volume_attached_leaves_the_host_as_it_was_found(
    host: Host, model: Model
):
    host.forget_connections()
    model.juju("remove-application", APPLICATION, "--no-prompt")
    model.await_gone(APPLICATION)
    model.stop()
    assert host.changed() == {}
