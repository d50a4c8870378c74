"""Horizon's charm: where Keystone is, a cache and a key of its own make a dashboard."""

from __future__ import annotations

from pathlib import Path

import ops
from ops import testing

from charmbase import load_charm
from charmbase.testing import FakeSnap, disagreements
from interfaces.testing import identity_credentials, memcached

FOLDER = Path(__file__).parents[2]
CHARM = load_charm(FOLDER)


def ready(leader: bool = True, **config: str | int) -> testing.State:
    """A unit with all it requires."""
    keystone, account = identity_credentials("horizon")
    peers = testing.PeerRelation("horizon-peers")
    return testing.State(
        leader=leader,
        config=config,
        relations=[keystone, memcached(), peers],
        secrets=[account],
    )


def run(state: testing.State, event: str = "update_status") -> testing.State:
    context = testing.Context(CHARM)
    return context.run(getattr(context.on, event)(), state)


def test_declarations_agree_with_charmcraft_yaml() -> None:
    assert disagreements(CHARM, FOLDER) == []


def test_says_which_relations_are_missing(snap: FakeSnap) -> None:
    out = run(testing.State(leader=True))
    assert isinstance(out.unit_status, ops.BlockedStatus)
    assert out.unit_status.message == "relations identity-credentials, cache missing"


def test_says_who_has_not_sent_what(snap: FakeSnap) -> None:
    keystone = testing.Relation("identity-credentials", remote_app_name="keystone")
    peers = testing.PeerRelation("horizon-peers")
    out = run(testing.State(leader=True, relations=[keystone, memcached(), peers]))
    assert out.unit_status == ops.WaitingStatus(
        "identity-credentials (keystone) has not sent internal-endpoint, region"
    )


def test_asks_for_no_account(snap: FakeSnap) -> None:
    keystone = testing.Relation("identity-credentials", remote_app_name="keystone")
    out = run(testing.State(leader=True, relations=[keystone]))
    assert out.get_relation(keystone.id).local_app_data == {}


def test_relations_and_options_become_snap_config(snap: FakeSnap) -> None:
    run(ready(**{"allowed-hosts": "cloud.example.com"}))
    config = dict(snap.sections["horizon"])
    assert len(config.pop("secret-key")) == 32
    assert config == {
        "debug": False,
        "bind-address": "192.0.2.0",
        "port": 8080,
        "auth-url": "http://192.0.2.1:5000/v3",
        "region": "RegionOne",
        "cache.servers": "192.0.2.1:11211",
        "allowed-hosts": "cloud.example.com",
    }


def test_status_and_action_tell_where_it_is(snap: FakeSnap) -> None:
    out = run(ready(port=8443))
    assert out.unit_status == ops.ActiveStatus("http://192.0.2.0:8443")
    assert out.opened_ports == {testing.TCPPort(8443)}
    context = testing.Context(CHARM)
    context.run(context.on.action("get-url"), out)
    assert context.action_results == {"url": "http://192.0.2.0:8443"}


def test_a_dashboard_that_does_not_answer_is_named(snap: FakeSnap) -> None:
    snap.answering = False
    out = run(ready())
    assert isinstance(out.unit_status, ops.BlockedStatus)
    assert "http://192.0.2.0:8080/auth/login/ does not answer" in out.unit_status.message


def test_all_units_sign_sessions_with_the_leaders_key(snap: FakeSnap) -> None:
    out = run(ready(leader=False))
    assert out.unit_status == ops.WaitingStatus("the leader has not generated secret-key")
    assert "secret-key" not in snap.sections["horizon"]


def test_the_key_stays_until_it_is_rotated(snap: FakeSnap) -> None:
    out = run(ready())
    before = snap.sections["horizon"]["secret-key"]
    out = run(out)
    assert snap.sections["horizon"]["secret-key"] == before
    context = testing.Context(CHARM)
    context.run(context.on.action("rotate-secret-key"), out)
    assert snap.sections["horizon"]["secret-key"] != before


def test_no_secret_is_logged(snap: FakeSnap) -> None:
    context = testing.Context(CHARM)
    context.run(context.on.update_status(), ready())
    key = snap.sections["horizon"]["secret-key"]
    assert not [line for line in context.juju_log if key in line.message]
