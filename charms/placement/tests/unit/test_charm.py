"""Placement's charm: a schema, an account and a cache make a placement API."""

from __future__ import annotations

import json
from pathlib import Path

import ops
from ops import testing

from charmbase import load_charm
from charmbase.testing import FakeSnap, disagreements
from interfaces.testing import PASSWORD, database, identity_service, memcached

FOLDER = Path(__file__).parents[2]
CHARM = load_charm(FOLDER)


def ready(*more: testing.RelationBase, leader: bool = True) -> testing.State:
    """A unit with all it requires, and more relations."""
    mariadb, account = database("placement")
    keystone, service = identity_service("placement")
    peers = testing.PeerRelation("placement-peers")
    return testing.State(
        leader=leader,
        relations=[mariadb, keystone, memcached(), peers, *more],
        secrets=[account, service],
    )


def run(state: testing.State, event: str = "update_status") -> testing.State:
    context = testing.Context(CHARM)
    return context.run(getattr(context.on, event)(), state)


def test_declarations_agree_with_charmcraft_yaml() -> None:
    assert disagreements(CHARM, FOLDER) == []


def test_says_which_relations_are_missing(snap: FakeSnap) -> None:
    out = run(testing.State(leader=True))
    assert out.unit_status == ops.BlockedStatus(
        "relations database, identity-service, cache missing"
    )


def test_says_who_has_not_sent_what(snap: FakeSnap) -> None:
    mariadb = testing.Relation("database", remote_app_name="mariadb")
    keystone, service = identity_service("placement")
    relations = [mariadb, keystone, memcached()]
    out = run(testing.State(leader=True, relations=relations, secrets=[service]))
    assert isinstance(out.unit_status, ops.WaitingStatus)
    assert "database (mariadb) has not sent" in out.unit_status.message
    assert "keystone" not in out.unit_status.message


def test_asks_for_its_schema_and_registers_its_api(snap: FakeSnap) -> None:
    mariadb = testing.Relation("database", remote_app_name="mariadb")
    keystone = testing.Relation("identity-service", remote_app_name="keystone")
    out = run(testing.State(leader=True, relations=[mariadb, keystone]))
    assert out.get_relation(mariadb.id).local_app_data == {"database": '"placement"'}
    data = out.get_relation(keystone.id).local_app_data
    (service,) = json.loads(data["service-endpoints"])
    assert (service["type"], service["service_name"]) == ("placement", "placement")
    assert service["public_url"] == "http://192.0.2.0:8778"


def test_relations_and_options_become_snap_config(snap: FakeSnap) -> None:
    out = run(ready())
    assert out.unit_status == ops.ActiveStatus()
    assert out.opened_ports == {testing.TCPPort(8778)}
    assert snap.sections["placement"] == {
        "debug": False,
        "bind-address": "192.0.2.0",
        "port": 8778,
        "schema-release": "2026.2",
        "database.host": "192.0.2.1",
        "database.port": 3306,
        "database.name": "placement",
        "database.username": "placement",
        "database.password": PASSWORD,
        "identity.auth-url": "http://192.0.2.1:5000/v3",
        "identity.region": "RegionOne",
        "identity.username": "placement",
        "identity.password": PASSWORD,
        "identity.project-name": "service",
        "identity.project-domain-name": "Default",
        "identity.user-domain-name": "Default",
        "cache.servers": "192.0.2.1:11211",
    }


def test_migrates_the_schema_once_as_soon_as_the_database_is_there(snap: FakeSnap) -> None:
    mariadb, account = database("placement")
    peers = testing.PeerRelation("placement-peers")
    out = run(testing.State(leader=True, relations=[mariadb, peers], secrets=[account]))
    assert snap.jobs == ["placement-db-sync"]
    run(out)
    assert snap.jobs == ["placement-db-sync"]


def test_another_unit_leaves_the_schema_to_the_leader(snap: FakeSnap) -> None:
    out = run(ready(leader=False))
    assert snap.jobs == []
    assert out.unit_status == ops.WaitingStatus("the leader has not run placement-db-sync")


def test_the_schema_can_be_migrated_again(snap: FakeSnap) -> None:
    out = run(ready())
    context = testing.Context(CHARM)
    context.run(context.on.action("migrate-database"), out)
    assert context.action_results == {"release": "2026.2"}
    assert snap.jobs == ["placement-db-sync", "placement-db-sync"]


def test_tells_where_the_api_is_once_it_answers(snap: FakeSnap) -> None:
    client = testing.Relation("placement", remote_app_name="nova")
    snap.answering = False
    out = run(ready(client))
    assert out.get_relation(client.id).local_app_data == {}
    assert out.unit_status.message.startswith("http://192.0.2.0:8778/ does not answer")

    snap.answering = True
    out = run(out)
    assert out.get_relation(client.id).local_app_data == {
        "placement-url": '"http://192.0.2.0:8778"'
    }


def test_a_port_of_ones_own_reaches_config_and_catalog(snap: FakeSnap) -> None:
    keystone = testing.Relation("identity-service", remote_app_name="keystone")
    state = testing.State(leader=True, relations=[keystone], config={"port": 18000})
    data = run(state, "config_changed").get_relation(keystone.id).local_app_data
    assert snap.sections["placement"]["port"] == 18000
    assert "http://192.0.2.0:18000" in data["service-endpoints"]


def test_no_secret_is_logged(snap: FakeSnap) -> None:
    context = testing.Context(CHARM)
    context.run(context.on.update_status(), ready())
    assert not [line for line in context.juju_log if PASSWORD in line.message]
