"""Cinder's charm: a schema, a broker and an account make the control plane of volumes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import ops
import pytest
from ops import testing

from charmbase import load_charm
from charmbase.testing import FakeSnap, disagreements
from interfaces.testing import PASSWORD, broker, database, identity_service, memcached
from workload.config.shared import Identity

FOLDER = Path(__file__).parents[2]
CHARM = load_charm(FOLDER)


@pytest.fixture(autouse=True)
def host_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.uname", lambda: SimpleNamespace(nodename="node-1"))


def ready(*more: testing.RelationBase, leader: bool = True, **config: str) -> testing.State:
    """A unit with all it requires, and more relations; Glance has sent nothing yet."""
    mariadb, account = database("cinder")
    rabbitmq, user = broker("cinder")
    keystone, service = identity_service("cinder")
    glance = testing.Relation("image-service", remote_app_name="glance")
    peers = testing.PeerRelation("cinder-peers")
    return testing.State(
        leader=leader,
        config=config,
        relations=[mariadb, rabbitmq, keystone, memcached(), glance, peers, *more],
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
        "relations database, amqp, identity-service, cache, image-service missing"
    )


def test_says_who_has_not_sent_what(snap: FakeSnap) -> None:
    state = ready()
    silent = testing.Relation("amqp", remote_app_name="rabbitmq")
    relations = [relation for relation in state.relations if relation.endpoint != "amqp"]
    out = run(testing.State(leader=True, relations=[*relations, silent], secrets=state.secrets))
    assert isinstance(out.unit_status, ops.WaitingStatus)
    assert "amqp (rabbitmq) has not sent" in out.unit_status.message


def test_relations_and_options_become_snap_config(snap: FakeSnap) -> None:
    run(ready(**{"default-volume-type": "fast"}))
    assert snap.sections["cinder"] == {
        "debug": False,
        "bind-address": "192.0.2.0",
        "port": 8776,
        "host": "node-1",
        "schema-release": "2026.2",
        "database.host": "192.0.2.1",
        "database.port": 3306,
        "database.name": "cinder",
        "database.username": "cinder",
        "database.password": PASSWORD,
        "rabbitmq.host": "192.0.2.1",
        "rabbitmq.port": 5672,
        "rabbitmq.vhost": "openstack",
        "rabbitmq.username": "cinder",
        "rabbitmq.password": PASSWORD,
        "identity.auth-url": "http://192.0.2.1:5000/v3",
        "identity.region": "RegionOne",
        "identity.username": "cinder",
        "identity.password": PASSWORD,
        "identity.project-name": "service",
        "identity.project-domain-name": "Default",
        "identity.user-domain-name": "Default",
        "cache.servers": "192.0.2.1:11211",
        "default-volume-type": "fast",
    }


def test_registers_under_its_older_service_type_too(snap: FakeSnap) -> None:
    keystone = testing.Relation("identity-service", remote_app_name="keystone")
    out = run(testing.State(leader=True, relations=[keystone]))
    services = json.loads(out.get_relation(keystone.id).local_app_data["service-endpoints"])
    assert [(service["type"], service["service_name"]) for service in services] == [
        ("block-storage", "cinder"),
        ("volumev3", "cinderv3"),
    ]
    assert {service["internal_url"] for service in services} == {"http://192.0.2.0:8776/v3"}


def test_migrates_the_schema_once(snap: FakeSnap) -> None:
    run(run(ready()))
    assert snap.jobs == ["cinder-db-sync"]


def test_another_unit_leaves_the_schema_to_the_leader(snap: FakeSnap) -> None:
    out = run(ready(leader=False))
    assert snap.jobs == []
    assert out.unit_status == ops.WaitingStatus("the leader has not run cinder-db-sync")


def test_is_active_without_a_backend_and_says_so(snap: FakeSnap) -> None:
    assert run(ready()).unit_status == ops.ActiveStatus("no storage backend related")


def test_tells_backends_of_the_schema_once_the_api_answers(snap: FakeSnap) -> None:
    backend = testing.Relation("storage-backend", remote_app_name="cinder-lvm")
    snap.answering = False
    out = run(ready(backend))
    assert out.get_relation(backend.id).local_app_data == {}

    snap.answering = True
    out = run(out)
    assert out.unit_status == ops.ActiveStatus()
    assert out.get_relation(backend.id).local_app_data == {"release": '"2026.2"'}


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What Cinder is asked to ensure."""
    asked: list[tuple[str, ...]] = []

    class VolumeTypes:
        def __init__(self, url: str, account: Identity) -> None:
            asked.append((url, f"{account.username} at {account.auth_url}"))

        def ensure(self, name: str, backend: str) -> None:
            asked.append((name, backend))

    monkeypatch.setattr(sys.modules[CHARM.__module__], "VolumeTypes", VolumeTypes)
    return asked


def lvm() -> testing.Relation:
    """A backend that has said what it is."""
    data = {"backend-name": '"lvm"', "volume-type": '"lvm"'}
    return testing.Relation("storage-backend", remote_app_name="cinder-lvm", remote_app_data=data)


def test_makes_the_type_of_a_backend_once_and_it_is_the_default(
    snap: FakeSnap, types: list[tuple[str, ...]]
) -> None:
    out = run(run(ready(lvm())))
    assert out.unit_status == ops.ActiveStatus()
    assert types == [
        ("http://192.0.2.0:8776/v3", "cinder at http://192.0.2.1:5000/v3"),
        ("lvm", "lvm"),
    ]
    assert snap.sections["cinder"]["default-volume-type"] == "lvm"


def test_the_users_default_type_stands(snap: FakeSnap, types: list[tuple[str, ...]]) -> None:
    run(ready(lvm(), **{"default-volume-type": "fast"}))
    assert snap.sections["cinder"]["default-volume-type"] == "fast"
    assert ("lvm", "lvm") in types


def test_another_unit_leaves_the_types_to_the_leader(
    snap: FakeSnap, types: list[tuple[str, ...]]
) -> None:
    run(ready(lvm(), leader=False))
    assert types == []


def test_no_secret_is_logged(snap: FakeSnap) -> None:
    context = testing.Context(CHARM)
    context.run(context.on.update_status(), ready())
    assert not [line for line in context.juju_log if PASSWORD in line.message]
