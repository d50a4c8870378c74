"""The inside of the snap without snapd: its variables, and a stand-in for `snapctl`."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from workload.layout import Layout, SnapLayout
from workload.service_table import ServiceTable
from workload.snapd import hooks

PROGRAM = Path(__file__).with_name("snapctl")
SNAPCRAFT = Path(__file__).parents[2] / "snap/snapcraft.yaml"
TABLE = ServiceTable.load(SNAPCRAFT)
MEMCACHED = {"memcached": {"enabled": True}}
PASSWORD = "a8f4c0e1d2"
DATABASE = {"admin-password": PASSWORD}


class Snapd:
    """What the stand-in for snapctl was told, and what it tells."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "snapd.json"
        services = {name: [False, False] for name in TABLE.services}
        self._write({"config": {}, "services": services, "busy": 0, "calls": []})

    @property
    def state(self) -> dict[str, Any]:
        return json.loads(self._path.read_text())

    @property
    def config(self) -> dict[str, Any]:
        return self.state["config"]

    def run(self, hook: str, code: int = 0, **changes: Any) -> list[str]:
        """Run a hook with this state changed first; return what was done with services."""
        self._write({**self.state, "calls": [], **changes})
        assert hooks.main([hook]) == code
        return self.calls("start", "stop", "restart")

    def calls(self, *actions: str) -> list[str]:
        return [call for call in self.state["calls"] if call.split()[0] in actions]

    def be_busy(self, calls: int) -> None:
        self._write({**self.state, "busy": calls})

    def be_late(self, calls: int) -> None:
        self._write({**self.state, "late": calls})

    def _write(self, state: dict[str, Any]) -> None:
        self._path.write_text(json.dumps(state))


def enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Make this process one that snapd runs in the snap; return its layout."""
    program = tmp_path / "bin/snapctl"
    program.parent.mkdir()
    shutil.copy(PROGRAM, program)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    for name, folder in (("SNAP_DATA", "x1"), ("SNAP_COMMON", "common")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setenv("SNAP", "/snap/microstack/x1")
    # The snap has them there; its accounts are not on a machine that tests.
    monkeypatch.setattr(SnapLayout, "snapcraft", SNAPCRAFT)
    monkeypatch.setattr(SnapLayout, "account", lambda _self, _name: None)
    monkeypatch.setattr(hooks, "LIBVIRT_RUN", tmp_path / "run-libvirt")
    monkeypatch.setattr(hooks, "IPTABLES_LOCK", tmp_path / "xtables.lock")
    return Layout.from_environment()
