"""What the interoperability guideline says of volumes, where volumes can be had: in the rig."""

from __future__ import annotations

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
TIMEOUT = 7200.0
ARTEFACTS = CHECKOUT / "tests/artefacts"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("rig")
    snap = folder / "snap"
    snap.mkdir()
    environment.prepare_tests(snap, CHECKOUT, print)  # inside there is no network
    with cloud_in(folder) as cloud:
        yield cloud


def test_all_that_must_pass_of_volumes_does(cloud: Cloud) -> None:
    told = cloud.microstack(f"test {GUIDELINE} --include {shlex.quote(VOLUMES)} -j 1", TIMEOUT)
    ARTEFACTS.mkdir(exist_ok=True)
    (ARTEFACTS / "volume-validation.txt").write_text(told)
    total = next(line.split() for line in told.splitlines() if line.startswith("total"))
    assert total[1:] == [str(LISTED), "0", "0"]
    cloud.volumes("nothing")
