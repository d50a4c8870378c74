"""Stop, start, kills at any moment, and removal: the host is as it was found."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.cloud.conftest import Microstack, collect_host
from tests.cloud.guests import wait_until
from tests.cloud.host_state import HostState
from workload.layout import Layout
from workload.runtime import processes

SEED = 20
MARK = "microstack_first_migration"
KILLS = 6
FEWEST_KILLS = 4
"""A fast machine may be done before the last moment comes."""
LONGEST_UP = 900.0


def test_remove_leaves_the_host_as_it_was_found(cloud: Microstack, host_before: HostState) -> None:
    listed = cloud("remove", "--dry-run").stdout
    assert "br-ex" in listed
    cloud("remove", "--yes")
    assert host_before.difference(collect_host()) == {}


def test_up_survives_a_power_cut_within_migrations(
    cloud: Microstack, host_before: HostState
) -> None:
    """All processes are killed while schemas are half made, as MariaDB cannot undo them."""
    chance = random.Random(SEED)
    tables = chance.randint(5, 50)
    layout = Layout.from_environment()
    folder = layout.snap_common / "lib/mariadb/data"
    with cloud.begun("up"):
        wait_until(
            lambda: len(list(folder.glob("nova*/*.frm"))) >= tables, "half a schema", LONGEST_UP
        )
        marked = list(folder.glob(f"*/{MARK}.frm"))
        for process in (*processes.supervisord(layout), *processes.of_appliance(layout)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    assert marked
    cloud("up")
    assert cloud.unsettled() == {}
    assert not list(folder.glob(f"*/{MARK}.frm"))
    cloud("remove", "--yes")


def test_up_survives_the_agent_being_killed(cloud: Microstack, host_before: HostState) -> None:
    """kill -9 of the agent at random moments of `up`, then `up` again: the cloud comes up."""
    chance = random.Random(SEED)
    moments = sorted(chance.uniform(2, 30) for _ in range(KILLS))
    with cloud.begun("up") as up:
        killed = list(kill_agent_at(moments, up))
        output, _ = up.communicate(timeout=LONGEST_UP)
    assert len(killed) >= FEWEST_KILLS, output
    cloud("up")
    assert cloud.unsettled() == {}, output


def test_up_survives_being_interrupted(cloud: Microstack) -> None:
    with cloud.begun("up") as up:
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=60)
    cloud("up")
    assert cloud.unsettled() == {}


def test_remove_after_faults_leaves_nothing_either(
    cloud: Microstack, host_before: HostState
) -> None:
    cloud("remove", "--yes")
    assert host_before.difference(collect_host()) == {}


def kill_agent_at(moments: list[float], up: subprocess.Popen[str]) -> Iterator[int]:
    """Kill the machine agent at these seconds of `up`'s run; yield the process ids."""
    began = time.monotonic()
    for moment in moments:
        with contextlib.suppress(subprocess.TimeoutExpired):
            up.wait(max(0.0, moment - (time.monotonic() - began)))
            return  # it has ended: what comes later could not interrupt it
        agent = wait_for_agent()
        agent.kill()
        yield agent.pid


def wait_for_agent() -> psutil.Process:
    """Return the agent's process, waiting for its supervisor to have started it."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for process in psutil.process_iter(["cmdline"]):
            if (process.info["cmdline"] or [])[1:4] == ["-m", "machine", "agent"]:
                return process
    pytest.fail("no machine agent within 30 s")
