"""Folders of services, under the rules of strict confinement."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from workload import render

OWNER = "nobody"


@pytest.fixture
def confined(monkeypatch: pytest.MonkeyPatch) -> None:
    """As AppArmor has it in a snap: root may chown (CAP_CHOWN), but lacks CAP_FOWNER."""
    chmod = Path.chmod

    def own_alone(path: Path, mode: int) -> None:
        if path.stat().st_uid != os.geteuid():
            raise PermissionError(1, "Operation not permitted", str(path))
        chmod(path, mode)

    monkeypatch.setattr(Path, "chmod", own_alone)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder to another account")
@pytest.mark.usefixtures("confined")
def test_a_folder_of_another_account_gets_its_mode_in_strict_confinement(tmp_path: Path):
    folder = tmp_path / "run/memcached"
    for mode in (0o700, 0o700, 0o750):
        render.make_directory(folder, OWNER, mode)
        assert stat.S_IMODE(folder.stat().st_mode) == mode
        assert folder.owner() == OWNER


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder to another account")
def test_root_gets_into_it_by_its_group_where_it_may_pass_over_no_mode(tmp_path: Path):
    render.make_directory(tmp_path / "run/memcached", OWNER, 0o750)
    status = (tmp_path / "run/memcached").stat()
    assert status.st_gid == os.getegid()
    assert status.st_mode & stat.S_IXGRP
