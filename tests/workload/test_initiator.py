"""Sessions with the appliance's own targets are ended, and nobody else's."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from workload.host import initiator
from workload.host.initiator import SessionError

OWN = "iqn.2010-10.org.openstack.microstack:"

TOOL = """\
#!/bin/sh
# In the place of `with-initiator`: ends a session as the kernel would, or refuses.
[ "$1" = iscsiadm ] || {{
    echo "$*" >> "{folder}/calls"
    [ ! -e "{folder}/serving" ] || mv "{folder}/serving" "{folder}/sockets"
    exec sleep 60
}}
[ ! -e "{folder}/refuse" ] || {{ echo "iscsiadm: session is busy" >&2; exit 15; }}
[ ! -e "{folder}/unknown" ] || {{ rm "{folder}/unknown"; exit 8; }}
rm -r "{folder}/sessions/session$5"
echo "$*" >> "{folder}/calls"
"""


@pytest.fixture
def snap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`$SNAP` on a host where iscsid runs."""
    tool = tmp_path / initiator.TOOLS
    tool.parent.mkdir()
    tool.write_text(TOOL.format(folder=tmp_path))
    tool.chmod(0o755)
    sockets = tmp_path / "sockets"
    sockets.write_text(f"0000: 00000002 00000000 00010000 0001 01 8 {initiator.DAEMON}\n")
    monkeypatch.setattr(initiator, "SOCKETS", sockets)
    monkeypatch.setattr(initiator, "SESSIONS", tmp_path / "sessions")
    monkeypatch.setattr(initiator, "KNOWN_TIMEOUT", 0.6)
    return tmp_path


@pytest.fixture
def session(snap: Path) -> Callable[[int, str], None]:
    def make(number: int, target: str) -> None:
        folder = snap / f"sessions/session{number}"
        folder.mkdir(parents=True)
        (folder / "targetname").write_text(f"{target}\n")

    return make


def test_only_the_appliances_sessions_end(snap: Path, session: Callable[[int, str], None]):
    session(1, f"{OWN}volume-1")
    session(2, "iqn.2003-01.com.example:disk")
    session(3, f"{OWN}volume-3")
    initiator.end(OWN, snap)
    assert [path.name for path in (snap / "sessions").iterdir()] == ["session2"]
    assert (snap / "calls").read_text().splitlines() == [
        "iscsiadm --mode session --sid 1 --logout",
        "iscsiadm --mode session --sid 3 --logout",
    ]


def test_without_a_session_nothing_is_run(snap: Path):
    initiator.end(OWN, snap)
    assert not (snap / "calls").exists()


def test_a_disk_counts_as_used_while_qemu_has_its_locks_on_it(
    snap: Path, session: Callable[[int, str], None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(initiator, "DEVICES", snap / "dev")
    (snap / "dev").mkdir()
    for number, disk in ((1, "sda"), (2, "sdb"), (3, "sdc")):
        session(number, f"{OWN}volume-{number}" if number != 3 else "iqn.2003-01.com.example:x")
        at = f"sessions/session{number}/device/target0:0:0/0:0:0:0/block/{disk}"
        (snap / at).mkdir(parents=True)
        (snap / "dev" / disk).touch()
    with ExitStack() as stack:
        for disk in ("sdb", "sdc"):
            file = stack.enter_context((snap / "dev" / disk).open("rb"))
            # A reader's lock, which QEMU has for each permission that it uses.
            lock = struct.pack("hhlli", fcntl.F_RDLCK, os.SEEK_SET, 201, 1, 0)
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, lock)
        assert initiator.used(OWN) == [snap / "dev/sdb"]
    assert initiator.used(OWN) == []


def test_a_daemon_may_need_a_moment_until_it_knows_older_sessions(
    snap: Path, session: Callable[[int, str], None]
):
    session(1, f"{OWN}volume-1")
    (snap / "unknown").touch()
    initiator.end(OWN, snap)
    assert initiator.sessions(OWN) == {}


def test_a_session_that_resists_is_named(snap: Path, session: Callable[[int, str], None]):
    session(1, f"{OWN}volume-1")
    (snap / "refuse").touch()
    with pytest.raises(SessionError, match=rf"{OWN}volume-1: iscsiadm: session is busy"):
        initiator.end(OWN, snap)


def test_where_no_daemon_runs_one_is_started(snap: Path, session: Callable[[int, str], None]):
    session(1, f"{OWN}volume-1")
    initiator.SOCKETS.rename(snap / "serving")
    initiator.SOCKETS.touch()
    initiator.end(OWN, snap)
    started = (snap / "calls").read_text().splitlines()[0]
    assert started == f"{snap}/usr/sbin/iscsid --foreground"


def test_where_no_daemon_runs_one_must_serve(
    snap: Path, session: Callable[[int, str], None], monkeypatch: pytest.MonkeyPatch
):
    session(1, f"{OWN}volume-1")
    initiator.SOCKETS.write_text("")
    monkeypatch.setattr(initiator, "START_TIMEOUT", 0.2)
    with pytest.raises(SessionError, match="iscsid does not start"):
        initiator.end(OWN, snap)
