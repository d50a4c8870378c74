"""The appliance's charm: installs the snap, brings the cloud up, gives accounts out."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ops import testing

from charmbase import snap

ROOT = Path(__file__).parents[3]
META: dict[str, Any] = yaml.safe_load((ROOT / "charmcraft.yaml").read_text())


def load(name: str) -> Any:
    """Import a module of the charm by the name the charm has for it."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"appliance/src/{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


appliance = load("appliance")
_spec = importlib.util.spec_from_file_location(
    "charm_of_microstack", ROOT / "appliance/src/charm.py"
)
assert _spec is not None and _spec.loader is not None
charm = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(charm)

ADMIN = {
    "auth-url": "http://127.0.0.1:5000/v3",
    "username": "admin",
    "password": "admins",
    "project-name": "admin",
    "user-domain-name": "Default",
    "project-domain-name": "Default",
    "region": "RegionOne",
}


class Cloud:
    """Notes what it is told, in the place of the snap and of Keystone."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.failure = ""

    def note(self, *call: Any) -> None:
        self.calls.append(call)

    def up(self) -> None:
        self.note("up")
        if self.failure:
            raise appliance.ApplianceError(self.failure)

    def identity(self, url: str, password: str) -> Cloud:
        assert (url, password) == (ADMIN["auth-url"], ADMIN["password"])
        return self

    def ensure_account(self, username: str, password: str) -> None:
        self.note("account", username, len(password))

    def remove_account(self, username: str) -> None:
        self.note("remove account", username)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    cloud = Cloud()
    monkeypatch.setattr(snap, "install", lambda *given: cloud.note("install", *given))
    monkeypatch.setattr(appliance, "set_options", lambda given: cloud.note("options", given))
    monkeypatch.setattr(appliance, "up", cloud.up)
    monkeypatch.setattr(appliance, "administrator", lambda: ADMIN)
    monkeypatch.setattr(appliance, "remove", lambda: cloud.note("remove"))
    monkeypatch.setattr(charm, "Identity", cloud.identity)
    return cloud


def context() -> testing.Context[Any]:
    keys = ("name", "provides", "resources")
    return testing.Context(
        charm.MicrostackCharm,
        meta={key: META[key] for key in keys},
        config=META["config"],
        actions=META["actions"],
    )


def run(event: str, state: testing.State) -> testing.State:
    made = context()
    return made.run(getattr(made.on, event)(), state)


def related(username: str | None = "exporter") -> testing.Relation:
    data = {} if username is None else {"username": f'"{username}"'}
    return testing.Relation("identity-credentials", remote_app_data=data)


def test_installs_the_snap_from_its_channel(cloud: Cloud, tmp_path: Path):
    (tmp_path / "empty").touch()
    resource = testing.Resource(name="microstack-snap", path=tmp_path / "empty")
    run("install", testing.State(config={"snap-channel": "latest/edge"}, resources={resource}))
    assert cloud.calls == [("install", "latest/edge", None)]


def test_brings_the_cloud_up_with_the_options_it_was_given(cloud: Cloud):
    state = run("config_changed", testing.State(config={"options": "nova: {debug: true}"}))
    assert cloud.calls == [("options", {"nova": {"debug": True}}), ("up",)]
    assert state.unit_status == testing.ActiveStatus()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("nova: [", "options: line 1: expected the node content, but found '<stream end>'"),
        ("nova", "options: expected `application: {option: value}`"),
        ("nova: 1", "options: nova: expected `{option: value}`"),
    ],
)
def test_options_of_another_shape_are_named_and_nothing_is_done(
    cloud: Cloud, options: str, message: str
):
    state = run("config_changed", testing.State(config={"options": options}))
    assert state.unit_status == testing.BlockedStatus(message)
    assert cloud.calls == []


def test_a_cloud_that_is_up_stays_active_while_it_is_looked_at_again(cloud: Cloud):
    made = context()
    made.run(made.on.update_status(), testing.State(unit_status=testing.ActiveStatus()))
    assert set(made.unit_status_history) == {testing.ActiveStatus()}


def test_says_why_the_cloud_does_not_come_up(cloud: Cloud):
    cloud.failure = "microstack up: 5 GiB available memory is needed, there is 2.0"
    state = run("config_changed", testing.State())
    assert state.unit_status == testing.BlockedStatus(cloud.failure)


def test_who_asks_gets_an_account_of_its_own_once(cloud: Cloud):
    state = run("update_status", testing.State(leader=True, relations=[related()]))
    state = run("update_status", state)
    assert [call for call in cloud.calls if call[0] == "account"] == [("account", "exporter", 32)]
    (relation,) = state.relations
    (secret,) = state.secrets
    assert relation.local_app_data["credentials"] == f'"{secret.id}"'
    assert relation.local_app_data["internal-endpoint"] == '"http://127.0.0.1:5000/v3"'
    assert "admins" not in str(relation.local_app_data)
    assert secret.latest_content is not None
    assert secret.latest_content["username"] == "exporter"


def test_who_asks_for_no_account_learns_where_the_cloud_is(cloud: Cloud):
    state = run("update_status", testing.State(leader=True, relations=[related(None)]))
    (relation,) = state.relations
    assert "credentials" not in relation.local_app_data
    assert relation.local_app_data["region"] == '"RegionOne"'


def test_an_account_goes_with_its_relation(cloud: Cloud):
    state = run("update_status", testing.State(leader=True, relations=[related()]))
    made = context()
    (relation,) = state.relations
    state = made.run(made.on.relation_broken(relation), state)
    assert ("remove account", "exporter") in cloud.calls
    assert not state.secrets


def test_removing_the_unit_removes_the_snap(cloud: Cloud):
    run("remove", testing.State())
    assert cloud.calls == [("remove",)]


def test_the_action_tells_the_administrators_account(cloud: Cloud):
    made = context()
    made.run(made.on.action("get-admin-account"), testing.State())
    assert made.action_results == ADMIN
