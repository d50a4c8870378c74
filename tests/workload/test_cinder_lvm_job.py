"""The job that makes and removes storage: what it answers the charm."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from workload.host import lvm
from workload.host.block_storage import OWNER, BlockStorage
from workload.host.things import VolumeGroup
from workload.jobs import cinder_lvm
from workload.ledger import Ledger

USAGE = {"size-mib": 19000, "data-percent": 1, "metadata-percent": 2}


@pytest.fixture
def torn_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Storage on the disk `sdb`; each time that it is removed, whether by force."""
    removals: list[bool] = []

    def teardown(_: BlockStorage, *, force: bool = False) -> None:
        removals.append(force)

    monkeypatch.setenv("SNAP", str(tmp_path))
    monkeypatch.setenv("SNAP_COMMON", str(tmp_path))
    monkeypatch.setattr(BlockStorage, "setup", lambda *_, **__: None)
    monkeypatch.setattr(BlockStorage, "usage", lambda _: USAGE)
    monkeypatch.setattr(BlockStorage, "teardown", teardown)
    group = VolumeGroup(name=lvm.GROUP, device=tmp_path / "sdb", system_dir=tmp_path)
    Ledger(tmp_path / "ledger.jsonl").make(OWNER, group, lambda: None)
    return removals


@pytest.fixture
def run(
    torn_down: list[bool], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    def answer(command: str, **parameters: object) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["cinder-lvm", command])
        monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(parameters)))
        cinder_lvm.main()
        return json.loads(capsys.readouterr().out)

    return answer


def test_storage_that_is_there_says_where_and_which_device_is_not_used(run: Any, tmp_path: Path):
    made = {"volume-group": lvm.GROUP, "thin-pool": lvm.POOL, "on": f"{tmp_path}/sdb", **USAGE}
    assert run("setup", size="20G") == made
    assert run("setup", device=f"{tmp_path}/sdb") == made
    assert run("setup", device="/dev/sdc") == {**made, "unused": "/dev/sdc"}


@pytest.mark.parametrize(
    ("device", "elsewhere", "removed"),
    [
        (None, False, True),
        ("sdb", False, True),
        ("sdc", False, False),
        ("sdb", True, False),
        ("sdc", True, True),
    ],
)
def test_storage_is_removed_where_it_is_meant(
    run: Any,
    torn_down: list[bool],
    tmp_path: Path,
    device: str | None,
    elsewhere: bool,
    removed: bool,
):
    path = "" if device is None else str(tmp_path / device)
    answer = run("teardown", device=path, elsewhere=elsewhere, force=True)
    assert answer == {"removed": removed}
    assert torn_down == [True] * removed
