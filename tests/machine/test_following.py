"""Applications whose charms come with the software of the host follow what is installed there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.machine.agents import CHARMS, Agent

BUNDLE = "applications: {db: {charm: %s, num_units: 1}}"


@pytest.fixture
def charms(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CHARMS / "db", tmp_path / "charms/db")).parent


@pytest.fixture
def agent(tmp_path: Path, charms: Path) -> Iterator[Agent]:
    """One that was given the folder, with a unit of a charm in it."""
    agent = Agent(tmp_path, "--charms", str(charms))
    agent.start()
    agent.deploy(BUNDLE % (charms / "db"))
    agent.settle()
    yield agent
    agent.close()


def change(charm: Path) -> None:
    (charm / "src/added.py").write_text("")


def start_again(agent: Agent) -> list[str]:
    """Stop and start the agent; return the hooks that ran since."""
    before = len(agent.client.hooks())
    agent.stop()
    agent.start()
    agent.settle()
    return [record.hook for record in agent.client.hooks()[before:]]


def test_another_version_is_taken_up_as_after_a_refresh(agent: Agent, charms: Path):
    change(charms / "db")
    assert start_again(agent) == ["upgrade-charm", "config-changed"]
    assert (agent.charm("db/0") / "src/added.py").exists()


def test_the_same_version_runs_no_hook(agent: Agent):
    assert start_again(agent) == []


def test_a_charm_from_elsewhere_is_the_users_to_refresh(
    agent: Agent, charms: Path, tmp_path: Path
):
    mine = Path(shutil.copytree(CHARMS / "web", tmp_path / "mine"))
    agent.deploy(f"applications: {{web: {{charm: {mine}, num_units: 1}}}}")
    agent.settle()
    change(mine)
    assert start_again(agent) == []


def rename(charm: Path) -> None:
    (charm / "charmcraft.yaml").write_text("name: other")


def malform(charm: Path) -> None:
    (charm / "charmcraft.yaml").write_text("[")


@pytest.mark.parametrize("damage", [shutil.rmtree, rename, malform])
def test_a_charm_that_cannot_take_its_place_leaves_it_as_it_is(
    agent: Agent, charms: Path, damage: Callable[[Path], None]
):
    damage(charms / "db")
    assert start_again(agent) == []
    assert agent.unit("db/0")["workload-status"]["current"] == "active"
