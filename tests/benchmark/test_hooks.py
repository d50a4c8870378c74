"""What a hook costs beyond the charm's own code, three ways, measured in one run.

A charm that does nothing gets config-changed: from an agent that forks it, from an agent that
executes its `dispatch`, and from ops.testing in this very process. The ways take turns, so that
whatever else the machine does disturbs all of them alike. Nothing is asserted of the times.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import ops
from ops import testing

from machine.client import Client, Error
from machine.juju_client import JujuClient
from tests.benchmark.report import host, show, table

CHARMS = Path(__file__).parent / "charms"
CHARM = CHARMS / "idle"
LIB = Path(__file__).parents[2] / "lib"
PATIENCE = 60.0
ROUNDS = 10
A_ROUND = {"fork server": 10, "exec ./dispatch": 2, "ops.testing": 10}


@dataclass
class Way:
    """One way to run an event, and the seconds that each took."""

    run: Callable[[], None]
    took: list[float] = field(default_factory=list)

    def measure(self, count: int) -> None:
        for _ in range(count):
            start = time.perf_counter()
            self.run()
            self.took.append(time.perf_counter() - start)

    @property
    def typical(self) -> float:
        return statistics.median(self.took)


def test_what_a_hook_costs(tmp_path: Path) -> None:
    with ExitStack() as stack:
        clients = {
            "fork server": stack.enter_context(agent(tmp_path / "fork"))[0],
            "exec ./dispatch": stack.enter_context(agent(tmp_path / "exec", "--exec"))[0],
        }
        ways = {name: Way(on_agent(client)) for name, client in clients.items()}
        ways["ops.testing"] = Way(in_process())
        for way in ways.values():
            way.run()
        for _ in range(ROUNDS):
            for name, count in A_ROUND.items():
                ways[name].measure(count)
        for name, client in clients.items():
            ran = [r.outcome for r in client.hooks() if r.hook == "config-changed"]
            assert ran == ["done"] * (2 + ROUNDS * A_ROUND[name]), name
    show(host(), compared(ways))


UNITS = tuple(map(int, os.environ.get("MICROSTACK_UNITS", "5 10 20 40").split()))
"""Sizes of a peer relation; 200 units run 80,401 hooks."""
LEADER_ELECTED = 1
ALONE = 4
"""Hooks of a unit without others: install, config-changed, start and crowd-relation-created."""


def test_what_many_units_cost(tmp_path: Path) -> None:
    """Every unit is told of every other: time shall grow with the hooks, and no faster."""
    rows: list[tuple[object, ...]] = []
    for count in UNITS:
        with agent(tmp_path / str(count), units=0, charm="crowd") as (client, process):
            client.set_model_config({"update-status-hook-interval": "60m"}, [])
            before = cpu_seconds(process.pid)
            start = time.perf_counter()
            client.add_unit("crowd", count)
            client.wait_idle(PATIENCE * count)
            took = time.perf_counter() - start
            own = cpu_seconds(process.pid) - before
            kept = client.hooks()
        assert {record.outcome for record in kept} == {"done"}
        # Not all hooks of many units are kept on record; the last one's number counts them.
        ran = kept[-1].id
        joined_and_changed = 2 * count * (count - 1)
        assert ran == joined_and_changed + ALONE * count + LEADER_ELECTED
        each = (f"{seconds * 1000 / ran:.2f}" for seconds in (took, own))
        rows.append((count, ran, f"{took:.1f}", *each))
    head = ("units", "hooks", "seconds", "ms a hook", "of these the agent's CPU")
    show(host(), table(head, rows))


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, without that of its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compared(ways: Mapping[str, Way]) -> str:
    """Return the table; the ratio says how many times as long as in the fork server."""
    forked = ways["fork server"].typical
    rows = [
        (
            name,
            len(way.took),
            f"{way.typical * 1000:.1f}",
            f"{min(way.took) * 1000:.1f}",
            f"{1 / way.typical:.0f}",
            f"{way.typical / forked:.2f}",
        )
        for name, way in ways.items()
    ]
    head = ("config-changed by", "events", "median ms", "least ms", "events/s", "to fork server")
    return table(head, rows)


def on_agent(client: Client) -> Callable[[], None]:
    """An event as a user causes it: an option is set, and the unit has settled again."""
    ticks = itertools.count(1)

    def run() -> None:
        client.set_config("idle", {"tick": next(ticks)})
        client.wait_idle(PATIENCE)

    return run


def in_process() -> Callable[[], None]:
    """The same event in ops.testing."""
    context = testing.Context(load_charm())
    ticks = itertools.count(1)

    def run() -> None:
        context.run(context.on.config_changed(), testing.State(config={"tick": next(ticks)}))

    return run


def load_charm() -> type[ops.CharmBase]:
    spec = importlib.util.spec_from_file_location("idle_charm", CHARM / "src/charm.py")
    assert spec and spec.loader
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.IdleCharm


@contextmanager
def agent(
    folder: Path, *options: str, charm: str = "idle", units: int = 1
) -> Iterator[tuple[JujuClient, subprocess.Popen[bytes]]]:
    """An agent with settled units of a charm."""
    folder.mkdir()
    socket = folder / "socket"
    command = [sys.executable, "-m", "machine", "agent", "--state", str(folder / "state")]
    command += ["--socket", str(socket), *options]
    env = {"PYTHONPATH": str(LIB), "PATH": os.environ["PATH"]}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        client = JujuClient(socket)
        until_it_answers(client)
        bundle = folder / "bundle.yaml"
        text = f"applications: {{{charm}: {{charm: {CHARMS / charm}, num_units: {units}}}}}"
        bundle.write_text(text)
        client.deploy(bundle)
        client.wait_idle(PATIENCE)
        yield client, process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def until_it_answers(client: Client) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            client.status()
            return
        except Error:
            assert time.monotonic() < deadline, "the agent does not answer"
            time.sleep(0.02)
