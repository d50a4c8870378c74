"""memcached's charm: what its relations and options make of snap config, and the other way."""

from __future__ import annotations

from pathlib import Path

import ops
from ops import testing

from charmbase import load_charm
from charmbase.testing import FakeSnap, disagreements

FOLDER = Path(__file__).parents[2]
CHARM = load_charm(FOLDER)


def test_declarations_agree_with_charmcraft_yaml() -> None:
    assert disagreements(CHARM, FOLDER) == []


def test_each_unit_tells_its_socket_once_the_cache_answers(snap: FakeSnap) -> None:
    cache = testing.Relation("cache")
    context = testing.Context(CHARM)
    snap.answering = False
    out = context.run(context.on.relation_created(cache), testing.State(relations=[cache]))
    assert isinstance(out.unit_status, ops.BlockedStatus)
    assert "socket" not in out.get_relation(cache.id).local_unit_data

    snap.answering = True
    out = context.run(context.on.update_status(), out)
    assert out.unit_status == ops.ActiveStatus()
    data = out.get_relation(cache.id).local_unit_data
    assert data["socket"] == '"unix:memcached.sock"'


def test_with_remote_access_each_unit_tells_its_address(snap: FakeSnap) -> None:
    cache = testing.Relation("cache")
    context = testing.Context(CHARM)
    state = testing.State(relations=[cache], config={"remote-access": True})
    out = context.run(context.on.relation_created(cache), state)
    data = out.get_relation(cache.id).local_unit_data
    assert (data["host"], data["port"]) == ('"192.0.2.0"', "11211")
    assert snap.sections["memcached"]["bind-address"] == "192.0.2.0"


def test_options_become_snap_config(snap: FakeSnap) -> None:
    context = testing.Context(CHARM)
    context.run(context.on.config_changed(), testing.State(config={"memory": 64}))
    assert snap.sections["memcached"] == {
        "debug": False,
        "enabled": True,
        "bind-address": "unix:memcached.sock",
        "port": 11211,
        "memory": 64,
    }


def test_an_impossible_option_is_named_and_the_rest_applied(snap: FakeSnap) -> None:
    context = testing.Context(CHARM)
    out = context.run(context.on.config_changed(), testing.State(config={"memory": 1}))
    assert isinstance(out.unit_status, ops.BlockedStatus)
    assert "option memory" in out.unit_status.message
    assert snap.sections["memcached"]["memory"] == 32
