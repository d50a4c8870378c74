"""What `./microstack up` promises."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cloud import strangers
from tests.cloud.conftest import CHECKOUT, Microstack
from tests.cloud.host_state import HostState, listening
from workload.host import block_storage
from workload.layout import Layout
from workload.runtime.client import Client


def test_every_application_of_the_bundle_is_active(cloud: Microstack) -> None:
    bundle = yaml.safe_load((CHECKOUT / "bundles/microstack.yaml").read_text())
    volumes = {} if lacking_modules() == [] else {"cinder-lvm": "blocked"}
    assert cloud.applications() == dict.fromkeys(bundle["applications"], "active") | volumes


def test_what_the_kernel_lacks_for_volumes_is_told_and_holds_nothing_up(cloud: Microstack) -> None:
    lacking = lacking_modules()
    if not lacking:
        pytest.skip("this kernel has all that volumes need")
    told = [line for line in cloud("up").stdout.splitlines() if line.startswith("cinder-lvm")]
    assert told == [f"cinder-lvm is off: no kernel module {lacking[0]}"]


def test_nova_compute_meets_its_conductor_at_once(cloud: Microstack) -> None:
    """It would call again every ten seconds only (nova.conductor.api, `wait_until_ready`)."""
    log = Layout.from_environment().service_log / "nova-compute.log"
    assert "Timed out waiting for nova-conductor" not in log.read_text(errors="replace")


def test_a_first_guest_does_not_wait_for_nova_computes_helpers(cloud: Microstack) -> None:
    """Each loads for a second: what copies disks, and what plugs guests into the network."""
    everything = ["ps", "-ww", "-eo", "args"]  # where pytest has set COLUMNS, it cuts them off
    running = subprocess.run(everything, capture_output=True, text=True, check=True)
    for helper in ("nova.privsep.sys_admin_pctxt", "vif_plug_ovs.privsep.vif_plug"):
        assert f"--privsep_context {helper} " in running.stdout


def test_a_second_up_changes_nothing(cloud: Microstack) -> None:
    services = processes()
    again = cloud("up", timeout=60)
    assert "deployed" not in again.stdout
    assert processes() == services


def test_credentials_are_for_root_alone(cloud: Microstack) -> None:
    clouds = Path.home() / ".config/openstack/clouds.yaml"
    assert stat.S_IMODE(clouds.stat().st_mode) == 0o600
    assert "microstack" in yaml.safe_load(clouds.read_text())["clouds"]


def test_the_openstack_client_has_them(cloud: Microstack) -> None:
    listed = cloud("openstack", "endpoint", "list", "-f", "value", "-c", "Service Type").stdout
    assert {"identity", "image", "placement", "compute", "network"} <= set(listed.split())


@pytest.mark.parametrize("command", [("up",), ("openstack", "token", "issue")])
def test_a_proxy_is_not_asked_for_what_is_on_this_host(
    cloud: Microstack, command: tuple[str, ...]
) -> None:
    cloud(*command, variables=strangers.PROXIES)


def test_sockets_and_secrets_are_closed_to_other_users(cloud: Microstack) -> None:
    layout = Layout.from_environment()
    sockets = (layout.machine_socket, layout.snapd_socket, layout.supervisor_socket)
    for path in (*sockets, layout.snap_config):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    rendered = [path for path in layout.etc.rglob("*") if path.is_file()]
    assert rendered
    assert [path for path in rendered if path.stat().st_mode & stat.S_IRWXO] == []


def test_nothing_listens_on_an_outside_address(cloud: Microstack, host_before: HostState) -> None:
    """Every socket of the cloud is on loopback or on the provider bridge's own address."""
    ours = set(listening()) - host_before.listening
    inside = ("127.", "[::1]", "10.20.20.1")
    assert {address for address in ours if not address.startswith(inside)} == set()


def lacking_modules() -> list[str]:
    """Return the modules for volumes that this kernel neither has nor could load."""
    modprobe = ["modprobe", "--dry-run", "--quiet"]
    return [
        name
        for name in block_storage.MODULES
        if not Path("/sys/module", name).exists()
        and subprocess.run([*modprobe, name], check=False).returncode != 0
    ]


def processes() -> dict[str, int]:
    """Return the process of each service."""
    services = Client(Layout.from_environment().snapd_socket).services()
    return {service.name: service.pid for service in services}
