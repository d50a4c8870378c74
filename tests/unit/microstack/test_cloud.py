"""What a cloud is given at the end of `up`, as far as its bundle has the applications for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from machine.client import ActionResult
from microstack import cloud, clouds
from tests.unit.microstack.conftest import FakeMachine, application, document

ACCOUNT = {
    "auth-url": "http://127.0.0.1:5000/v3",
    "username": "admin",
    "password": "secret",
    "project-name": "admin",
    "user-domain-name": "Default",
    "project-domain-name": "Default",
    "region": "RegionOne",
}


class IdentityOnly:
    """A connection to a cloud that has no other service: asking for one is an error."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the cloud has no service {name}")


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Mapping[str, str]:
    addresses = {"identity": ACCOUNT["auth-url"]}

    def endpoints(_connection: object) -> dict[str, str]:
        return dict(addresses)

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(cloud, "connect", IdentityOnly)
    monkeypatch.setattr(cloud, "endpoints", endpoints)
    return addresses


def machine(*names: str) -> FakeMachine:
    applications = {name: application(name) for name in names}
    made = FakeMachine(statuses=[document(**applications)])
    made.result = ActionResult("completed", ACCOUNT, "", (), "1", "keystone/0")
    return made


def set_up(of: FakeMachine) -> list[str]:
    return cloud.set_up(of, Path("/"), None, lambda _: None)


def test_a_bundle_with_keystone_alone_gets_credentials_and_no_word_of_guests(
    identity: Mapping[str, str],
):
    lines = set_up(machine("mariadb", "keystone"))
    assert lines[0] == f"identity  {identity['identity']}"
    assert "clouds.yaml" in lines[1]
    assert len(lines) == 2


def test_a_bundle_without_keystone_has_nothing_to_set_up():
    assert set_up(machine("mariadb", "ovn-central")) == []


class Starting(BaseHTTPRequestHandler):
    """A service that is started again just now: cut off, then there without what it needs."""

    answers: list[int | None]

    def do_GET(self) -> None:
        status = self.answers.pop(0)
        if status is None:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object, **__: object) -> None:
        """Say nothing."""


@pytest.fixture
def starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Starting]]:
    """The cloud's compute service."""
    server = HTTPServer(("127.0.0.1", 0), Starting)
    address = f"http://127.0.0.1:{server.server_port}"
    there = {"auth_type": "none", "endpoint": address, "compute_endpoint_override": address}
    file = tmp_path / "clouds.yaml"
    file.write_text(yaml.safe_dump({"clouds": {cloud.CLOUD: there}}))
    monkeypatch.setattr(clouds, "path", lambda: file)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Starting
    server.shutdown()
    server.server_close()


# openstacksdk 4 warns of what it does itself.
@pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")
def test_a_service_that_is_just_starting_is_asked_again(
    starting: type[Starting], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(cloud.PATIENCE, "connect_retry_delay", 0.01)
    monkeypatch.setitem(cloud.PATIENCE, "status_code_retry_delay", 0.01)
    starting.answers = [None, None, 503, 503, 200]
    client = cloud.connect().config.get_session_client("compute")
    assert client.get("/flavors").status_code == 200
    assert starting.answers == []
