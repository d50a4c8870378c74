"""Whatever is made on the host is in the ledger first, and undone from it in reverse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workload.host import mounts, things
from workload.host.things import AnyThing, Directory, File
from workload.ledger import Ledger, LedgerError


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def make_file(ledger: Ledger, path: Path, owner: str = "test") -> bool:
    return ledger.make(owner, File(path=path), path.touch)


def make_folder(ledger: Ledger, path: Path) -> bool:
    return ledger.make("test", Directory(path=path), path.mkdir)


def test_a_thing_is_in_the_ledger_before_it_is_made(ledger: Ledger, tmp_path: Path):
    path = tmp_path / "f"
    seen: list[AnyThing | None] = []

    def create() -> None:
        assert not path.exists()
        seen.extend(line.made for line in ledger.entries())

    ledger.make("test", File(path=path), create)
    assert seen == [File(path=path)]


def test_things_are_undone_in_reverse(ledger: Ledger, tmp_path: Path):
    make_folder(ledger, tmp_path / "d")
    make_file(ledger, tmp_path / "d/f")
    assert ledger.describe() == [f"file {tmp_path}/d/f", f"folder {tmp_path}/d"]
    ledger.undo()
    assert not (tmp_path / "d").exists()
    assert ledger.describe() == []


def test_what_was_there_before_is_left_alone(ledger: Ledger, tmp_path: Path):
    path = tmp_path / "theirs"
    path.touch()
    assert not make_file(ledger, path)
    ledger.undo()
    assert path.exists()


def test_making_a_thing_again_is_one_entry(ledger: Ledger, tmp_path: Path):
    assert make_file(ledger, tmp_path / "f")
    assert make_file(ledger, tmp_path / "f")
    assert len(ledger.entries()) == 1


def test_a_thing_that_was_undone_can_be_made_again(ledger: Ledger, tmp_path: Path):
    for _ in range(2):
        make_file(ledger, tmp_path / "f")
        ledger.undo()
    assert not (tmp_path / "f").exists()


def test_what_resists_stays_in_the_ledger_and_the_rest_is_undone(ledger: Ledger, tmp_path: Path):
    make_folder(ledger, tmp_path / "d")
    (tmp_path / "d/theirs").touch()
    make_file(ledger, tmp_path / "f")
    with pytest.raises(LedgerError, match=r"folder .*d: .*not empty"):
        ledger.undo()
    assert ledger.describe() == [f"folder {tmp_path}/d"]
    assert not (tmp_path / "f").exists()


def test_one_service_undoes_what_is_its_own(ledger: Ledger, tmp_path: Path):
    make_file(ledger, tmp_path / "a", owner="one")
    make_file(ledger, tmp_path / "b", owner="two")
    ledger.undo("one")
    assert ledger.describe() == [f"file {tmp_path}/b"]


def test_what_was_never_made_is_undone_without_fuss(ledger: Ledger, tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        ledger.make("test", File(path=tmp_path / "f"), _interrupt)
    ledger.undo()
    assert ledger.entries() == []


def test_a_line_that_power_cut_short_counts_for_nothing(ledger: Ledger, tmp_path: Path):
    make_file(ledger, tmp_path / "a")
    with (tmp_path / "ledger.jsonl").open("a") as stream:
        stream.write('{"id":2,"owner":"te')
    make_file(ledger, tmp_path / "b")
    lines = (tmp_path / "ledger.jsonl").read_text().splitlines()
    assert [json.loads(line)["made"]["path"][-1] for line in lines] == ["a", "b"]


def test_the_ledger_is_roots_alone(ledger: Ledger, tmp_path: Path):
    make_file(ledger, tmp_path / "a")
    assert (tmp_path / "ledger.jsonl").stat().st_mode & 0o777 == 0o600


def _interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel's list of AppArmor's profiles."""
    profiles = tmp_path / "profiles"
    profiles.write_text("libvirtd (enforce)\nlibvirt-1-a (enforce)\nlibvirt-2-b (complain)\n")
    monkeypatch.setattr(things.apparmor, "PROFILES", profiles)
    monkeypatch.setattr(things.apparmor, "PROFILE_REMOVAL", tmp_path / ".remove")
    return profiles


def test_a_profile_is_unloaded_by_its_name(loaded: Path):
    profile = things.Profile(name="libvirtd")
    assert profile.exists()
    profile.undo()
    assert loaded.with_name(".remove").read_text() == "libvirtd"
    assert not things.Profile(name="libvirt").exists()


def test_profiles_of_guests_are_those_that_have_a_file_and_are_loaded(
    loaded: Path, tmp_path: Path
):
    for name in ("libvirt-1-a", "libvirt-1-a.files", "libvirt-3-c", "TEMPLATE.qemu"):
        (tmp_path / name).touch()
    profiles = things.GuestProfiles(folder=tmp_path)
    assert profiles.exists()
    profiles.undo()
    assert loaded.with_name(".remove").read_text() == "libvirt-1-a"
    loaded.unlink()
    assert not profiles.exists()


@pytest.mark.parametrize(
    ("shown", "name"), [(r"a\040b\134c", r"a b\c"), ("größe\u00a0", "größe\u00a0")]
)
def test_a_folder_in_which_something_is_mounted_stays_whatever_its_name(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: str, name: str
):
    monkeypatch.setattr(mounts, "TABLE", tmp_path / "mounts")
    (tmp_path / "mounts").write_text(f"tmpfs {tmp_path}/{shown}/below tmpfs rw 0 0\n")
    folder = tmp_path / name
    ledger.make("test", Directory(path=folder, contents=True), folder.mkdir)
    with pytest.raises(LedgerError, match="below is still mounted"):
        ledger.undo()
    assert folder.exists()
