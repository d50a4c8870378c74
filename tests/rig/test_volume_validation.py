"""What the interoperability guideline says of volumes, where volumes can be had: in the rig.

They are on storage of Juju's; `test_volumes.py` has them on the charm's backing file.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

import pytest

from microstack import environment
from tests.rig.cloud_machine import Cloud, cloud_in
from tests.rig.machine import CHECKOUT

GUIDELINE = "interop-2020.06"
"""It has all that the one before has."""

VOLUMES = r"^tempest\.api\.(volume|compute\.volumes)\."
LISTED = 56
"""Tests of it that want volumes, of which two attach one to a guest."""
SCENARIO = r"tempest\.scenario\.test_volume_boot_pattern"
TIMEOUT = 7200.0
OVERLAY = "tests/rig/juju_storage.yaml"
TOLD = CHECKOUT / "tests/artefacts/volume-validation.txt"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("rig")
    snap = folder / "snap"
    snap.mkdir()
    TOLD.unlink(missing_ok=True)
    environment.prepare_tests(snap, CHECKOUT, print)  # inside there is no network
    with cloud_in(folder, OVERLAY) as cloud:
        yield cloud


def test_volumes_are_on_the_storage_that_juju_attached(cloud: Cloud) -> None:
    (storage,) = json.loads(cloud.microstack("juju storage --format json"))["storage"].items()
    assert storage[0] == "block-device/0"
    assert storage[1]["status"]["current"] == "attached"
    (file,) = cloud.machine.check("losetup --noheadings --output BACK-FILE").split()
    assert file.endswith("/storage/block-device-0.img")


def test_all_that_must_pass_of_volumes_does(cloud: Cloud) -> None:
    counted = validated(cloud, GUIDELINE, f"--include {shlex.quote(VOLUMES)}")
    assert counted == [str(LISTED), "0", "0"]


def test_guests_boot_from_volumes_in_every_way_of_tempests_scenario(cloud: Cloud) -> None:
    passed, failed, _ = validated(cloud, SCENARIO)
    assert int(passed) > 0
    assert failed == "0"


def test_rally_makes_volumes_and_attaches_each_to_a_guest(cloud: Cloud) -> None:
    options = "scenario=volume times=2 concurrency=1 --wait 2h"
    told = cloud.microstack(f"run tempest/0 benchmark {options}", TIMEOUT)
    keep(told)
    assert "2 done, 0 failed" in told
    cloud.volumes("nothing")


def validated(cloud: Cloud, wanted: str, options: str = "") -> list[str]:
    """Run tests, keep what they tell, and return how many passed, failed and were skipped."""
    told = cloud.microstack(f"test {shlex.quote(wanted)} -j 1 {options}", TIMEOUT)
    keep(told)
    cloud.volumes("nothing")
    return next(line.split()[1:] for line in told.splitlines() if line.startswith("total"))


def keep(told: str) -> None:
    """Add to what is left of the run."""
    TOLD.parent.mkdir(exist_ok=True)
    with TOLD.open("a") as file:
        file.write(told)
