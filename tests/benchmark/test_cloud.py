"""A cloud on this host from nothing to a guest: how long, how much memory, how much CPU time.

Root, and a host with no cloud on it. Nothing is asserted but success: a slower machine is no
failure. The cloud is removed at the end, whatever happened.
"""

from __future__ import annotations

import os
import re
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from machine.client import Client
from tests.benchmark.report import host, show, table
from tests.cloud.conftest import Microstack
from workload.detect import kvm_starts_guests
from workload.layout import Layout
from workload.runtime import processes
from workload.runtime.client import Client as Runtime

SUBSTRATE = ("machine", "snapd", "supervisord")
Row = tuple[str, str]


@dataclass(frozen=True)
class Used:
    """What one process of the cloud uses.

    Attributes:
        service: the service that it belongs to.
        pss: proportional set size in MiB: what it has for itself, and its share of the rest.
        own: seconds of CPU time.
        children: seconds of CPU time of its children that have ended.
    """

    service: str
    pss: float
    own: float
    children: float


@pytest.fixture
def microstack() -> Iterator[Microstack]:
    """The command line on a host that has no cloud, and has none again afterwards."""
    if os.geteuid() != 0:
        pytest.skip("brings a cloud up on this host, which needs root")
    if Layout.from_environment().root.exists():
        pytest.fail("a cloud is here already: ./microstack remove --yes")
    command = Microstack()
    try:
        yield command
    finally:
        command("remove", "--yes")


def test_from_nothing_to_a_guest(microstack: Microstack) -> None:
    layout = Layout.from_environment()
    microstack("prepare", timeout=3600)
    rows, used = measured(microstack, layout)
    took, _ = timed(microstack, "remove", "--yes")
    rows.append(("`remove`", seconds(took)))
    assert not layout.root.exists()
    show(host(), table(("measured", "value"), rows), by_service(used))


def measured(microstack: Microstack, layout: Layout) -> tuple[list[Row], list[Used]]:
    total, log = timed(microstack, "up")
    again, _ = timed(microstack, "up")
    used = list(usage(layout))
    hooks = of_hooks(Client(layout.machine_socket))
    rows = [
        ("`up` to all applications active", seconds(moment(log, "making networks"))),
        ("`up` to the endpoints", seconds(total)),
        ("second `up`, nothing to do", seconds(again)),
        *of_launch(microstack),
        ("memory without guests (PSS)", f"{sum(u.pss for u in used) / 1024:.2f} GiB"),
        *of_cpu(used),
        *hooks,
    ]
    return rows, used


def timed(microstack: Microstack, *arguments: str) -> tuple[float, str]:
    """Run a command; return its seconds and what it printed."""
    start = time.monotonic()
    done = microstack(*arguments, timeout=3600)
    return time.monotonic() - start, done.stdout + done.stderr


def moment(log: str, step: str) -> float:
    """Return the second at which a step began, as a command's log tells."""
    found = re.search(rf"^\[ *([\d.]+) s\] {step}", log, re.MULTILINE)
    assert found, f"no step {step!r} in:\n{log}"
    return float(found.group(1))


def seconds(value: float) -> str:
    return f"{value:.1f} s"


def of_launch(microstack: Microstack) -> list[Row]:
    how = "KVM" if kvm_starts_guests() else "software emulation"
    total, log = timed(microstack, "launch", "t1", "--wait")
    return [
        (f"`launch` to ACTIVE ({how})", seconds(moment(log, "waiting for ssh"))),
        (f"`launch` to ssh ({how})", seconds(total)),
    ]


def of_hooks(client: Client) -> list[Row]:
    took = [r.ended - r.started for r in client.hooks() if r.ended is not None]
    return [
        ("hooks", str(len(took))),
        ("a hook, median", f"{statistics.median(took) * 1000:.0f} ms"),
        ("all hooks, one after another", seconds(sum(took))),
    ]


def of_cpu(used: Sequence[Used]) -> list[Row]:
    """Split CPU time; the children of the fork servers are hooks, with the jobs they run."""
    machine = [u for u in used if u.service == "machine"]
    around = [u for u in used if u.service in SUBSTRATE[1:]]
    services = [u for u in used if u.service not in SUBSTRATE]
    return [
        ("CPU time of agent and fork servers", seconds(sum(u.own for u in machine))),
        ("CPU time of hooks and their jobs", seconds(sum(u.children for u in machine))),
        ("CPU time of snap runtime and supervisord", seconds(sum(u.own for u in around))),
        ("CPU time of services", seconds(sum(u.own + u.children for u in services))),
    ]


def usage(layout: Layout) -> Iterator[Used]:
    """Look at every process of the cloud; one that is just ending is skipped."""
    services = Runtime(layout.snapd_socket).services()
    mains = {service.pid: service.name for service in services if service.pid}
    for process in (*processes.supervisord(layout), *processes.of_appliance(layout)):
        with suppress(psutil.Error, OSError):
            times = process.cpu_times()
            yield Used(
                service_of(process, layout, mains),
                pss(process.pid),
                times.user + times.system,
                times.children_user + times.children_system,
            )


def service_of(process: psutil.Process, layout: Layout, mains: Mapping[int, str]) -> str:
    """Return the service of a process, by its main process or by the marker nearest above it.

    Fork servers have no environment but their own, and some services write over theirs.
    """
    for above in (process, *process.parents()):
        if above.pid in mains:
            return mains[above.pid]
        if marked := processes.marker_of(above):
            return marked.removesuffix(f"@{layout.root}")
    return "supervisord"


def pss(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found.group(1)) / 1024 if found else 0.0


def by_service(used: Sequence[Used]) -> str:
    """Return the processes' use, added up for each service, the largest first."""
    rows: list[tuple[str, int, float, float]] = []
    for service in {u.service for u in used}:
        own = [u for u in used if u.service == service]
        cpu = sum(u.own + u.children for u in own)
        rows.append((service, len(own), sum(u.pss for u in own), cpu))
    rows.sort(key=lambda row: -row[2])
    lines = [(name, count, f"{mib:.0f}", f"{cpu:.1f}") for name, count, mib, cpu in rows]
    return table(("service", "processes", "PSS MiB", "CPU s with ended children"), lines)
