"""ovn-central's charm: databases on UNIX sockets, and over TCP where that is wanted."""

from __future__ import annotations

import json
from pathlib import Path

import ops
import pytest
from ops import testing

from charmbase import load_charm
from charmbase.testing import FakeSnap, disagreements

FOLDER = Path(__file__).parents[2]
CHARM = load_charm(FOLDER)

NEUTRON = testing.Relation("ovsdb-cms", remote_app_name="neutron")
CHASSIS = testing.Relation("ovsdb", remote_app_name="ovn-chassis")


def ready(**config: bool) -> testing.State:
    """The leader, with Neutron and a chassis related."""
    return testing.State(leader=True, config=config, relations=[NEUTRON, CHASSIS])


def run(state: testing.State, event: str = "update_status") -> testing.State:
    context = testing.Context(CHARM)
    return context.run(getattr(context.on, event)(), state)


def test_declarations_agree_with_charmcraft_yaml() -> None:
    assert disagreements(CHARM, FOLDER) == []


def offered(state: testing.State, relation: testing.Relation) -> dict[str, str]:
    data = state.get_relation(relation.id).local_app_data
    return {key: json.loads(value) for key, value in data.items()}


def test_needs_no_relation(snap: FakeSnap) -> None:
    out = run(testing.State(leader=True))
    assert out.unit_status == ops.ActiveStatus()
    assert snap.sections["ovn-central"] == {"debug": False, "enabled": True}


def test_offers_sockets_on_this_machine(snap: FakeSnap) -> None:
    out = run(ready())
    sockets = {
        "db-nb-connection-str": "unix:nb.sock",
        "db-sb-connection-str": "unix:sb.sock",
    }
    assert offered(out, NEUTRON) == sockets
    assert offered(out, CHASSIS) == sockets


def test_offers_its_address_to_other_machines(snap: FakeSnap) -> None:
    out = run(ready(**{"remote-access": True}))
    assert snap.sections["ovn-central"]["remote-address"] == "192.0.2.0"
    assert offered(out, CHASSIS) == {
        "db-nb-connection-str": "tcp:192.0.2.0:6641",
        "db-sb-connection-str": "tcp:192.0.2.0:6642",
    }


def test_offers_nothing_while_the_databases_do_not_answer(
    snap: FakeSnap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNAP_COMMON", "/nowhere")
    snap.answering = False
    out = run(ready())
    assert offered(out, NEUTRON) == {}
    assert isinstance(out.unit_status, ops.BlockedStatus)
    assert "/nowhere/run/ovn/nb.sock" in out.unit_status.message
