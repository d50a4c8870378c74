"""The appliance's snap, refreshed from one with OpenStack's release before, on a real snapd.

One machine serves all tests, in their order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import tenacity

from tests.rig.appliance import (
    PARTS,
    REQUIREMENTS,
    SNAP,
    awaited_token,
    booted,
    build,
    deploy,
    given,
    plugs,
)
from tests.rig.snapd_host import NAME, PATIENCE, Host
from tests.upgrade import former_release
from tests.upgrade.former_release import FORMER
from workload.config import RELEASE

FORMER_SNAP = "former.snap"
KEPT = ("mariadb", "rabbitmq", "memcached", "keystone")
LOG = "/var/snap/microstack/common/log/keystone-bootstrap.log"

pytestmark = REQUIREMENTS

awaited = tenacity.retry(
    retry=tenacity.retry_if_exception_type(AssertionError),
    stop=tenacity.stop_after_delay(PATIENCE),
    wait=tenacity.wait_fixed(1),
    reraise=True,
)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("machine")
    former = former_snap(tmp_path_factory.mktemp("former"))
    with booted(folder, memory="6G", more={FORMER_SNAP: former}) as host:
        host.install(FORMER_SNAP)
        host.connect(plugs())
        deploy(host, *KEPT)
        yield host


def former_snap(folder: Path) -> Path:
    if snap := given("MICROSTACK_FORMER_SNAP"):
        return snap
    return build(folder / "out", PARTS, former_release.make(folder / "checkout"))


def keystone(host: Host) -> dict[str, str]:
    """Return release, status and message of Keystone's application."""
    told = host.machine.run(NAME, "status", "--format", "json", timeout=PATIENCE).output
    application = json.loads(told)["applications"]["keystone"]
    status = application["application-status"]
    return {
        "version": application["version"],
        "current": status["current"],
        "message": status.get("message", ""),
    }


def migrated(host: Host) -> str:
    """Return when the job that migrates was run last."""
    return host.machine.run("stat", "--format", "%Y", LOG).output


@awaited
def await_status(host: Host, version: str, current: str) -> None:
    assert (keystone(host)["version"], keystone(host)["current"]) == (version, current)


def test_the_former_release_is_up(host: Host):
    assert keystone(host)["version"] == FORMER
    assert host.get("keystone.schema-release") == FORMER
    assert awaited_token(host)


def test_a_refresh_brings_the_release_with_its_schema_by_itself(host: Host):
    before = migrated(host)
    host.install(SNAP)
    await_status(host, RELEASE, "active")
    assert host.get("keystone.schema-release") == RELEASE
    assert awaited_token(host)
    assert migrated(host) != before


def test_the_schema_is_migrated_once(host: Host):
    before = migrated(host)
    deploy(host, *KEPT)
    assert migrated(host) == before


def test_a_revert_to_the_former_release_says_that_there_is_no_way_back(host: Host):
    before = migrated(host)
    host.snap("revert", NAME)
    await_status(host, FORMER, "blocked")
    assert f"no way back to {FORMER}: refresh to {RELEASE} again" in keystone(host)["message"]
    assert not host.active("keystone")
    assert migrated(host) == before


def test_refreshed_again_all_is_as_it_was(host: Host):
    host.install(SNAP)
    await_status(host, RELEASE, "active")
    assert awaited_token(host)
