"""Neutron's charm: a schema, a broker, an account and OVN's databases make a network API."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

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
    ovn_for_neutron,
)

FOLDER = Path(__file__).parents[2]
CHARM = load_charm(FOLDER)


@pytest.fixture(autouse=True)
def host_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.uname", lambda: SimpleNamespace(nodename="node-1"))


def ready(*more: testing.RelationBase, leader: bool = True, **config: str | int) -> testing.State:
    """A unit with all it requires, and more relations."""
    mariadb, account = database("neutron")
    rabbitmq, user = broker("neutron")
    keystone, service = identity_service("neutron")
    peers = testing.PeerRelation("neutron-peers")
    return testing.State(
        leader=leader,
        config=config,
        relations=[mariadb, rabbitmq, keystone, memcached(), ovn_for_neutron(), peers, *more],
        secrets=[account, user, service],
    )


def run(state: testing.State, event: str = "update_status") -> testing.State:
    context = testing.Context(CHARM)
    return context.run(getattr(context.on, event)(), state)


def test_declarations_agree_with_charmcraft_yaml() -> None:
    assert disagreements(CHARM, FOLDER) == []


def test_says_which_relations_are_missing(snap: FakeSnap) -> None:
    out = run(testing.State(leader=True))
    assert out.unit_status == ops.BlockedStatus(
        "relations database, amqp, identity-service, cache, ovsdb-cms missing"
    )


def test_says_who_has_not_sent_what(snap: FakeSnap) -> None:
    state = ready()
    ovn = state.get_relations("ovsdb-cms")[0]
    silent = testing.Relation("ovsdb-cms", remote_app_name="ovn-central")
    relations = [relation for relation in state.relations if relation.id != ovn.id]
    out = run(testing.State(leader=True, relations=[*relations, silent], secrets=state.secrets))
    assert out.unit_status == ops.WaitingStatus(
        "ovsdb-cms (ovn-central) has not sent db-nb-connection-str, db-sb-connection-str"
    )


def test_relations_and_options_become_snap_config(snap: FakeSnap) -> None:
    out = run(ready(**{"dns-servers": "192.0.2.53", "mtu": 9000}))
    assert out.unit_status == ops.ActiveStatus()
    assert snap.sections["neutron"] == {
        "debug": False,
        "bind-address": "192.0.2.0",
        "port": 9696,
        "host": "node-1",
        "schema-release": "2026.2",
        "database.host": "192.0.2.1",
        "database.port": 3306,
        "database.name": "neutron",
        "database.username": "neutron",
        "database.password": PASSWORD,
        "rabbitmq.host": "192.0.2.1",
        "rabbitmq.port": 5672,
        "rabbitmq.vhost": "openstack",
        "rabbitmq.username": "neutron",
        "rabbitmq.password": PASSWORD,
        "identity.auth-url": "http://192.0.2.1:5000/v3",
        "identity.region": "RegionOne",
        "identity.username": "neutron",
        "identity.password": PASSWORD,
        "identity.project-name": "service",
        "identity.project-domain-name": "Default",
        "identity.user-domain-name": "Default",
        "cache.servers": "192.0.2.1:11211",
        "ovn.nb-connection": "tcp:192.0.2.1:6641",
        "ovn.sb-connection": "tcp:192.0.2.1:6642",
        "dns-domain": "microstack.example.",
        "dns-servers": "192.0.2.53",
        "physical-network": "physnet1",
        "physical-network-mtu": 9000,
    }


def test_without_resolvers_the_key_is_unset(snap: FakeSnap) -> None:
    run(ready())
    assert "dns-servers" not in snap.sections["neutron"]


def test_registers_the_network_service(snap: FakeSnap) -> None:
    keystone = testing.Relation("identity-service", remote_app_name="keystone")
    out = run(testing.State(leader=True, relations=[keystone]))
    (service,) = json.loads(out.get_relation(keystone.id).local_app_data["service-endpoints"])
    assert (service["type"], service["public_url"]) == ("network", "http://192.0.2.0:9696")


def test_migrates_the_schema_once(snap: FakeSnap) -> None:
    run(run(ready()))
    assert snap.jobs == ["neutron-db-sync"]


def test_another_unit_leaves_the_schema_to_the_leader(snap: FakeSnap) -> None:
    out = run(ready(leader=False))
    assert snap.jobs == []
    assert out.unit_status == ops.WaitingStatus("the leader has not run neutron-db-sync")


def test_tells_where_the_api_is_once_it_answers(snap: FakeSnap) -> None:
    nova = testing.Relation("neutron-api", remote_app_name="nova")
    snap.answering = False
    out = run(ready(nova))
    assert out.get_relation(nova.id).local_app_data == {}

    snap.answering = True
    out = run(out)
    assert out.get_relation(nova.id).local_app_data == {"neutron-url": '"http://192.0.2.0:9696"'}


def test_no_secret_is_logged(snap: FakeSnap) -> None:
    context = testing.Context(CHARM)
    context.run(context.on.update_status(), ready())
    assert not [line for line in context.juju_log if PASSWORD in line.message]
