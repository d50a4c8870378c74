"""ovn-chassis' charm: OVN's databases and Nova's metadata API make the machine a chassis."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import ops
import pytest
from ops import testing

from charmbase import load_charm
from charmbase.testing import FakeSnap, disagreements
from interfaces.testing import PASSWORD, hypervisor, nova_service, ovn_for_chassis

FOLDER = Path(__file__).parents[2]
CHARM = load_charm(FOLDER)


@pytest.fixture(autouse=True)
def host_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.uname", lambda: SimpleNamespace(nodename="node-1"))


def ready(**config: str | bool) -> testing.State:
    """A unit with all it requires."""
    nova, secret = nova_service()
    return testing.State(
        config=config, relations=[hypervisor(), nova, ovn_for_chassis()], secrets=[secret]
    )


def run(state: testing.State, event: str = "update_status") -> testing.State:
    context = testing.Context(CHARM)
    return context.run(getattr(context.on, event)(), state)


def test_declarations_agree_with_charmcraft_yaml() -> None:
    assert disagreements(CHARM, FOLDER) == []


def test_says_which_relations_are_missing(snap: FakeSnap) -> None:
    out = run(testing.State(relations=[hypervisor()]))
    assert out.unit_status == ops.BlockedStatus("relations ovsdb, nova-service missing")


def test_the_chassis_itself_does_not_wait_for_nova(snap: FakeSnap) -> None:
    nova = testing.Relation("nova-service", remote_app_name="nova")
    out = run(testing.State(relations=[hypervisor(), nova, ovn_for_chassis()]))
    assert out.unit_status == ops.WaitingStatus(
        "nova-service (nova) has not sent metadata-host, metadata-port, metadata-secret"
    )
    assert snap.sections["ovn-chassis"]["ovn.sb-connection"] == "tcp:192.0.2.1:6642"


def test_relations_and_options_become_snap_config(snap: FakeSnap) -> None:
    out = run(ready(datapath="netdev"))
    assert out.unit_status == ops.ActiveStatus()
    assert snap.sections["ovn-chassis"] == {
        "debug": False,
        "host": "node-1",
        "encap-address": "192.0.2.0",
        "datapath": "netdev",
        "ovn.nb-connection": "tcp:192.0.2.1:6641",
        "ovn.sb-connection": "tcp:192.0.2.1:6642",
        "metadata.host": "192.0.2.1",
        "metadata.port": 8775,
        "metadata.shared-secret": PASSWORD,
        "external-bridge.name": "br-ex",
        "external-bridge.address": "10.20.20.1/24",
        "external-bridge.masquerade": True,
        "external-bridge.physical-network": "physnet1",
    }


def test_the_bridge_may_be_without_an_address(snap: FakeSnap) -> None:
    run(ready(**{"external-bridge-address": "", "masquerade": False}))
    assert "external-bridge.address" not in snap.sections["ovn-chassis"]
    assert snap.sections["ovn-chassis"]["external-bridge.masquerade"] is False


def test_names_the_chassis_once_its_services_run(snap: FakeSnap) -> None:
    snap.answering = False
    out = run(ready())
    assert "neutron-ovn-agent does not answer" in out.unit_status.message
    assert "chassis-name" not in out.get_relations("neutron-plugin")[0].local_unit_data

    snap.answering = True
    out = run(out)
    plugin = out.get_relations("neutron-plugin")[0]
    assert plugin.local_unit_data["chassis-name"] == '"node-1"'


def test_no_secret_is_logged(snap: FakeSnap) -> None:
    context = testing.Context(CHARM)
    context.run(context.on.update_status(), ready())
    assert not [line for line in context.juju_log if PASSWORD in line.message]
