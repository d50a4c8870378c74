"""The embedded snapd, spoken to by the library that charms use, unmodified."""

from __future__ import annotations

import socket
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from charmlibs import snap
from charmlibs.snap import _client

from tests.workload import sample
from workload.config import RELEASE
from workload.layout import Layout
from workload.runtime.server import Api, Server
from workload.runtime.services import Process, State
from workload.runtime.snap import Snap
from workload.service_table import ServiceTable

TABLE = ServiceTable.parse(
    "apps:\n"
    + "".join(
        f"  {name}:\n    command: bin/{name}\n    daemon: simple\n"
        for name in ("web", "worker", "cache", "setup")
    )
    + "  migrate:\n    command: bin/migrate\n"
)


class Supervisor:
    """Believes that every service does as it is told."""

    def __init__(self) -> None:
        self.started: dict[str, int] = {}

    def processes(self) -> dict[str, Process]:
        return {
            name: Process(State.RUNNING if name in self.started else State.STOPPED, 0.0, 7, 0, "")
            for name in TABLE.services
        }

    def was_started(self) -> set[str]:
        return set(self.started)

    def apply(self, *, start: Sequence[str], restart: Sequence[str], stop: Sequence[str]) -> None:
        self.stop(stop)
        for name in (*start, *restart):
            self.started[name] = self.started.get(name, 0) + 1

    def stop(self, names: Collection[str]) -> None:
        for name in names:
            self.started.pop(name, None)

    def events(self) -> list[Any]:
        return []


@pytest.fixture
def supervisor() -> Supervisor:
    return Supervisor()


@pytest.fixture(autouse=True)
def snapd(
    layout: Layout, templates: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    layout.run.mkdir()
    layout.service_log.mkdir()
    engine = Snap(layout, sample.ALL.values(), TABLE, supervisor, templates)
    monkeypatch.setattr(_client, "_SOCKET_PATH", str(layout.snapd_socket))
    with Server(layout, Api(engine, layout)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield
        server.shutdown()
        thread.join()


COMPLETE: Mapping[str, Any] = {
    "web.database.username": "web",
    "web.database.password": "secret",
    "web.schema-release": RELEASE,
}


def test_what_was_set_is_read_back():
    snap.set("microstack", {"web.database.username": "web", "cache": {"memory": 16}})
    assert snap.get("microstack") == {
        "web": {"database": {"username": "web"}},
        "cache": {"memory": 16},
    }
    assert snap.get("microstack", ["web.database", "cache.memory"]) == {
        "web.database": {"username": "web"},
        "cache.memory": 16,
    }
    assert snap.get_one("microstack", "cache.memory") == 16


def test_services_run_when_set_returns(supervisor: Supervisor):
    snap.set("microstack", dict(COMPLETE))
    assert supervisor.started == {"web": 1, "worker": 1}


def test_null_unsets_and_a_mapping_replaces():
    snap.set("microstack", dict(COMPLETE))
    snap.set("microstack", {"web.database.password": None})
    snap.unset("microstack", "web.schema-release")
    assert snap.get("microstack") == {"web": {"database": {"username": "web"}}}
    snap.set("microstack", {"web.database": {"host": "db"}})
    assert snap.get_one("microstack", "web.database") == {"host": "db"}
    snap.unset("microstack", "web.database.host")
    assert snap.get("microstack") == {}


def test_a_refused_value_is_an_error_with_the_reason_and_nothing_is_set(supervisor: Supervisor):
    with pytest.raises(snap.ChangeError, match=r"web\.port: .*less than or equal to 65535"):
        snap.set("microstack", {**COMPLETE, "web.port": 99999})
    assert snap.get("microstack") == {}
    assert supervisor.started == {}


@pytest.mark.parametrize("key", ["web.Port", "web..port", "cache.memory.size"])
def test_a_key_that_snapd_would_not_take_is_refused(key: str):
    snap.set("microstack", {"cache.memory": 16})
    with pytest.raises(snap.ChangeError, match=r"invalid option name|is not a map"):
        snap.set("microstack", {key: 1})


def test_an_option_without_value_is_not_found():
    with pytest.raises(snap.OptionNotFoundError):
        snap.get("microstack", "web.port")


def test_another_snap_is_not_installed():
    for call in (
        lambda: snap.get("lxd"),
        lambda: snap.set("lxd", {"a": 1}),
        lambda: snap.start("lxd", "daemon"),
        lambda: snap.list_one("lxd"),
        lambda: snap.logs("lxd"),
    ):
        with pytest.raises(snap.NotInstalledError):
            call()


def test_an_installed_snap_is_neither_installed_nor_refreshed_again():
    assert not snap.ensure_installed("microstack", "latest/stable")
    assert not snap.install("microstack")
    assert snap.list_one("microstack").version == RELEASE
    snap.hold("microstack")


def test_services_are_started_stopped_and_restarted_by_name(supervisor: Supervisor):
    snap.set("microstack", dict(COMPLETE))
    snap.restart("microstack", "web")
    assert supervisor.started == {"web": 2, "worker": 1}
    snap.stop("microstack", ["web", "worker"])
    assert supervisor.started == {}
    snap.start("microstack")
    assert supervisor.started == {"web": 1, "worker": 1}


def test_a_service_that_a_user_stopped_stays_so_when_config_changes(supervisor: Supervisor):
    snap.set("microstack", dict(COMPLETE))
    snap.stop("microstack", "web")
    snap.set("microstack", {"web.port": 8001})
    assert supervisor.started == {"worker": 2}
    snap.start("microstack", "web")
    assert supervisor.started == {"worker": 2, "web": 1}


def test_an_unknown_service_is_named():
    with pytest.raises(snap.AppNotFoundError, match=r"no service .*webb"):
        snap.start("microstack", "webb")


def test_starting_a_service_that_waits_for_config_fails_with_the_keys():
    with pytest.raises(snap.ChangeError, match="web waits for web"):
        snap.start("microstack", "web")


def test_logs_of_all_services_are_merged_by_time(layout: Layout):
    for name, lines in (("web", "01 a\n03 c\nmore of c\n"), ("worker", "02 b\n04 d\n")):
        stamped = "".join(
            f"2026-01-31 12:00:{line}\n" if line[0] == "0" else f"{line}\n"
            for line in lines.splitlines()
        )
        (layout.service_log / f"{name}.log").write_text(stamped)
    messages = [(entry.sid, entry.message[-1:]) for entry in snap.logs("microstack", limit=4)]
    assert messages == [
        ("microstack.worker", "b"),
        ("microstack.web", "c"),
        ("microstack.web", "c"),
        ("microstack.worker", "d"),
    ]


def test_the_socket_and_the_stored_secrets_are_roots_alone(layout: Layout):
    snap.set("microstack", dict(COMPLETE))
    for path in (layout.snapd_socket, layout.snap_config, layout.digests):
        assert path.stat().st_mode & 0o077 == 0
    assert "secret" not in layout.digests.read_text()


def test_a_client_that_goes_away_leaves_no_traceback(
    layout: Layout,
    supervisor: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    asked, gone, ended = threading.Event(), threading.Event(), threading.Event()
    processes = supervisor.processes

    def late() -> dict[str, Process]:
        asked.set()
        assert gone.wait(10)
        return processes()

    def end(server: Server, request: Any) -> None:
        Server.close_request(server, request)
        ended.set()

    monkeypatch.setattr(supervisor, "processes", late)
    monkeypatch.setattr(Server, "shutdown_request", end)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(layout.snapd_socket))
        client.sendall(b"GET /v2/apps HTTP/1.0\r\n\r\n")
        assert asked.wait(10)
    gone.set()
    assert ended.wait(10)
    assert capsys.readouterr().err == ""
