"""In the snap, guests get AppArmor profiles of their own, as far as the host lets them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workload.host import guest_profiles
from workload.host.things import GuestProfiles, Profile, apparmor
from workload.layout import Layout, SnapLayout
from workload.ledger import Ledger


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A snap with a template, a parser that notes what it is told, and a kernel's list."""
    templates = tmp_path / "snap/usr/share/apparmor.d"
    (templates / "libvirt").mkdir(parents=True)
    (templates / "libvirt/TEMPLATE.qemu").write_text("profile LIBVIRT_TEMPLATE {\n}\n")
    parser = tmp_path / "bin/apparmor_parser"
    parser.parent.mkdir()
    parser.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/parsed\n')
    parser.chmod(0o755)
    monkeypatch.setenv("PATH", f"{parser.parent}:{os.environ['PATH']}")
    profiles = tmp_path / "profiles"
    profiles.write_text("snap.microstack.libvirtd (enforce)\n")
    for module in (apparmor, guest_profiles):
        monkeypatch.setattr(module, "PROFILES", profiles)
    monkeypatch.setattr(SnapLayout, "snap", tmp_path / "snap")
    return SnapLayout(tmp_path / "common/appliance", tmp_path / "x1", tmp_path / "common")


@pytest.fixture(autouse=True)
def common(tmp_path: Path) -> None:
    (tmp_path / "common/appliance/run").mkdir(parents=True)


def test_templates_are_laid_out_and_the_profile_that_libvirt_looks_for_is_loaded(
    layout: Layout, tmp_path: Path
):
    guest_profiles.prepare(layout)
    folder = layout.etc / "apparmor.d"
    assert "LIBVIRT_TEMPLATE" in (folder / "libvirt/TEMPLATE.qemu").read_text()
    parsed = (tmp_path / "parsed").read_text()
    assert parsed == f"--replace --skip-cache {folder}/microstack-libvirtd\n"
    made = [line.made for line in Ledger(layout.ledger).entries()]
    assert made == [GuestProfiles(folder=folder / "libvirt"), Profile(name="libvirtd")]


def test_the_profile_of_the_hosts_own_libvirt_serves_and_stays(layout: Layout, tmp_path: Path):
    guest_profiles.PROFILES.write_text("libvirtd (enforce)\n")
    guest_profiles.prepare(layout)
    assert not (tmp_path / "parsed").exists()
    assert len(Ledger(layout.ledger).entries()) == 1


def test_a_kernel_without_apparmor_is_told_and_keeps_nothing_from_starting(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(Layout, "from_environment", lambda: layout)
    guest_profiles.main()
    assert layout.guests_confined.exists()
    guest_profiles.PROFILES.unlink()
    guest_profiles.main()
    assert not layout.guests_confined.exists()
    assert capsys.readouterr().err.startswith("guests run unconfined: AppArmor: ")


def test_what_the_parser_finds_wrong_is_told(layout: Layout, tmp_path: Path):
    parser = tmp_path / "bin/apparmor_parser"
    parser.write_text("#!/bin/sh\necho Warning >&2; echo 'syntax error in line 3' >&2; exit 1\n")
    with pytest.raises(guest_profiles.ProfileError, match="syntax error in line 3"):
        guest_profiles.prepare(layout)
