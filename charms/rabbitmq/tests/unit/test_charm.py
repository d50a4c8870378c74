"""RabbitMQ's charm: accounts are there before the broker starts, later ones are imported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import ops
import pytest
from ops import testing

from charmbase import load_charm
from charmbase.testing import FakeSnap, disagreements
from interfaces.testing import secret_of

FOLDER = Path(__file__).parents[2]
CHARM = load_charm(FOLDER)


def client(app: str) -> testing.Relation:
    return testing.Relation("amqp", remote_app_name=app)


def ready(*relations: testing.RelationBase) -> testing.State:
    return testing.State(
        leader=True, relations=[testing.PeerRelation("rabbitmq-peers"), *relations]
    )


def run(state: testing.State) -> testing.State:
    context = testing.Context(CHARM)
    return context.run(context.on.config_changed(), state)


def test_declarations_agree_with_charmcraft_yaml() -> None:
    assert disagreements(CHARM, FOLDER) == []


def test_the_first_configuration_has_every_account(snap: FakeSnap) -> None:
    nova, cinder = client("nova"), client("cinder")
    out = run(ready(nova, cinder))
    assert out.unit_status == ops.ActiveStatus()
    users = snap.sections["rabbitmq"]["users"]
    assert [user["username"] for user in users] == [f"nova-{nova.id}", f"cinder-{cinder.id}"]
    assert {user["vhost"] for user in users} == {"openstack"}
    assert snap.jobs == []


def test_an_application_gets_its_account(snap: FakeSnap) -> None:
    nova = client("nova")
    out = run(ready(nova))
    data = out.get_relation(nova.id).local_app_data
    assert json.loads(data["hostname"]) == "192.0.2.0"
    assert (data["port"], json.loads(data["vhost"])) == ("5672", "openstack")
    account = secret_of(out, json.loads(data["secret-user"]))
    assert account["username"] == f"nova-{nova.id}"
    assert account["password"] == snap.sections["rabbitmq"]["users"][0]["password"]


def test_an_account_that_comes_later_is_imported_into_the_running_broker(snap: FakeSnap) -> None:
    out = run(ready(client("nova")))
    out = run(replace(out, relations=[*out.relations, client("cinder")]))
    assert snap.jobs == ["rabbitmq-import"]
    run(out)
    assert snap.jobs == ["rabbitmq-import"]


def test_an_import_that_failed_is_done_again(snap: FakeSnap) -> None:
    out = run(ready(client("nova")))
    later = replace(out, relations=[*out.relations, client("cinder")])
    snap.failure = "microstack.rabbitmq-import returned 1: the broker does not answer"
    with pytest.raises(testing.errors.UncaughtCharmError, match="does not answer"):
        run(later)
    snap.failure = None
    run(later)
    assert snap.jobs == ["rabbitmq-import"]


def test_the_account_of_a_relation_that_ended_is_taken_away(snap: FakeSnap) -> None:
    nova, cinder = client("nova"), client("cinder")
    out = run(ready(nova, cinder))
    context = testing.Context(CHARM)
    context.run(context.on.relation_broken(out.get_relation(cinder.id)), out)
    users = snap.sections["rabbitmq"]["users"]
    assert [user["username"] for user in users] == [f"nova-{nova.id}"]
    assert snap.jobs == ["rabbitmq-import"]


def test_rotating_changes_broker_and_secret_together(snap: FakeSnap) -> None:
    nova = client("nova")
    out = run(ready(nova))
    before = snap.sections["rabbitmq"]["users"][0]["password"]
    context = testing.Context(CHARM)
    out = context.run(context.on.action("rotate-passwords"), out)
    after = snap.sections["rabbitmq"]["users"][0]["password"]
    data = out.get_relation(nova.id).local_app_data
    assert secret_of(out, json.loads(data["secret-user"]))["password"] == after != before
    assert snap.jobs == ["rabbitmq-import"]


def test_only_the_leader_sends_accounts(snap: FakeSnap) -> None:
    nova = client("nova")
    out = run(replace(ready(nova), leader=False))
    assert out.get_relation(nova.id).local_app_data == {}
    assert isinstance(out.unit_status, ops.WaitingStatus)
