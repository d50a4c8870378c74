"""The agent is killed at every point where it could be, one run for each: all end the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
LIB = HERE.parents[1] / "lib"
BUNDLES = (
    "applications: {db: {charm: CHARMS/db, num_units: 1}}",
    "applications: {web: {charm: CHARMS/web, num_units: 1}}\nrelations: [[db, web]]",
    "applications: {recorder: {charm: CHARMS/recorder, num_units: 1}}",
)
"""What is deployed, one after the other; each is deployed with those before it."""


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """For each step of the model's life the points that it passes, and how each run ended."""
    folder = tmp_path_factory.mktemp("crashes")
    for number in range(1, len(BUNDLES) + 1):
        text = "\n---\n".join(BUNDLES[:number]).replace("CHARMS", str(HERE / "charms"))
        (folder / f"{number}.yaml").write_text(text)
    out = folder / "out.json"
    environment = {"PYTHONPATH": str(LIB), "PATH": os.environ["PATH"]}
    # Each process here has one thread that forks: the warning is about others.
    command = [sys.executable, "-W", "ignore", HERE / "crashes.py", folder, out]
    subprocess.run(command, env=environment, check=True, timeout=1200)
    return json.loads(out.read_text())


def test_every_hook_boundary_and_every_tool_call_is_a_point(steps: list[dict[str, Any]]):
    points = Counter(point for step in steps for point in step["points"])
    hooks = Counter(steps[-1]["undisturbed"]["hooks"])
    assert len(hooks) > 20
    for hook, times in hooks.items():
        for outcome in ("running", "done"):
            for when in ("before", "after"):
                assert points[f"{when} commit of {hook} {outcome}"] == times
    tools = {point for point in points if point.startswith("tool ")}
    assert tools >= {
        "tool relation-set",
        "tool secret-add",
        "tool secret-grant",
        "tool status-set",
    }
    assert [len(step["ends"]) for step in steps] == [len(step["points"]) for step in steps]


def test_the_agent_was_killed_once_in_each_run(steps: list[dict[str, Any]]):
    assert {end["killed"] for step in steps for end in step["ends"]} == {1}
    assert {step["undisturbed"]["killed"] for step in steps} == {0}


@pytest.mark.parametrize("what", ["hooks", "model"])
def test_all_runs_end_the_same(steps: list[dict[str, Any]], what: str):
    """No hook is lost, none counts twice, and what they wrote is there in whole."""
    for step in steps:
        for point, end in zip(step["points"], step["ends"], strict=True):
            assert (point, end[what]) == (point, step["undisturbed"][what])
