"""What the charm has the command `microstack` do, with a program in its place."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location(
    "appliance_workload", Path(__file__).parents[2] / "src/appliance.py"
)
assert _spec is not None and _spec.loader is not None
appliance = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(appliance)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = tmp_path / "microstack"
    script.touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return script


def test_the_administrators_account_is_what_keystones_action_gives(command: Path):
    command.write_text('#!/bin/sh\n[ "$*" = "run keystone/leader get-admin-account" ] || exit 9\n')
    with command.open("a") as script:
        script.write("echo 'username: admin'\n")
    assert appliance.administrator() == {"username": "admin"}


def test_a_failure_is_told_in_the_commands_own_words(command: Path):
    command.write_text("#!/bin/sh\necho 'error: no disk' >&2\necho 'hint: more' >&2\nexit 3\n")
    with pytest.raises(appliance.ApplianceError, match=r"^microstack up: no disk$"):
        appliance.up()


def test_a_command_without_words_is_told_by_its_exit_status(command: Path):
    command.write_text("#!/bin/sh\nexit 7\n")
    with pytest.raises(appliance.ApplianceError, match=r"^microstack up: exit status 7$"):
        appliance.up()
