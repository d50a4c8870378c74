"""What the record of starts has when supervisord's events come late."""

from __future__ import annotations

import pytest

from workload.layout import Layout
from workload.runtime.supervisor import Supervisor
from workload.service_table import ServiceTable

TABLE = """\
apps:
  web:
    command: bin/web
    daemon: simple
"""
STARTED, STOPPED = "PROCESS_STATE_STARTING", "PROCESS_STATE_STOPPED"
WEB = {"processname": "web"}


@pytest.fixture
def supervisor(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    layout.snapcraft.parent.mkdir(parents=True)
    layout.snapcraft.write_text(TABLE)
    layout.run.mkdir(parents=True, exist_ok=True)

    def accepted(*_: object) -> bool:
        return True

    monkeypatch.setattr("workload.runtime.supervisor.call", accepted)
    return Supervisor(layout, ServiceTable.load(layout.snapcraft))


def starts(supervisor: Supervisor) -> list[bool]:
    """Of each start on record, whether somebody asked for it."""
    return [event.asked for event in supervisor.events() if event.state == "STARTING"]


def test_two_starts_asked_for_before_the_first_is_told_are_two(supervisor: Supervisor):
    supervisor.start(["web"])
    supervisor.start(["web"])
    for event in (STARTED, STOPPED, STARTED):
        supervisor.on_event(event, WEB)
    assert starts(supervisor) == [True, True]


def test_a_start_that_nobody_asked_for_is_on_record_too(supervisor: Supervisor):
    supervisor.start(["web"])
    for event in (STARTED, STARTED):
        supervisor.on_event(event, WEB)
    assert starts(supervisor) == [True, False]
