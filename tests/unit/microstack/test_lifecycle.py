from __future__ import annotations

from pathlib import Path

import pytest

from microstack import lifecycle
from microstack.cli import run
from microstack.errors import Failure
from workload.host import mounts
from workload.ledger import Ledger, LedgerError

from .conftest import FakeInstallation

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def up(installation: FakeInstallation) -> FakeInstallation:
    """An installation with state on disk, and a cloud in clouds.yaml beside another."""
    for path in installation.contents:
        path.mkdir(parents=True)
    for path in (installation.layout.snap_config, installation.lock):
        path.rmdir()
        path.touch()
    clouds = Path.home() / ".config/openstack/clouds.yaml"
    clouds.parent.mkdir(parents=True)
    clouds.write_text("clouds:\n  mine:\n    region_name: a\n  microstack:\n    region_name: b\n")
    installation.done.append("start")
    return installation


def test_a_dry_run_lists_everything_and_does_nothing(
    up: FakeInstallation, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ledger, "describe", lambda _: ["address 10.20.20.1/24 on br-ex"])
    assert run(["remove", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["stop all services and guests", "undo: address 10.20.20.1/24 on br-ex"]
    assert f"take the cloud microstack out of {Path.home()}/.config/openstack/clouds.yaml" in lines
    assert f"delete {up.layout.machine_state}" in lines
    assert up.layout.machine_state.exists()
    assert up.done == ["start"]


def test_remove_stops_undoes_forgets_and_deletes(up: FakeInstallation) -> None:
    assert run(["remove", "--yes"]) == 0
    assert up.done == ["start", "stop"]
    assert not up.layout.root.exists()
    clouds = (Path.home() / ".config/openstack/clouds.yaml").read_text()
    assert "mine" in clouds
    assert "microstack" not in clouds


def test_what_cannot_be_undone_keeps_the_ledger_for_the_next_try(
    up: FakeInstallation, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resist(_: Ledger) -> None:
        raise LedgerError("device br-ex: busy")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "undo", resist)
        assert run(["remove", "--yes"]) == 1
    assert "error: not all could be undone: device br-ex: busy" in capsys.readouterr().err
    assert up.layout.snap_common.exists()
    assert run(["remove", "--yes"]) == 0
    assert not up.layout.root.exists()


def test_an_interrupted_remove_says_that_it_can_go_on(
    up: FakeInstallation, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: FakeInstallation) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FakeInstallation, "stop", interrupt)
    assert run(["remove", "--yes"]) == 130
    assert "hint: ./microstack remove goes on" in capsys.readouterr().err


def test_with_nobody_to_ask_nothing_is_removed(up: FakeInstallation) -> None:
    assert run(["remove"]) == 2
    assert up.layout.root.exists()


def test_what_others_put_below_the_root_stays(up: FakeInstallation) -> None:
    mine = up.layout.root / "notes.txt"
    mine.write_text("mine")
    assert run(["remove", "--yes"]) == 0
    assert mine.read_text() == "mine"


def test_links_are_deleted_not_what_they_point_to(up: FakeInstallation, tmp_path: Path) -> None:
    kept = tmp_path / "usr"
    kept.mkdir()
    (up.layout.snap / "usr").symlink_to(kept)
    assert run(["remove", "--yes"]) == 0
    assert kept.exists()


def test_nothing_is_deleted_below_a_mount(
    up: FakeInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = up.layout.snap_common / "lib"
    monkeypatch.setattr(mounts, "mount_points", lambda: [Path("/"), mounted])
    with pytest.raises(Failure, match="is still mounted"):
        lifecycle.undo(up)
    assert all(path.exists() for path in up.contents)


def test_without_an_installation_there_is_nothing_to_remove(
    installation: FakeInstallation, capsys: Captured
) -> None:
    assert run(["remove", "--yes"]) == 0
    assert capsys.readouterr().out == "there is nothing to remove\n"


@pytest.mark.parametrize("command", ["stop", "logs"])
def test_what_is_not_there_is_said_to_be_so(
    installation: FakeInstallation, capsys: Captured, command: str
) -> None:
    assert run([command]) == 1
    assert "hint: ./microstack up" in capsys.readouterr().err
    assert not installation.layout.root.exists()


def test_start_needs_something_to_start(installation: FakeInstallation, capsys: Captured) -> None:
    assert run(["start"]) == 1
    assert "hint: ./microstack up" in capsys.readouterr().err


def test_stop_and_start(up: FakeInstallation) -> None:
    assert run(["stop"]) == 0
    assert run(["start"]) == 0
    assert up.done == ["start", "stop", "start"]
