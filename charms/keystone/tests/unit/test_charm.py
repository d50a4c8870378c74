"""Keystone's charm: bootstrap once, then an account for every application that asks."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import ops
import pytest
from ops import testing

from charmbase import load_charm
from charmbase.testing import FakeSnap, disagreements
from interfaces.testing import database, memcached, secret_of

FOLDER = Path(__file__).parents[2]
CHARM = load_charm(FOLDER)

GLANCE = {
    "service_name": "glance",
    "type": "image",
    "description": "Images",
    "internal_url": "http://192.0.2.7:9292",
    "public_url": "http://192.0.2.7:9292",
    "admin_url": "http://192.0.2.7:9292",
}


class FakeIdentity:
    """Keystone's API, noting what it was told."""

    calls: list[tuple[Any, ...]]

    def __init__(self, auth_url: str, password: str) -> None:
        self.calls.append(("login", auth_url))

    def ensure_account(self, username: str, password: str, place: Any) -> None:
        self.calls.append(("account", username, password))
        if place.project != "service":
            self.calls.append(("place", place.project, place.roles))

    def remove_account(self, username: str, project: str) -> None:
        self.calls.append(("remove", username))
        if project != "service":
            self.calls.append(("remove project", project))

    def ensure_service(self, service: Any) -> None:
        self.calls.append(("service", service.type, service.urls[0]))

    def remove_service(self, type_: str, name: str) -> None:
        self.calls.append(("remove service", type_))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    FakeIdentity.calls = []
    monkeypatch.setattr(sys.modules[CHARM.__module__], "Identity", FakeIdentity)
    return FakeIdentity.calls


def ready(*more: testing.RelationBase) -> testing.State:
    """The leader with all it requires, and more relations."""
    mariadb, credentials = database("keystone")
    peers = testing.PeerRelation("keystone-peers")
    return testing.State(
        leader=True,
        relations=[mariadb, memcached(), peers, *more],
        secrets=[credentials],
    )


def run(state: testing.State, event: str = "update_status") -> testing.State:
    context = testing.Context(CHARM)
    return context.run(getattr(context.on, event)(), state)


def glance() -> testing.Relation:
    return testing.Relation(
        "identity-service",
        remote_app_name="glance",
        remote_app_data={"service-endpoints": json.dumps([GLANCE])},
    )


def test_declarations_agree_with_charmcraft_yaml() -> None:
    assert disagreements(CHARM, FOLDER) == []


def test_says_which_relations_are_missing(snap: FakeSnap) -> None:
    out = run(testing.State(leader=True))
    assert out.unit_status == ops.BlockedStatus("relations database, cache missing")


def test_waits_for_the_databases_credentials(snap: FakeSnap) -> None:
    mariadb = testing.Relation("database", remote_app_name="mariadb")
    out = run(testing.State(leader=True, relations=[mariadb, memcached()]))
    assert out.get_relation(mariadb.id).local_app_data == {"database": '"keystone"'}
    assert isinstance(out.unit_status, ops.WaitingStatus)
    assert "database (mariadb) has not sent" in out.unit_status.message
    assert "credentials" in out.unit_status.message


def test_bootstraps_once_and_opens_the_gate(snap: FakeSnap) -> None:
    out = run(ready())
    assert out.unit_status == ops.ActiveStatus()
    assert snap.jobs == ["keystone-bootstrap"]
    config = snap.sections["keystone"]
    assert config["schema-release"] == "2026.2"
    assert config["bootstrap.public-url"] == "http://192.0.2.0:5000/v3"
    assert sorted(config["fernet-keys"]) == ["0", "1"]
    run(out)
    assert snap.jobs == ["keystone-bootstrap"]
    assert len(snap.writes) == 2


def test_bootstrap_does_not_wait_for_the_cache(snap: FakeSnap) -> None:
    mariadb, credentials = database("keystone")
    peers = testing.PeerRelation("keystone-peers")
    out = run(testing.State(leader=True, relations=[mariadb, peers], secrets=[credentials]))
    assert snap.jobs == ["keystone-bootstrap"]
    assert out.unit_status == ops.BlockedStatus("relation cache missing")


def test_a_failed_bootstrap_fails_the_hook_so_that_it_is_tried_again(snap: FakeSnap) -> None:
    snap.failure = "microstack.keystone-bootstrap returned 1: no route to host"
    with pytest.raises(testing.errors.UncaughtCharmError, match="no route to host"):
        run(ready())


def test_registers_a_service_and_sends_it_its_account(snap: FakeSnap, calls: Any) -> None:
    relation = glance()
    out = run(ready(relation))
    data = out.get_relation(relation.id).local_app_data
    assert json.loads(data["internal-auth-url"]) == "http://192.0.2.0:5000/v3"
    assert json.loads(data["service-project-name"]) == "service"
    account = secret_of(out, json.loads(data["service-credentials"]))
    assert account["username"] == "glance"
    assert calls == [
        ("login", "http://192.0.2.0:5000/v3"),
        ("account", "glance", account["password"]),
        ("service", "image", "http://192.0.2.7:9292"),
    ]


def test_tells_keystone_nothing_twice(snap: FakeSnap, calls: Any) -> None:
    out = run(ready(glance()))
    calls.clear()
    run(out)
    assert calls == []


def test_waits_for_a_service_to_say_what_it_is(snap: FakeSnap, calls: Any) -> None:
    relation = testing.Relation("identity-service", remote_app_name="glance")
    out = run(ready(relation))
    assert calls == []
    assert out.get_relation(relation.id).local_app_data == {}


def test_gives_credentials_without_a_service(snap: FakeSnap, calls: Any) -> None:
    relation = testing.Relation(
        "identity-credentials",
        remote_app_name="hypervisors",
        remote_app_data={"username": '"nova-compute"'},
    )
    out = run(ready(relation))
    data = out.get_relation(relation.id).local_app_data
    assert secret_of(out, json.loads(data["credentials"]))["username"] == "nova-compute"


def test_makes_no_account_for_who_asks_for_none(snap: FakeSnap, calls: Any) -> None:
    relation = testing.Relation("identity-credentials", remote_app_name="horizon")
    out = run(ready(relation))
    data = out.get_relation(relation.id).local_app_data
    assert json.loads(data["internal-endpoint"]) == "http://192.0.2.0:5000/v3"
    assert "credentials" not in data
    assert calls == []


def test_gives_an_administrator_a_project_of_its_own_and_no_other_role(
    snap: FakeSnap, calls: Any
) -> None:
    relation = testing.Relation("identity-admin", remote_app_name="tempest")
    out = run(ready(relation))
    data = out.get_relation(relation.id).local_app_data
    account = secret_of(out, json.loads(data["credentials"]))
    assert account["username"] == "admin-tempest"
    assert json.loads(data["project-name"]) == "admin-tempest"
    assert account["password"] not in str(data)
    assert calls[1:] == [
        ("account", "admin-tempest", account["password"]),
        ("place", "admin-tempest", ("admin",)),
    ]


def test_an_administrator_and_its_project_go_with_the_relation(snap: FakeSnap, calls: Any) -> None:
    relation = testing.Relation("identity-admin", remote_app_name="tempest")
    out = run(ready(relation))
    calls.clear()
    context = testing.Context(CHARM)
    gone = context.run(context.on.relation_broken(out.get_relation(relation.id)), out)
    assert calls[1:] == [("remove", "admin-tempest"), ("remove project", "admin-tempest")]
    assert not [secret for secret in gone.secrets if secret.label == f"account-{relation.id}"]


def test_accounts_that_an_earlier_revision_registered_are_not_registered_again(
    snap: FakeSnap, calls: Any
) -> None:
    mark = {
        "username": "glance",
        "services": [["image", "glance"]],
        "digest": "",
    }
    registered = sys.modules["registration"].Registered.model_validate(mark)
    assert registered.project == "service"


def test_removes_what_an_application_had_when_it_goes(snap: FakeSnap, calls: Any) -> None:
    relation = glance()
    out = run(ready(relation))
    calls.clear()
    context = testing.Context(CHARM)
    context.run(context.on.relation_broken(out.get_relation(relation.id)), out)
    assert [call[0] for call in calls] == ["login", "remove", "remove service"]


def test_publishes_nothing_while_keystone_does_not_answer(snap: FakeSnap, calls: Any) -> None:
    snap.answering = False
    relation = glance()
    out = run(ready(relation))
    assert out.get_relation(relation.id).local_app_data == {}
    assert isinstance(out.unit_status, ops.BlockedStatus)
    assert "http://192.0.2.0:5000/v3 does not answer" in out.unit_status.message


def test_rotating_passwords_tells_keystone_and_the_application(snap: FakeSnap, calls: Any) -> None:
    out = run(ready(glance()))
    before = next(call[2] for call in calls if call[0] == "account")
    calls.clear()
    context = testing.Context(CHARM)
    context.run(context.on.action("rotate-passwords"), out)
    assert context.action_results == {"rotated": "glance"}
    after = next(call[2] for call in calls if call[0] == "account")
    assert after != before


def test_rotating_the_admin_password_bootstraps_with_the_new_one(snap: FakeSnap) -> None:
    out = run(ready())
    before = snap.sections["keystone"]["bootstrap.admin-password"]
    context = testing.Context(CHARM)
    context.run(context.on.action("rotate-admin-password"), out)
    assert snap.jobs == ["keystone-bootstrap", "keystone-bootstrap"]
    assert snap.sections["keystone"]["bootstrap.admin-password"] != before


def test_the_admin_account_is_what_openrc_needs(snap: FakeSnap) -> None:
    out = run(ready())
    context = testing.Context(CHARM)
    context.run(context.on.action("get-admin-account"), out)
    assert context.action_results == {
        "auth-url": "http://192.0.2.0:5000/v3",
        "username": "admin",
        "password": snap.sections["keystone"]["bootstrap.admin-password"],
        "project-name": "admin",
        "user-domain-name": "Default",
        "project-domain-name": "Default",
        "region": "RegionOne",
    }


def test_no_secret_is_logged(snap: FakeSnap, calls: Any) -> None:
    context = testing.Context(CHARM)
    context.run(context.on.update_status(), ready(glance()))
    logged = "\n".join(line.message for line in context.juju_log)
    config = snap.sections["keystone"]
    secrets = [config["bootstrap.admin-password"], config["database.password"]]
    secrets += [*config["fernet-keys"].values(), calls[1][2]]
    assert not [secret for secret in secrets if secret in logged]
