"""The appliance's own snap on a real snapd: its whole life, with Keystone, OVN and Open vSwitch.

One machine serves all tests, in their order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.rig.appliance import (
    COMMON,
    DAEMONS,
    REQUIREMENTS,
    SNAP,
    await_libvirt,
    awaited_token,
    booted,
    deploy,
    guest_profiles,
    plugs,
    token,
)
from tests.rig.snapd_host import NAME, PATIENCE, Host
from tests.rig.snapd_machine import MachineError

KEPT = ("mariadb", "rabbitmq", "memcached", "keystone", "ovn-central")
"""What is deployed of the bundle."""

SERVICES = ("mariadb", "rabbitmq", "memcached", "keystone", "ovn-ovsdb", "ovn-northd")
CHASSIS = ("ovsdb-server", "ovs-vswitchd", "ovn-controller")
ALL = (*DAEMONS, *SERVICES, *CHASSIS)

CHASSIS_CONFIG = (
    *("ovn-chassis.host=rig", "ovn-chassis.encap-address=127.0.0.1"),
    *("ovn-chassis.datapath=netdev", "ovn-chassis.external-bridge.address=10.20.20.1/24"),
    'ovn-chassis.ovn.sb-connection="unix:/var/snap/microstack/common/run/ovn/sb.sock"',
)
"""A chassis takes a hypervisor in the model; snap config alone is enough for its services. The
rig's kernel tracks connections without zones, so the datapath is the one in userspace."""

GUEST = f"""
<domain type='qemu'>
  <name>g</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><emulator>{COMMON}/lib/libvirt/bin/qemu-system-x86_64</emulator></devices>
</domain>
"""

pytestmark = REQUIREMENTS


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with booted(tmp_path_factory.mktemp("machine"), memory="6G") as host:
        host.remember()
        yield host


class TestLifeOfTheAppliance:
    """In this order; each begins where the one before ended."""

    def test_install_runs_nothing(self, host: Host):
        host.install(SNAP)
        host.connect(plugs())
        listed = host.snap("services", NAME).splitlines()[1:]
        assert {tuple(line.split()[1:3]) for line in listed} == {("disabled", "inactive")}

    def test_up_brings_up_what_the_bundle_has(self, host: Host):
        output = deploy(host, *KEPT)
        assert "identity" in output
        assert [name for name in (*DAEMONS, *SERVICES) if not host.active(name)] == []

    def test_up_again_changes_nothing(self, host: Host):
        runs = [host.started(name) for name in ALL]
        deploy(host, *KEPT)
        assert [host.started(name) for name in ALL] == runs

    def test_keystone_answers_who_it_knows(self, host: Host):
        assert len(token(host)) == 32

    def test_config_alone_makes_a_chassis(self, host: Host):
        host.snap("set", NAME, *CHASSIS_CONFIG)
        assert [name for name in CHASSIS if not host.active(name)] == []
        bridges = host.machine.run("microstack.ovs-vsctl", "list-br").output.split()
        assert "br-ex" in bridges
        chassis = host.machine.run(
            "microstack.ovn-sbctl", "--bare", "--columns=name", "list", "chassis"
        )
        assert chassis.output.strip() == "rig"

    def test_libvirt_confines_a_guest(self, host: Host):
        host.snap("set", NAME, "nova-compute.host=rig")
        path = str(COMMON / "guest.xml")
        host.machine.run("sh", "-c", f"cat >{path}", given=GUEST)
        await_libvirt(host)
        host.machine.run("microstack.virsh", "create", path, timeout=PATIENCE)
        profile = guest_profiles(host)
        assert profile.startswith("libvirt-")
        assert profile.endswith(" (enforce)\n")

    @pytest.mark.parametrize("command", ["mkfs -t ext4 -F", "mkfs -t vfat", "mkswap"])
    def test_nova_can_format_the_ephemeral_disk_of_a_flavor(self, host: Host, command: str):
        make = "cd $SNAP_COMMON && dd if=/dev/zero of=disk bs=1M count=64 status=none"
        script = f"{make} && {command} disk && rm disk"
        host.machine.run("snap", "run", "--shell", f"{NAME}.nova-compute", "-c", script)

    def test_a_good_value_restarts_what_reads_it_and_nothing_else(self, host: Host):
        runs = {name: host.started(name) for name in ALL}
        host.snap("set", NAME, "memcached.memory=48")
        assert {name for name in ALL if host.started(name) != runs[name]} == {"memcached"}

    def test_a_bad_value_is_refused_in_words_and_nothing_changes(self, host: Host):
        runs = [host.started(name) for name in ALL]
        with pytest.raises(MachineError, match=r"keystone\.port: Input should be"):
            host.snap("set", NAME, "memcached.memory=64", "keystone.port=many")
        assert host.get("memcached.memory") == "48"
        assert [host.started(name) for name in ALL] == runs

    def test_an_option_of_a_charm_reaches_it(self, host: Host):
        host.snap("set", NAME, "charms.keystone.debug=true")
        options = json.loads(
            host.machine.run("microstack", "juju", "config", "keystone", "--format", "json").output
        )
        assert options["settings"]["debug"]["value"] is True
        with pytest.raises(MachineError, match="nonsense"):
            host.snap("set", NAME, "charms.keystone.nonsense=1")

    def test_config_shows_no_secret(self, host: Host):
        config = json.loads(host.snap("get", "-d", NAME))
        assert config["mariadb"]["admin-password"].startswith("secret sha256:")

    def test_a_refresh_keeps_all_and_nothing_is_started_twice(self, host: Host):
        kept = (*SERVICES, *CHASSIS, "external-bridge", "libvirtd")
        runs, guests = [host.started(name) for name in kept], guest_profiles(host)
        host.install(SNAP)
        assert " x2 " in host.snap("list", NAME)
        assert [name for name in ALL if not host.active(name)] == []
        assert [host.started(name) for name in kept] == runs
        assert guest_profiles(host) == guests
        assert len(token(host)) == 32

    def test_a_revert_goes_back(self, host: Host):
        host.snap("revert", NAME)
        assert " x1 " in host.snap("list", NAME)
        assert [name for name in ALL if not host.active(name)] == []
        assert len(token(host)) == 32

    def test_after_a_power_cut_all_is_back_by_itself(self, host: Host):
        host.machine.cut_power()
        host.boot()
        host.await_boot()
        assert [name for name in ALL if not host.active(name)] == []
        assert len(awaited_token(host)) == 32

    def test_removal_leaves_the_host_as_it_was_found(self, host: Host):
        host.forget_connections()
        host.snap("remove", "--purge", NAME)
        assert host.changed() == {}
