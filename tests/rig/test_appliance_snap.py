"""The appliance's own snap on a real snapd: its whole life, with Keystone, OVN and Open vSwitch.

One machine serves all tests, in their order. `MICROSTACK_SNAP` names a snap that was built
already; without it, it is built first, with all parts but Tempest's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from snap import meta
from tests.rig import snapd_image
from tests.rig.snapd_host import CHECKOUT, NAME, PATIENCE, Host
from tests.rig.snapd_machine import Machine, MachineError

KEPT = ("mariadb", "rabbitmq", "memcached", "keystone", "ovn-central")
"""What is deployed of the bundle."""

SERVICES = ("mariadb", "rabbitmq", "memcached", "keystone", "ovn-ovsdb", "ovn-northd")
CHASSIS = ("ovsdb-server", "ovs-vswitchd", "ovn-controller")
DAEMONS = ("machine", "snap-api")
ALL = (*DAEMONS, *SERVICES, *CHASSIS)

CHASSIS_CONFIG = (
    *("ovn-chassis.host=rig", "ovn-chassis.encap-address=127.0.0.1"),
    *("ovn-chassis.datapath=netdev", "ovn-chassis.external-bridge.address=10.20.20.1/24"),
    'ovn-chassis.ovn.sb-connection="unix:/var/snap/microstack/common/run/ovn/sb.sock"',
)
"""A chassis takes a hypervisor in the model; snap config alone is enough for its services. The
rig's kernel tracks connections without zones, so the datapath is the one in userspace."""

PARTS = ("distribution", "confinement", "openstack", "machine", "appliance", "guest-image")
UP_TIMEOUT = 900
COMMON = Path("/var/snap/microstack/common")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root builds and boots the machine"),
    pytest.mark.skipif(
        sys.version_info[:2] != (3, 11),
        reason="the machine is Debian 12: a snap built for another Python does not run there",
    ),
]


@pytest.fixture(scope="module")
def snaps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the snap, built unless it is given."""
    folder = tmp_path_factory.mktemp("snaps")
    given = os.environ.get("MICROSTACK_SNAP")
    if given is None:
        build = [sys.executable, str(CHECKOUT / "snap/build.py"), "--output", str(folder / "out")]
        subprocess.run([*build, "--parts", ",".join(PARTS)], check=True)
        (built,) = (folder / "out").glob("*.snap")
    else:
        built = Path(given)
    os.link(built, folder / "microstack.snap")
    return folder


@pytest.fixture(scope="module")
def host(snaps: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The machine, booted from an overlay of its image."""
    folder = tmp_path_factory.mktemp("machine")
    backing = snapd_image.ensure()
    with Machine(folder / "overlay", folder, backing=backing, memory="6G") as machine:
        host = Host(machine, snaps)
        host.boot()
        host.before = host.state()
        yield host


def plugs() -> dict[str, str]:
    """Return the plugs of the snap, with the interface of each."""
    document = meta.read(CHECKOUT / "snap/snapcraft.yaml")
    declared: dict[str, dict[str, str] | None] = document["plugs"]
    parts = (*document["apps"].values(), *document["hooks"].values())
    names = {*declared, *(plug for part in parts for plug in part.get("plugs", ()))}
    return {name: (declared.get(name) or {}).get("interface", name) for name in sorted(names)}


def deploy(host: Host) -> str:
    """Run `up` with what is kept of the bundle; return what it wrote."""
    bundle = yaml.safe_load((CHECKOUT / "bundles/microstack.yaml").read_text())
    left_out = {name: None for name in bundle["applications"] if name not in KEPT}
    overlay = COMMON / "identity.yaml"
    text = yaml.safe_dump({"applications": left_out})
    host.machine.run("sh", "-c", f"cat >{overlay}", given=text)
    command = ["up", "--overlay", str(overlay), "--timeout", str(UP_TIMEOUT)]
    return host.machine.run("microstack", *command, timeout=UP_TIMEOUT + PATIENCE).output


def token(host: Host) -> str:
    """Return the project of a token that Keystone issues to the administrator."""
    issue = ["token", "issue", "--format", "value", "--column", "project_id"]
    return host.machine.run("microstack.openstack", *issue, timeout=PATIENCE).output.strip()


class TestLifeOfTheAppliance:
    """In this order; each begins where the one before ended."""

    def test_install_runs_nothing(self, host: Host):
        host.install("microstack.snap")
        host.connect(plugs())
        listed = host.snap("services", NAME).splitlines()[1:]
        assert {tuple(line.split()[1:3]) for line in listed} == {("disabled", "inactive")}

    def test_up_brings_up_what_the_bundle_has(self, host: Host):
        output = deploy(host)
        assert "identity" in output
        assert [name for name in (*DAEMONS, *SERVICES) if not host.active(name)] == []

    def test_up_again_changes_nothing(self, host: Host):
        runs = [host.started(name) for name in ALL]
        deploy(host)
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
        bridge = host.started("external-bridge")
        host.install("microstack.snap")
        assert " x2 " in host.snap("list", NAME)
        assert [name for name in ALL if not host.active(name)] == []
        assert host.started("external-bridge") == bridge
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
        assert len(token(host)) == 32

    def test_removal_leaves_the_host_as_it_was_found(self, host: Host):
        host.forget_connections()
        host.snap("remove", "--purge", NAME)
        assert host.changed() == {}
