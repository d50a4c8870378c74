"""The embedded snapd keeps the contract that the rig holds a real one to."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.snapd_contract import SnapdContract, lead_to
from workload.components import ALL
from workload.layout import Layout
from workload.runtime.server import Api, Server
from workload.runtime.services import Process, State
from workload.runtime.snap import Snap
from workload.service_table import ServiceTable

TABLE = ServiceTable.load(Path(__file__).parents[2] / "snap/snapcraft.yaml")


class Services:
    """Believes that every service does as it is told."""

    def __init__(self) -> None:
        self._started: set[str] = set()

    def processes(self) -> dict[str, Process]:
        return {
            name: Process(State.RUNNING if name in self._started else State.STOPPED, 0, 7, 0, "")
            for name in TABLE.services
        }

    def was_started(self) -> set[str]:
        return self._started

    def apply(self, *, start: Sequence[str], restart: Sequence[str], stop: Sequence[str]) -> None:
        self._started = self._started - set(stop) | {*start, *restart}

    def stop(self, names: Collection[str]) -> None:
        self._started = self._started - set(names)

    def events(self) -> list[Any]:
        return []


class TestEmbedded(SnapdContract):
    @pytest.fixture
    def port(self, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        layout.run.mkdir()
        layout.service_log.mkdir()
        # Its accounts need not be on a machine that tests.
        monkeypatch.setattr(Layout, "account", lambda _self, _name: None)
        lead_to(layout.snapd_socket, monkeypatch)
        engine = Snap(layout, ALL.values(), TABLE, Services())
        with Server(layout, Api(engine, layout)) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            yield
            server.shutdown()
            thread.join()
