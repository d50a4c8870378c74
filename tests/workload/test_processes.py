"""Waiting for the end of processes, also where the kernel's way to be told of it is forbidden."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from workload.runtime import processes


@pytest.fixture(params=["pidfd_open", "forbidden"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int) -> int:
        raise PermissionError(1, "Operation not permitted")

    if request.param == "forbidden":
        # As by snapd 2.57 in strict confinement.
        monkeypatch.setattr(os, "pidfd_open", refuse)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


@pytest.mark.usefixtures("way")
class TestWait:
    def test_one_that_has_ended_is_not_left_though_nobody_reaped_it(
        self, sleeper: subprocess.Popen[bytes]
    ):
        sleeper.kill()
        assert processes.wait([sleeper.pid], 10) == set()

    def test_one_that_runs_on_is_left(self, sleeper: subprocess.Popen[bytes]):
        assert processes.wait([sleeper.pid], 0.2) == {sleeper.pid}

    def test_processes_that_are_asked_end(self, sleeper: subprocess.Popen[bytes]):
        processes.end([psutil.Process(sleeper.pid)])
        assert not psutil.pid_exists(sleeper.pid) or sleeper.poll() is not None
