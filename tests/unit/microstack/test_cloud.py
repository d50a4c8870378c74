"""What a cloud is given at the end of `up`, as far as its bundle has the applications for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from machine.client import ActionResult
from microstack import cloud
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
