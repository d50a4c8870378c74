"""Under snapd the same engine follows snap config, with services controlled by snapctl."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workload import snapctl
from workload.host.things import File
from workload.ledger import Ledger

SNAPCTL = """\
#!/bin/sh
folder=$(dirname "$0")
case $1 in
get) cat "$folder/config.json" ;;
*) echo "$@" >>"$folder/calls" ;;
esac
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    program = tmp_path / "bin/snapctl"
    program.parent.mkdir()
    program.write_text(SNAPCTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    for name in ("SNAP", "SNAP_DATA", "SNAP_COMMON"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))

    def run(config: dict[str, Any], hook: str = "configure", code: int = 0) -> list[str]:
        calls = program.parent / "calls"
        calls.write_text("")
        (program.parent / "config.json").write_text(json.dumps(config))
        assert snapctl.main([hook]) == code
        return calls.read_text().splitlines()

    return run


def test_a_fresh_snap_runs_nothing(run: Callable[..., list[str]]):
    assert run({}, "install") == []


def test_a_service_is_enabled_and_started_once_its_config_is_complete(
    run: Callable[..., list[str]], tmp_path: Path
):
    assert run({"memcached": {"enabled": False}}) == []
    assert run({"memcached": {"enabled": True}}) == ["start --enable microstack.memcached"]
    assert list((tmp_path / "SNAP_COMMON/etc/memcached").iterdir())


def test_only_a_change_restarts(run: Callable[..., list[str]]):
    run({"memcached": {"enabled": True}})
    assert run({"memcached": {"enabled": True}}) == []
    assert run({"memcached": {"enabled": True, "memory": 64}}) == ["restart microstack.memcached"]


def test_a_service_whose_config_goes_is_stopped_and_disabled(run: Callable[..., list[str]]):
    run({"memcached": {"enabled": True}})
    assert run({}) == ["stop --disable microstack.memcached"]


def test_a_refused_value_is_told_and_changes_nothing(
    run: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
):
    assert run({"memcached": {"enabled": True, "port": "x"}}, code=1) == []
    assert "memcached.port: Input should be a valid integer" in capsys.readouterr().err


def test_removing_the_snap_undoes_the_ledger(run: Callable[..., list[str]], tmp_path: Path):
    ledger = Ledger(tmp_path / "SNAP_COMMON/ledger.jsonl")
    path = tmp_path / "made"
    ledger.make("test", File(path=path), path.touch)
    run({}, "remove")
    assert not path.exists()
