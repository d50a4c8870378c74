"""Nova's charm: three schemas, a broker and an account make the control plane of compute."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import ops
import pytest
from ops import testing

from charmbase import load_charm
from charmbase.testing import FakeSnap, disagreements
from interfaces.testing import (
    PASSWORD,
    broker,
    database,
    identity_service,
    memcached,
    secret_of,
)
from workload.config.nova import NovaConfig, NovaMetadata, NovaSpice

FOLDER = Path(__file__).parents[2]
CHARM = load_charm(FOLDER)


SCHEMAS = {"api-database": "nova_api", "database": "nova", "cell-database": "nova_cell0"}


def ready(*more: testing.RelationBase, leader: bool = True, **config: float) -> testing.State:
    """A unit with all it requires, and more relations; three services have sent nothing yet."""
    schemas = [database(name, endpoint) for endpoint, name in SCHEMAS.items()]
    rabbitmq, user = broker("nova")
    keystone, service = identity_service("nova")
    return testing.State(
        leader=leader,
        config=config,
        relations=[
            *(relation for relation, _ in schemas),
            rabbitmq,
            keystone,
            memcached(),
            testing.Relation("image-service", remote_app_name="glance"),
            testing.Relation("placement", remote_app_name="placement"),
            testing.Relation("neutron-api", remote_app_name="neutron"),
            testing.PeerRelation("nova-peers"),
            *more,
        ],
        secrets=[*(account for _, account in schemas), user, service],
    )


def run(state: testing.State, event: str = "update_status") -> testing.State:
    context = testing.Context(CHARM)
    return context.run(getattr(context.on, event)(), state)


def test_declarations_agree_with_charmcraft_yaml() -> None:
    assert disagreements(CHARM, FOLDER) == []


def test_tells_of_each_service_that_does_not_listen(snap: FakeSnap) -> None:
    config = NovaConfig(port=1, metadata=NovaMetadata(port=2), spice=NovaSpice(port=3))
    told = CHARM.probe.fault(config) if CHARM.probe else ""
    assert re.findall(r"127\.0\.0\.1:(\d)", told) == ["1", "2", "3"]


def test_says_which_relations_are_missing(snap: FakeSnap) -> None:
    out = run(testing.State(leader=True))
    assert isinstance(out.unit_status, ops.BlockedStatus)
    missing = out.unit_status.message.removeprefix("relations ").removesuffix(" missing")
    assert set(missing.split(", ")) == {
        *SCHEMAS,
        "amqp",
        "identity-service",
        "cache",
        "image-service",
        "placement",
        "neutron-api",
    }


def test_each_endpoint_asks_for_its_own_schema(snap: FakeSnap) -> None:
    relations = [testing.Relation(endpoint, remote_app_name="mariadb") for endpoint in SCHEMAS]
    out = run(testing.State(leader=True, relations=relations))
    asked = {r.endpoint: json.loads(r.local_app_data["database"]) for r in out.relations}
    assert asked == SCHEMAS
    assert isinstance(out.unit_status, ops.BlockedStatus)


def test_says_who_has_not_sent_what(snap: FakeSnap) -> None:
    state = ready()
    silent = testing.Relation("cell-database", remote_app_name="mariadb")
    relations = [r for r in state.relations if r.endpoint != "cell-database"]
    out = run(testing.State(leader=True, relations=[*relations, silent], secrets=state.secrets))
    assert isinstance(out.unit_status, ops.WaitingStatus)
    assert "cell-database (mariadb) has not sent" in out.unit_status.message
    assert snap.jobs == []


def test_relations_and_options_become_snap_config(snap: FakeSnap) -> None:
    out = run(ready(**{"cpu-allocation-ratio": 4.0}))
    assert out.unit_status == ops.ActiveStatus()
    assert out.opened_ports == {testing.TCPPort(8774), testing.TCPPort(6082)}
    config = dict(snap.sections["nova"])
    assert len(config.pop("metadata.shared-secret")) == 32
    assert config == {
        "debug": False,
        "bind-address": "192.0.2.0",
        "port": 8774,
        "schema-release": "2026.2",
        "api-database.host": "192.0.2.1",
        "api-database.port": 3306,
        "api-database.name": "nova_api",
        "api-database.username": "nova_api",
        "api-database.password": PASSWORD,
        "database.host": "192.0.2.1",
        "database.port": 3306,
        "database.name": "nova",
        "database.username": "nova",
        "database.password": PASSWORD,
        "cell0-database.host": "192.0.2.1",
        "cell0-database.port": 3306,
        "cell0-database.name": "nova_cell0",
        "cell0-database.username": "nova_cell0",
        "cell0-database.password": PASSWORD,
        "rabbitmq.host": "192.0.2.1",
        "rabbitmq.port": 5672,
        "rabbitmq.vhost": "openstack",
        "rabbitmq.username": "nova",
        "rabbitmq.password": PASSWORD,
        "identity.auth-url": "http://192.0.2.1:5000/v3",
        "identity.region": "RegionOne",
        "identity.username": "nova",
        "identity.password": PASSWORD,
        "identity.project-name": "service",
        "identity.project-domain-name": "Default",
        "identity.user-domain-name": "Default",
        "cache.servers": "192.0.2.1:11211",
        "metadata.port": 8775,
        "spice.port": 6082,
        "spice.url": "http://192.0.2.0:6082/spice_auto.html",
        "cpu-allocation-ratio": 4.0,
        "ram-allocation-ratio": 1.5,
    }


def test_registers_the_compute_service(snap: FakeSnap) -> None:
    keystone = testing.Relation("identity-service", remote_app_name="keystone")
    out = run(testing.State(leader=True, relations=[keystone]))
    (service,) = json.loads(out.get_relation(keystone.id).local_app_data["service-endpoints"])
    assert (service["type"], service["public_url"]) == ("compute", "http://192.0.2.0:8774/v2.1")


def test_migrates_the_schemas_once(snap: FakeSnap) -> None:
    run(run(ready()))
    assert snap.jobs == ["nova-db-sync"]


def test_migrates_before_the_broker_is_there(snap: FakeSnap) -> None:
    state = ready()
    relations = [relation for relation in state.relations if relation.endpoint != "amqp"]
    run(testing.State(leader=True, relations=relations, secrets=state.secrets))
    assert snap.jobs == ["nova-db-sync"]


def test_another_unit_leaves_the_schemas_and_the_secret_to_the_leader(snap: FakeSnap) -> None:
    out = run(ready(leader=False))
    assert snap.jobs == []
    assert isinstance(out.unit_status, ops.WaitingStatus)
    assert "metadata.shared-secret" not in snap.sections["nova"]


def test_hypervisors_and_chassis_need_not_wait_until_nova_answers(snap: FakeSnap) -> None:
    snap.answering = False
    hypervisors = testing.Relation("compute", remote_app_name="nova-compute")
    chassis = testing.Relation("nova-service", remote_app_name="ovn-chassis")
    out = run(ready(hypervisors, chassis))
    assert out.unit_status.message.startswith("http://192.0.2.0:8774/")
    url = '"http://192.0.2.0:6082/spice_auto.html"'
    assert out.get_relation(hypervisors.id).local_app_data == {"spice-proxy-url": url}
    data = dict(out.get_relation(chassis.id).local_app_data)
    secret_id = json.loads(data.pop("metadata-secret"))
    assert data == {
        "metadata-host": '"192.0.2.0"',
        "metadata-port": "8775",
        "spice-proxy-url": url,
    }
    assert secret_of(out, secret_id) == {
        "shared-secret": snap.sections["nova"]["metadata.shared-secret"]
    }
    assert out.get_secret(id=secret_id).remote_grants == {chassis.id: {"ovn-chassis"}}


def test_takes_hypervisors_once_it_and_placement_answer(snap: FakeSnap) -> None:
    hypervisors = testing.Relation("compute", remote_app_name="nova-compute")
    state = ready(hypervisors)
    early = run(state).get_relation(hypervisors.id)
    assert "takes-hypervisors" not in early.local_app_data

    (unanswered,) = [r for r in state.relations if r.endpoint == "placement"]
    others = [r for r in state.relations if r is not unanswered]
    answered = replace(unanswered, remote_app_data={"placement-url": '"http://192.0.2.1:8778"'})
    out = run(replace(state, relations=[*others, answered]))
    assert out.get_relation(hypervisors.id).local_app_data["takes-hypervisors"] == "true"


def test_the_metadata_secret_stays_until_it_is_rotated(snap: FakeSnap) -> None:
    chassis = testing.Relation("nova-service", remote_app_name="ovn-chassis")
    out = run(run(ready(chassis)))
    before = snap.sections["nova"]["metadata.shared-secret"]

    context = testing.Context(CHARM)
    out = context.run(context.on.action("rotate-metadata-secret"), out)
    after = snap.sections["nova"]["metadata.shared-secret"]
    assert after != before
    secret_id = json.loads(out.get_relation(chassis.id).local_app_data["metadata-secret"])
    assert secret_of(out, secret_id) == {"shared-secret": after}


def test_only_the_leader_rotates(snap: FakeSnap) -> None:
    context = testing.Context(CHARM)
    with pytest.raises(testing.ActionFailed, match="leader"):
        context.run(context.on.action("rotate-metadata-secret"), ready(leader=False))


def test_no_secret_is_logged(snap: FakeSnap) -> None:
    context = testing.Context(CHARM)
    context.run(context.on.update_status(), ready())
    secrets = [PASSWORD, snap.sections["nova"]["metadata.shared-secret"]]
    logged = "\n".join(line.message for line in context.juju_log)
    assert not [secret for secret in secrets if secret in logged]
