"""nova-compute's charm: a broker and an account make the machine a hypervisor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import ops
import pytest
from ops import testing

from charmbase import charm, load_charm, probes
from charmbase.testing import FakeSnap, disagreements
from interfaces.testing import PASSWORD, broker, compute_service, identity_credentials
from workload.config import Section

FOLDER = Path(__file__).parents[2]
CHARM = load_charm(FOLDER)


@pytest.fixture(autouse=True)
def host_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.uname", lambda: SimpleNamespace(nodename="node-1"))


def ready(*more: testing.RelationBase, **config: str | int | bool) -> testing.State:
    """A unit with all it requires, and more relations."""
    rabbitmq, user = broker("nova-compute")
    keystone, account = identity_credentials("nova-compute")
    return testing.State(
        leader=True,
        config=config,
        relations=[rabbitmq, keystone, compute_service(), *more],
        secrets=[user, account],
    )


def run(state: testing.State, event: str = "update_status") -> testing.State:
    context = testing.Context(CHARM)
    return context.run(getattr(context.on, event)(), state)


def test_declarations_agree_with_charmcraft_yaml() -> None:
    assert disagreements(CHARM, FOLDER) == []


def test_says_which_relations_are_missing(snap: FakeSnap) -> None:
    out = run(testing.State(leader=True))
    assert out.unit_status == ops.BlockedStatus(
        "relations amqp, identity-credentials, compute missing"
    )


def test_says_who_has_not_sent_what(snap: FakeSnap) -> None:
    rabbitmq, user = broker("nova-compute")
    keystone = testing.Relation("identity-credentials", remote_app_name="keystone")
    state = testing.State(
        leader=True, relations=[rabbitmq, keystone, compute_service()], secrets=[user]
    )
    out = run(state)
    assert isinstance(out.unit_status, ops.WaitingStatus)
    assert "identity-credentials (keystone) has not sent" in out.unit_status.message


def test_asks_keystone_for_an_account_of_its_own(snap: FakeSnap) -> None:
    keystone = testing.Relation("identity-credentials", remote_app_name="keystone")
    out = run(testing.State(leader=True, relations=[keystone]))
    assert out.get_relation(keystone.id).local_app_data == {"username": '"nova-compute"'}


def test_relations_and_options_become_snap_config(snap: FakeSnap) -> None:
    out = run(ready(**{"virt-type": "qemu", "reserved-host-memory": 1024}))
    assert out.unit_status == ops.ActiveStatus()
    assert snap.sections["nova-compute"] == {
        "debug": False,
        "host": "node-1",
        "ip-address": "192.0.2.0",
        "virt-type": "qemu",
        "cpu-mode": "none",
        "rabbitmq.host": "192.0.2.1",
        "rabbitmq.port": 5672,
        "rabbitmq.vhost": "openstack",
        "rabbitmq.username": "nova-compute",
        "rabbitmq.password": PASSWORD,
        "identity.auth-url": "http://192.0.2.1:5000/v3",
        "identity.region": "RegionOne",
        "identity.username": "nova-compute",
        "identity.password": PASSWORD,
        "identity.project-name": "service",
        "identity.project-domain-name": "Default",
        "identity.user-domain-name": "Default",
        "spice.proxy-url": "http://192.0.2.1:6082/spice_auto.html",
        "spice.listen-address": "192.0.2.0",
        "reserved-host-memory": 1024,
        "resume-on-boot": True,
    }


def test_an_unknown_virt_type_is_refused_and_the_rest_applied(snap: FakeSnap) -> None:
    out = run(ready(**{"virt-type": "xen"}))
    assert isinstance(out.unit_status, ops.BlockedStatus)
    assert "option virt-type" in out.unit_status.message
    assert snap.sections["nova-compute"]["virt-type"] == "auto"


def test_names_the_hypervisor_once_its_services_run(snap: FakeSnap) -> None:
    plugin = testing.SubordinateRelation("neutron-plugin", remote_app_name="ovn-chassis")
    snap.answering = False
    out = run(ready(plugin))
    assert out.unit_status.message.startswith("libvirtd nova-compute does not answer")
    assert "host" not in out.get_relation(plugin.id).local_unit_data

    snap.answering = True
    out = run(out)
    assert out.get_relation(plugin.id).local_unit_data["host"] == '"node-1"'
    nova = out.get_relations("compute")[0]
    assert nova.local_unit_data["hypervisor-hostname"] == '"node-1"'


def test_waits_until_nova_takes_hypervisors(snap: FakeSnap) -> None:
    """Its services run by then, so that it registers as soon as it can."""
    state = ready()
    (relation,) = [r for r in state.relations if r.endpoint == "compute"]
    offer = {k: v for k, v in relation.remote_app_data.items() if k != "takes-hypervisors"}
    early = replace(relation, remote_app_data=offer)
    others = [r for r in state.relations if r is not relation]
    out = run(replace(state, relations=[*others, early]))
    assert out.unit_status == ops.WaitingStatus("compute (nova) does not take hypervisors yet")
    assert out.get_relation(early.id).local_unit_data["hypervisor-hostname"] == '"node-1"'


def test_is_active_once_placement_knows_the_hypervisor(
    snap: FakeSnap, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = False

    def wait(probe: probes.Probe, config: Section, seconds: float) -> bool:
        return known or isinstance(probe, probes.Services)

    monkeypatch.setattr(probes, "wait", wait)
    out = run(ready())
    assert out.unit_status == ops.WaitingStatus(
        "nova-compute has not registered node-1 with Placement"
    )
    known = True
    assert run(out).unit_status == ops.ActiveStatus()


def test_after_a_boot_the_hypervisor_has_as_long_as_the_services(snap: FakeSnap) -> None:
    active = run(ready())
    assert active.unit_status == ops.ActiveStatus()
    snap.patience.clear()
    context = testing.Context(CHARM)
    context.run(context.on.start(), active)
    assert snap.patience == [charm.SERVICE_TIMEOUT, charm.SERVICE_TIMEOUT]


def test_no_secret_is_logged(snap: FakeSnap) -> None:
    context = testing.Context(CHARM)
    context.run(context.on.update_status(), ready())
    assert not [line for line in context.juju_log if PASSWORD in line.message]
