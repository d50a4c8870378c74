"""Probes, against servers on loopback; waiting for one is bounded."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from charmbase.probes import All, Http, Present, Tcp, UnixSocket, wait
from workload.config.glance import GlanceConfig


class Api(BaseHTTPRequestHandler):
    statuses: list[int]

    def do_GET(self) -> None:
        self.send_response(self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def api() -> Iterator[GlanceConfig]:
    with HTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield GlanceConfig(port=server.server_port)
        server.shutdown()
        thread.join()


@pytest.fixture
def nobody() -> GlanceConfig:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return GlanceConfig(port=server.getsockname()[1])


@pytest.mark.parametrize(
    ("status", "answers"), [(200, True), (300, True), (401, True), (503, False)]
)
def test_an_api_answers_with_any_status_but_a_servers_error(
    api: GlanceConfig, status: int, answers: bool
) -> None:
    Api.statuses = [status]
    assert Http(path="/v3").answers(api) is answers


def test_where_nobody_listens_nothing_answers(nobody: GlanceConfig) -> None:
    assert not Tcp().answers(nobody)
    assert not Http().answers(nobody)


def test_waits_until_the_service_answers(api: GlanceConfig) -> None:
    Api.statuses = [503, 503, 200]
    assert wait(Http(), api, 5)


def test_gives_up_when_the_time_is_over(nobody: GlanceConfig) -> None:
    assert not wait(Tcp(), nobody, 0.1)


def test_a_unix_socket_is_below_the_snaps_common_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNAP_COMMON", str(tmp_path))
    probe = UnixSocket("nb.sock")
    assert not probe.answers(GlanceConfig())
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "nb.sock"))
        server.listen()
        assert probe.answers(GlanceConfig())
    assert probe.target(GlanceConfig()) == f"{tmp_path}/nb.sock"


def test_a_service_that_prepares_is_ready_once_its_file_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNAP_COMMON", str(tmp_path))
    probe = Present("ready", "cinder-volume")
    assert not probe.answers(None)
    assert probe.fault(None) == "cinder-volume is not ready"
    (tmp_path / "ready").touch()
    assert probe.answers(None)


def test_of_several_probes_those_that_do_not_answer_are_named(
    api: GlanceConfig, nobody: GlanceConfig
) -> None:
    Api.statuses = [200]
    both = All((Http(), UnixSocket("gone.sock")))
    assert not both.answers(api)
    assert both.target(api).endswith("gone.sock")
    assert "http" not in both.target(api)


def test_an_error_is_told_from_silence(api: GlanceConfig, nobody: GlanceConfig) -> None:
    Api.statuses = [500]
    both = All((Http(), Http(path="/v3")))
    assert both.fault(api) == ", ".join(
        f"http://127.0.0.1:{api.port}{path} answers 500" for path in ("/", "/v3")
    )
    Api.statuses = [200]
    assert Http().fault(api).endswith("/ took too long to answer")
    assert Http().fault(nobody) == f"http://127.0.0.1:{nobody.port}/ does not answer"
