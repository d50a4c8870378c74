"""Several models in one agent: apart from each other, and whole after the agent was killed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.client import ChangeError, Client
from machine.controller_client import ControllerClient
from machine.juju_client import JujuClient
from tests.machine.agents import CHARMS, PATIENCE, Agent, until

ONE = "applications: {{recorder: {{charm: {charms}/recorder, num_units: 1{more}}}}}"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(tmp_path)
    agent.start()
    yield agent
    agent.close()


def controller(agent: Agent) -> ControllerClient:
    return ControllerClient(agent.folder / "socket")


def model(agent: Agent, name: str) -> Client:
    return Client(agent.folder / "socket", name)


def deploy(agent: Agent, client: Client, more: str = "") -> None:
    bundle = agent.folder / "one.yaml"
    bundle.write_text(ONE.format(charms=CHARMS, more=more))
    client.deploy(bundle)


def folders(agent: Agent) -> list[Path]:
    return list(agent.state.glob("models/*"))


def destroyed(agent: Agent, name: str, force: bool = False, timeout: float | None = None) -> None:
    assert list(controller(agent).destroy_model(name, force, timeout))


def test_who_names_no_model_means_the_agents_own(agent: Agent):
    controller(agent).add_model("other", {})
    controller(agent).switch("other")
    assert agent.client.status()["model"]["name"] == "microstack"
    assert controller(agent).current_model() == "other"


def test_a_model_that_is_destroyed_leaves_nothing(agent: Agent):
    controller(agent).add_model("other", {})
    other = model(agent, "other")
    deploy(agent, other)
    other.wait_idle(PATIENCE)
    (folder,) = folders(agent)
    assert (folder / "units/recorder-0/charm").exists()
    destroyed(agent, "other")
    assert folders(agent) == []
    with pytest.raises(ChangeError, match="model machine:admin/other not found"):
        other.status()


def test_the_agents_own_model_is_not_destroyed(agent: Agent):
    with pytest.raises(ChangeError, match='"microstack" is a controller'):
        destroyed(agent, "microstack", force=True, timeout=0.0)
    assert agent.client.status()["model"]["name"] == "microstack"


def test_models_go_on_after_the_agent_was_killed(agent: Agent, tmp_path: Path):
    awaited = tmp_path / "go-on"
    controller(agent).add_model("other", {"test-mode": True})
    other = model(agent, "other")
    deploy(agent, other, f", options: {{wait-for: {awaited}}}")
    until(lambda: _running(other, "config-changed") or None, "config-changed runs")
    agent.stop(signal.SIGKILL)
    awaited.touch()
    agent.start()
    other.wait_idle(PATIENCE)
    units = other.status()["applications"]["recorder"]["units"]
    assert units["recorder/0"]["juju-status"]["current"] == "idle"
    assert agent.client.status()["applications"] == {}


def _running(client: Client, hook: str) -> bool:
    return any(h.hook == hook and h.outcome == "running" for h in client.hooks())


def test_a_destruction_goes_on_after_the_agent_was_killed(agent: Agent, tmp_path: Path):
    awaited = tmp_path / "go-on"
    controller(agent).add_model("other", {})
    other = model(agent, "other")
    deploy(agent, other, f", options: {{wait-for: {awaited}}}")
    until(lambda: _running(other, "config-changed") or None, "config-changed runs")
    for _ in controller(agent).destroy_model("other", False, None):
        break
    agent.stop(signal.SIGKILL)
    awaited.touch()
    agent.start()
    until(lambda: folders(agent) == [] or None, "the model is gone")
    assert [m["short-name"] for m in controller(agent).models()] == ["microstack"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_relation_between_models_outlives_the_agent(agent: Agent, number: signal.Signals):
    controller(agent).add_model("shop", {})
    shop = JujuClient(agent.folder / "socket", "shop")
    agent.deploy("applications: {db: {charm: CHARMS/db, num_units: 1}}")
    bundle = agent.folder / "web.yaml"
    bundle.write_text(f"applications: {{web: {{charm: {CHARMS}/web, num_units: 1}}}}")
    shop.deploy(bundle)
    agent.client.offer("db", ["database"], "store")
    controller(agent).consume("shop", "microstack", "store", "sql")
    shop.integrate("sql", "web")
    until(lambda: "p1" in _message(shop) or None, "web has its password")
    agent.stop(number)
    agent.start()
    agent.client.run("db/0", "rotate", {"suffix": "-new"}, PATIENCE)
    until(lambda: "p1-new" in _message(shop) or None, "web has its new password")


def _message(shop: JujuClient) -> str:
    unit = shop.status()["applications"]["web"]["units"]["web/0"]
    return unit["workload-status"].get("message", "")


def test_what_a_kill_left_of_a_model_is_swept(agent: Agent):
    agent.stop()
    for name in ("never-made", "half-removed"):
        (agent.state / "models" / name / "units").mkdir(parents=True)
    (agent.state / "models/half-removed/store.db-wal").touch()
    agent.start()
    assert folders(agent) == []
    assert [m["short-name"] for m in controller(agent).models()] == ["microstack"]


def test_the_sockets_and_stores_of_models_are_for_root_alone(agent: Agent):
    controller(agent).add_model("other", {})
    (folder,) = folders(agent)
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "store.db").stat().st_mode & 0o077 == 0
