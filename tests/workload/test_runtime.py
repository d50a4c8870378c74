"""The snap runtime, with real supervisord and tiny services."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import psutil
import pytest
from tenacity import Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from workload.config import RELEASE
from workload.layout import Layout
from workload.runtime import boot, processes
from workload.runtime.client import Client, ClientError
from workload.runtime.programs import LISTENER
from workload.runtime.status import ServiceStatus
from workload.runtime.supervisor import call

TABLE = """\
apps:
  setup:
    command: bin/setup
    daemon: oneshot
    stop-command: bin/undo
  web:
    command: bin/web $SNAP_COMMON/etc/web/web.conf
    daemon: simple
    after: [setup]
  worker:
    command: bin/worker
    daemon: simple
    stop-mode: sigterm
  cache:
    command: bin/cache
    daemon: simple
  greet:
    command: bin/greet $SNAP_COMMON
    environment:
      GREETING: "100% $SNAP_NAME"
"""
SCRIPTS = {
    "setup": "sleep 0.1; date +%s.%N >$SNAP_COMMON/setup",
    "undo": "echo undone >$SNAP_COMMON/undone",
    "web": 'date +%s.%N >$SNAP_COMMON/web; echo "2026-01-31 12:00:00.5 serving"; exec sleep 600',
    # A guest: in a session of its own, out of its parent's sight.
    "worker": "setsid sh -c 'sleep 601 & echo $! >$SNAP_COMMON/guest'; exec sleep 602",
    "cache": "setsid sleep 603 & echo dying >&2; exit 7",
    "greet": 'echo "$GREETING, $1, $2"; umask',
}
COMPLETE = {
    "host.debug": False,
    "web.database": {"username": "w", "password": "p"},
    "web.schema-release": RELEASE,
}


def eventually(condition: Callable[[], object]) -> None:
    retrying = Retrying(
        retry=retry_if_not_result(bool), wait=wait_fixed(0.02), stop=stop_after_delay(30)
    )
    retrying(condition)


@pytest.fixture
def layout(layout: Layout) -> Layout:
    (layout.snap / "bin").mkdir(parents=True)
    (layout.snap / "snap").mkdir()
    layout.snapcraft.write_text(TABLE)
    for name, body in SCRIPTS.items():
        path = layout.snap / "bin" / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    return layout


@pytest.fixture
def start(layout: Layout, templates: Path) -> Iterator[Callable[[], Client]]:
    def start() -> Client:
        boot.start(layout, components="tests.workload.sample", templates=templates)
        return Client(layout.snapd_socket)

    yield start
    boot.stop(layout)
    assert processes.of_appliance(layout) == []


def service(client: Client, name: str) -> ServiceStatus:
    return next(status for status in client.services() if status.name == name)


def test_a_service_runs_once_its_config_is_complete(start: Callable[[], Client]):
    client = start()
    assert service(client, "web").missing == ("web",)
    client.set_config(COMPLETE)
    web = service(client, "web")
    assert (web.state, web.missing) == ("active", ())
    eventually(lambda: psutil.Process(web.pid).cmdline() == ["sleep", "600"])


def test_what_is_started_after_a_oneshot_waits_for_its_end(
    start: Callable[[], Client], layout: Layout
):
    start().set_config({**COMPLETE, "cache.memory": 16})
    written = [layout.snap_common / name for name in ("setup", "web")]
    eventually(lambda: all(path.exists() and path.read_text() for path in written))
    times = [float(path.read_text()) for path in written]
    assert times == sorted(times)


def test_only_a_change_restarts_and_the_record_of_starts_says_when(start: Callable[[], Client]):
    client = start()
    client.set_config(COMPLETE)
    pid = service(client, "web").pid
    client.set_config(COMPLETE)
    assert service(client, "web").pid == pid
    client.set_config({"web.port": 8001})
    assert service(client, "web").pid != pid
    starts = [
        event.time
        for event in client.events()
        if (event.service, event.state) == ("web", "STARTING")
    ]
    assert len(starts) == 2
    assert starts == sorted(starts)


def test_another_program_is_started_anew_and_the_rest_runs_on(
    start: Callable[[], Client], layout: Layout
):
    client = start()
    client.set_config(COMPLETE)
    before = {name: service(client, name).pid for name in ("web", "worker")}
    start()
    assert {name: service(client, name).pid for name in before} == before
    with (layout.snap / "bin/web").open("a") as script:
        script.write("# of another checkout\n")
    start()
    assert service(client, "web").pid != before["web"]
    assert service(client, "worker").pid == before["worker"]


def test_a_refused_value_names_the_key_and_changes_nothing(start: Callable[[], Client]):
    client = start()
    client.set_config(COMPLETE)
    before = client.config()
    with pytest.raises(ClientError, match=r"web.port: Input should be a valid integer.*got str"):
        client.set_config({"web.port": "http", "web.debug": True})
    assert client.config() == before
    assert service(client, "web").state == "active"


def test_a_service_that_dies_again_and_again_says_how_and_shows_its_log(
    start: Callable[[], Client],
):
    client = start()
    client.set_config({"cache.memory": 16})
    eventually(lambda: service(client, "cache").deaths > 1)
    cache = service(client, "cache")
    assert cache.state in ("restarting", "active")
    assert cache.reason == "exit status 7"
    eventually(lambda: "dying" in service(client, "cache").lines)


def test_the_last_lines_of_a_log_come_with_the_time_they_say(start: Callable[[], Client]):
    client = start()
    client.set_config(COMPLETE)
    eventually(lambda: list(client.logs(["web"])))
    (line,) = client.logs(["web"])
    assert line.message == "2026-01-31 12:00:00.5 serving"
    assert line.time.timestamp() == datetime(2026, 1, 31, 12, 0, 0, 500000).timestamp()


def test_new_lines_are_followed(start: Callable[[], Client], layout: Layout):
    client = start()
    lines = client.logs(["web"], lines=0, follow=True)
    with ThreadPoolExecutor() as pool:
        following = pool.submit(next, lines)
        # The line may come before anybody looks, so it is written until it was seen.
        log = layout.service_log / "web.log"

        def seen() -> bool:
            with log.open("a") as stream:
                stream.write("hello\n")
            return following.done()

        eventually(seen)
    assert following.result().message == "hello"


def test_guests_outlive_a_restart_of_their_service_but_not_the_appliance(
    start: Callable[[], Client], layout: Layout
):
    client = start()
    client.set_config(COMPLETE)
    file = layout.snap_common / "guest"
    eventually(lambda: file.exists() and file.read_text())
    guest = psutil.Process(int(file.read_text()))
    client.restart(["worker"])
    assert guest.is_running()
    boot.stop(layout)
    assert processes.wait([guest.pid], 5) == set()


def test_stopping_a_service_ends_the_daemons_it_left_behind(
    start: Callable[[], Client], layout: Layout
):
    client = start()
    client.set_config({"cache.memory": 16})
    eventually(lambda: processes.of_service(layout, "cache"))
    client.stop(["cache"])
    assert processes.of_service(layout, "cache") == []
    assert service(client, "cache").state == "stopped"


def test_stop_runs_stop_commands_and_ends_everything(start: Callable[[], Client], layout: Layout):
    client = start()
    client.set_config({**COMPLETE, "cache.memory": 16})
    boot.stop(layout)
    assert (layout.snap_common / "undone").exists()
    assert not boot.is_running(layout)
    assert processes.of_appliance(layout) == []
    boot.stop(layout)


def test_restarting_everything_undoes_no_oneshot(start: Callable[[], Client], layout: Layout):
    client = start()
    client.set_config(COMPLETE)
    web = service(client, "web").pid
    client.restart()
    assert service(client, "web").pid not in (0, web)
    assert not (layout.snap_common / "undone").exists()


def test_the_next_start_brings_back_what_ran_and_not_what_was_disabled(
    start: Callable[[], Client], layout: Layout
):
    client = start()
    client.set_config(COMPLETE)
    client.stop(["worker"], disable=True)
    boot.stop(layout)
    client = start()
    eventually(lambda: service(client, "web").state == "active")
    assert service(client, "worker").state == "stopped"
    assert not service(client, "worker").enabled
    client.start(["worker"], enable=True)
    assert service(client, "worker").state == "active"


def test_a_service_that_waits_for_config_cannot_be_started(start: Callable[[], Client]):
    client = start()
    client.set_config({"web.database.username": "w"})
    with pytest.raises(ClientError, match=r"web waits for web\.database\.password"):
        client.start(["web"])


def test_leftovers_of_a_killed_supervisor_are_ended_before_the_next_start(
    start: Callable[[], Client], layout: Layout
):
    client = start()
    client.set_config(COMPLETE)
    file = layout.snap_common / "guest"
    eventually(lambda: file.exists() and file.read_text())
    guest = psutil.Process(int(file.read_text()))
    orphan = psutil.Process(service(client, "web").pid)
    (daemon,) = processes.supervisord(layout)
    daemon.kill()
    processes.wait([daemon.pid], 5)
    client = start()
    assert processes.wait([orphan.pid], 5) == set()
    assert guest.is_running()
    eventually(lambda: service(client, "web").state == "active")


def test_leftovers_that_no_longer_carry_the_marker_are_ended_too(
    start: Callable[[], Client], layout: Layout
):
    """Programs that show a title of their own write it over their environment."""
    web = layout.snap / "bin/web"
    web.write_text('#!/bin/sh\nexec env -i /bin/sh -c "sleep 604 & wait"\n')
    client = start()
    client.set_config(COMPLETE)
    main = psutil.Process(service(client, "web").pid)
    eventually(main.children)
    (child,) = main.children()
    assert processes.marker_of(child) is None
    (supervisord,) = processes.supervisord(layout)
    supervisord.kill()
    processes.wait([supervisord.pid], 5)
    boot.stop(layout)
    assert processes.wait([main.pid, child.pid], 5) == set()


def test_a_killed_snapd_comes_back_and_leaves_services_alone(
    start: Callable[[], Client], layout: Layout
):
    client = start()
    client.set_config(COMPLETE)
    pid = service(client, "web").pid
    kill_snapd(layout)
    client = start()
    assert service(client, "web").pid == pid


def test_a_killed_snapd_still_knows_what_became_of_services(
    start: Callable[[], Client], layout: Layout
):
    client = start()
    client.set_config({**COMPLETE, "cache.memory": 16})
    eventually(lambda: service(client, "cache").deaths > 1)
    eventually(lambda: service(client, "setup").state == "finished")
    client.stop(["setup", "worker"])
    before = client.events()
    kill_snapd(layout)

    client = start()
    after = client.events()
    assert after[: len(before)] == before
    assert service(client, "setup").state == "stopped"
    assert service(client, "worker").state == "stopped"
    cache = service(client, "cache")
    assert cache.deaths > 1
    assert cache.reason == "exit status 7"


def test_what_happens_while_snapd_is_away_is_told_once_it_is_back(
    start: Callable[[], Client], layout: Layout
):
    client = start()
    client.set_config(COMPLETE)
    eventually(lambda: states(client, "web")[-1] == "RUNNING")
    web = service(client, "web")
    call(layout, "stopProcess", LISTENER)
    os.kill(web.pid, signal.SIGKILL)
    eventually(lambda: call(layout, "getProcessInfo", "web")["pid"] not in (0, web.pid))
    client = start()
    eventually(lambda: states(client, "web")[-3:] == ["EXITED", "STARTING", "RUNNING"])
    assert service(client, "web").deaths == 1


def kill_snapd(layout: Layout) -> None:
    (snapd,) = processes.of_service(layout, "snapd")
    os.kill(snapd.pid, signal.SIGKILL)
    processes.wait([snapd.pid], 5)


def states(client: Client, name: str) -> list[str]:
    """Return the states that a service has come through."""
    return [event.state for event in client.events() if event.service == name]


def test_start_brings_back_a_snapd_that_supervisord_has_given_up(
    start: Callable[[], Client], layout: Layout
):
    start()
    call(layout, "stopProcess", LISTENER)
    assert service(start(), "setup").name == "setup"


def test_commands_of_the_snap_run_with_its_environment(
    start: Callable[[], Client], layout: Layout
):
    start()
    result = subprocess.run(
        [layout.bin / "microstack.greet", "you"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "elsewhere"},
    )
    assert result.stdout == f"100% microstack, {layout.snap_common}, you\n0077\n"


def test_a_changed_table_reaches_a_running_appliance(start: Callable[[], Client], layout: Layout):
    client = start()
    client.set_config({**COMPLETE, "cache.memory": 16})
    worker = service(client, "worker").pid
    web = service(client, "web").pid
    layout.snapcraft.write_text(TABLE.replace("web.conf", "web.conf --more"))
    client = start()
    eventually(lambda: service(client, "web").pid not in (0, web))
    assert service(client, "worker").pid == worker
