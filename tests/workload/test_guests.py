"""Guests are asked to shut down before libvirt is stopped, and cut off when they do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workload.host import guests

VIRSH = """\
#!/bin/sh
cd "$(dirname "$0")"
case $1 in
list) ls guests ;;
shutdown) [ "$2" = stubborn ] || rm "guests/$2" ;;
destroy) echo "$3" >>destroyed; rm "guests/$3" ;;
esac
"""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "guests").mkdir()
    (tmp_path / "virsh").write_text(VIRSH)
    (tmp_path / "virsh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def test_guests_that_obey_are_not_cut_off(host: Path):
    (host / "guests/one").touch()
    (host / "guests/two").touch()
    assert guests.shut_down() == []
    assert not (host / "destroyed").exists()


def test_a_guest_that_does_not_obey_in_time_is_cut_off(host: Path):
    (host / "guests/one").touch()
    (host / "guests/stubborn").touch()
    assert guests.shut_down(timeout=0.3) == ["stubborn"]
    assert (host / "destroyed").read_text() == "stubborn\n"


def test_starting_the_service_touches_no_guest(host: Path):
    (host / "guests/one").touch()
    assert guests.main([]) == 0
    assert guests.running() == ["one"]
