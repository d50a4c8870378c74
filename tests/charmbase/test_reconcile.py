"""What every component's charm does with what it's told: write, migrate, wait, publish, say."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import ops
import pytest
from ops import testing

from charmbase import charm
from charmbase.testing import FakeSnap
from interfaces.testing import PASSWORD, database, identity_service, memcached

_spec = importlib.util.spec_from_file_location("sample", Path(__file__).parent / "sample.py")
assert _spec is not None and _spec.loader is not None
sample = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sample)


def context() -> testing.Context[Any]:
    return testing.Context(
        sample.SampleCharm, meta=sample.META, config=sample.OPTIONS, actions=sample.ACTIONS
    )


def run(state: testing.State, event: str = "config_changed") -> testing.State:
    made = context()
    return made.run(getattr(made.on, event)(), state)


def complete(*more: testing.RelationBase) -> testing.State:
    mariadb, first = database("glance")
    keystone, second = identity_service("glance")
    peers = testing.PeerRelation("sample-peers")
    return testing.State(
        leader=True,
        relations=[mariadb, keystone, memcached(), peers, *more],
        secrets=[first, second],
    )


def without(state: testing.State, endpoint: str) -> testing.State:
    return replace(state, relations=[r for r in state.relations if r.endpoint != endpoint])


def test_relations_become_typed_snap_config(snap: FakeSnap) -> None:
    run(complete())
    assert snap.sections["glance"] == {
        "debug": False,
        "bind-address": "192.0.2.0",
        "port": 9292,
        "schema-release": "2026.2",
        "database.host": "192.0.2.1",
        "database.port": 3306,
        "database.name": "glance",
        "database.username": "glance",
        "database.password": PASSWORD,
        "identity.auth-url": "http://192.0.2.1:5000/v3",
        "identity.region": "RegionOne",
        "identity.username": "glance",
        "identity.password": PASSWORD,
        "identity.project-name": "service",
        "identity.project-domain-name": "Default",
        "identity.user-domain-name": "Default",
        "cache.servers": "192.0.2.1:11211",
    }


def test_asks_as_soon_as_there_is_a_relation(snap: FakeSnap) -> None:
    keystone = testing.Relation("identity-service", remote_app_name="keystone")
    out = run(testing.State(leader=True, relations=[keystone]))
    asked = json.loads(out.get_relation(keystone.id).local_app_data["service-endpoints"])
    assert [(one["type"], one["internal_url"]) for one in asked] == [
        ("image", "http://192.0.2.0:9292")
    ]


def test_a_migration_needs_the_database_and_nothing_else(snap: FakeSnap) -> None:
    out = run(without(complete(), "identity-service"))
    assert snap.jobs == ["glance-db-sync"]
    assert out.unit_status == ops.BlockedStatus("relation identity-service missing")


def test_the_schema_gate_opens_only_after_the_migration(snap: FakeSnap) -> None:
    run(complete())
    assert "schema-release" not in snap.writes[0][1]
    assert snap.writes[1][1] == {"schema-release"}


def test_the_schema_gate_stays_shut_until_the_service_need_not_start_twice(
    snap: FakeSnap,
) -> None:
    state = complete()
    out = run(without(state, "cache"))
    assert "schema-release" not in snap.sections["glance"]
    run(replace(out, relations=[*out.relations, memcached()]))
    assert snap.writes[-1][1] == {"cache.servers", "schema-release"}


def test_a_gate_that_is_open_stays_open_when_a_relation_ends(snap: FakeSnap) -> None:
    out = run(complete())
    run(without(out, "cache"))
    assert snap.sections["glance"]["schema-release"] == "2026.2"


def test_an_event_that_is_no_cause_to_look_leaves_the_status_as_it_is(snap: FakeSnap) -> None:
    out = run(complete())
    snap.answering = False
    made = context()
    mariadb = next(r for r in out.relations if r.endpoint == "database")
    after = made.run(made.on.relation_joined(mariadb, remote_unit=0), out)
    assert after.unit_status == ops.ActiveStatus()


def test_a_hook_that_was_killed_while_services_started_waits_for_them_again(
    snap: FakeSnap,
) -> None:
    out = run(complete())
    snap.answering = False
    killed = replace(out, unit_status=ops.MaintenanceStatus("running glance-db-sync"))
    snap.patience.clear()
    run(killed)
    assert snap.patience == [charm.GRACE, charm.SERVICE_TIMEOUT]


def test_a_service_that_was_up_is_missed_soon(snap: FakeSnap) -> None:
    out = run(complete())
    snap.answering = False
    snap.patience.clear()
    after = run(out, "update_status")
    assert snap.patience == [charm.GRACE]
    assert isinstance(after.unit_status, ops.BlockedStatus)


def test_the_same_event_twice_changes_nothing(snap: FakeSnap) -> None:
    out = run(complete())
    writes, jobs = len(snap.writes), len(snap.jobs)
    run(out)
    assert (len(snap.writes), len(snap.jobs)) == (writes, jobs)


def test_only_the_leader_migrates(snap: FakeSnap) -> None:
    out = run(replace(complete(), leader=False))
    assert snap.jobs == []
    assert out.unit_status == ops.WaitingStatus("the leader has not run glance-db-sync")


def test_other_units_follow_the_leaders_migration(snap: FakeSnap) -> None:
    peers = testing.PeerRelation(
        "sample-peers", local_app_data={"releases": '{"glance-db-sync": "2026.2"}'}
    )
    state = without(replace(complete(), leader=False), "sample-peers")
    out = run(replace(state, relations=[*state.relations, peers]))
    assert out.unit_status == ops.ActiveStatus()
    assert snap.sections["glance"]["schema-release"] == "2026.2"


def test_a_schema_of_a_later_release_is_left_alone_and_the_way_on_is_told(snap: FakeSnap) -> None:
    peers = testing.PeerRelation(
        "sample-peers", local_app_data={"releases": '{"glance-db-sync": "2027.1"}'}
    )
    # snapd brings back the config of the revision that it goes back to.
    snap.sections["glance"] = {"schema-release": "2026.2"}
    state = without(complete(), "sample-peers")
    out = run(replace(state, relations=[*state.relations, peers]))
    assert out.unit_status == ops.BlockedStatus(
        "the schema is of 2027.1, with no way back to 2026.2: refresh to 2027.1 again"
    )
    assert snap.jobs == []
    assert "glance" not in snap.sections


def test_a_migration_of_an_older_release_is_done_again(snap: FakeSnap) -> None:
    peers = testing.PeerRelation(
        "sample-peers", local_app_data={"releases": '{"glance-db-sync": "2026.1"}'}
    )
    state = without(complete(), "sample-peers")
    run(replace(state, relations=[*state.relations, peers]))
    assert snap.jobs == ["glance-db-sync"]


def test_a_failed_migration_fails_the_hook_and_is_not_noted(snap: FakeSnap) -> None:
    snap.failure = "microstack.glance-db-sync returned 1: Access denied"
    with pytest.raises(testing.errors.UncaughtCharmError, match="Access denied"):
        run(complete())
    assert "schema-release" not in snap.sections["glance"]


def test_publishes_when_the_service_answers(snap: FakeSnap) -> None:
    nova = testing.Relation("image-service", remote_app_name="nova")
    snap.answering = False
    out = run(complete(nova))
    assert out.get_relation(nova.id).local_app_data == {}
    assert out.unit_status == ops.BlockedStatus(
        "http://192.0.2.0:9292/healthcheck does not answer: see the log of glance"
    )
    snap.answering = True
    out = run(out, "update_status")
    data = out.get_relation(nova.id).local_app_data
    assert json.loads(data["glance-api-server"]) == "http://192.0.2.0:9292"
    assert out.unit_status == ops.ActiveStatus()


def test_a_service_that_died_shows_at_the_next_update_status(snap: FakeSnap) -> None:
    out = run(complete())
    snap.answering = False
    out = run(out, "update_status")
    assert isinstance(out.unit_status, ops.BlockedStatus)


def test_a_broken_relation_takes_its_keys_away(snap: FakeSnap) -> None:
    out = run(complete())
    mariadb = next(r for r in out.relations if r.endpoint == "database")
    made = context()
    out = made.run(made.on.relation_broken(mariadb), out)
    assert not [key for key in snap.sections["glance"] if key in ("database.host",)]
    assert out.unit_status == ops.BlockedStatus("relation database missing")


def test_a_secret_that_is_not_granted_yet_is_waited_for(snap: FakeSnap) -> None:
    state = complete()
    out = run(replace(state, secrets=[]))
    assert isinstance(out.unit_status, ops.WaitingStatus)
    assert out.unit_status.message == "database (mariadb) has not sent credentials"


def test_a_databag_of_the_wrong_type_is_named_and_not_shown(snap: FakeSnap) -> None:
    mariadb = testing.Relation(
        "database", remote_app_name="mariadb", remote_app_data={"endpoints": '["hunter2"]'}
    )
    state = without(complete(), "database")
    out = run(replace(state, relations=[*state.relations, mariadb]))
    assert isinstance(out.unit_status, ops.BlockedStatus)
    assert "relation database: endpoints" in out.unit_status.message
    assert "hunter2" not in out.unit_status.message


def test_an_option_out_of_range_is_named(snap: FakeSnap) -> None:
    out = run(replace(complete(), config={"port": 70000}))
    assert isinstance(out.unit_status, ops.BlockedStatus)
    assert "option port" in out.unit_status.message


def test_what_the_snap_refuses_is_shown(snap: FakeSnap) -> None:
    snap.refusal = "glance.port: 9292 is taken"
    out = run(complete())
    assert out.unit_status == ops.BlockedStatus(
        "the snap refused its config: glance.port: 9292 is taken"
    )


def test_a_unit_that_goes_takes_its_config_along(snap: FakeSnap) -> None:
    out = run(complete())
    run(out, "stop")
    assert "glance" not in snap.sections


def test_migrating_again_is_an_action_of_the_leader(snap: FakeSnap) -> None:
    out = run(complete())
    made = context()
    made.run(made.on.action("migrate-database"), out)
    assert made.action_results == {"release": "2026.2"}
    assert snap.jobs == ["glance-db-sync"] * 2
    with pytest.raises(testing.ActionFailed, match="leader"):
        made.run(made.on.action("migrate-database"), replace(out, leader=False))


def test_no_secret_reaches_the_log_or_a_status(snap: FakeSnap) -> None:
    made = context()
    out = made.run(made.on.config_changed(), complete())
    shown = [line.message for line in made.juju_log]
    shown += [status.message for status in made.unit_status_history] + [out.unit_status.message]
    assert not [text for text in shown if PASSWORD in text]


def test_the_snap_comes_from_the_charms_resource_where_one_is_attached(
    snap: FakeSnap, tmp_path: Path
) -> None:
    archive = tmp_path / "microstack.snap"
    archive.write_bytes(b"snap")
    resource = testing.Resource(name="microstack-snap", path=archive)
    run(testing.State(resources={resource}), "install")
    assert snap.archive == archive


def test_an_empty_resource_means_the_store(snap: FakeSnap, tmp_path: Path) -> None:
    (tmp_path / "microstack.snap").touch()
    resource = testing.Resource(name="microstack-snap", path=tmp_path / "microstack.snap")
    run(testing.State(resources={resource}), "install")
    assert snap.archive is None
