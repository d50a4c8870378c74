"""`microstack test`: deploys the tests once, tells how they go, and fails as they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from machine.client import ActionResult
from microstack.cli import run

from .conftest import FakeInstallation, FakeMachine, application, document

Captured = pytest.CaptureFixture[str]


def result(status: str = "completed", message: str = "", **results: str) -> ActionResult:
    return ActionResult(status, results, message, ["1 of 2 tests done"], "1", "tempest/0")


@pytest.fixture
def cloud(machine: FakeMachine) -> FakeMachine:
    """A cloud whose tests are deployed already."""
    machine.statuses = [document(keystone=application("keystone"), tempest=application("tempest"))]
    machine.result = result(passed="2", failed="0")
    return machine


def test_runs_the_action_and_tells_its_log(
    installation: FakeInstallation, cloud: FakeMachine, capsys: Captured
) -> None:
    assert run(["test", "interop-2018.02", "-j", "3", "--include", "network"]) == 0
    assert installation.done == ["prepare tests"]
    parameters = {
        "list": "interop-2018.02",
        "concurrency": 3,
        "include": "network",
        "exclude": "",
    }
    assert cloud.told == [("run", "tempest/leader", "validate", parameters, None)]
    assert "1 of 2 tests done" in capsys.readouterr().err


def test_deploys_the_overlay_where_the_tests_are_not_there(
    installation: FakeInstallation, cloud: FakeMachine
) -> None:
    cloud.statuses = [document(keystone=application("keystone"))]
    assert run(["test"]) == 0
    overlay = installation.overlay("validation").read_text()
    assert ("deploy", installation.bundle, (overlay,)) in cloud.told


def test_without_a_cloud_it_says_how_to_get_one(
    installation: FakeInstallation, machine: FakeMachine, capsys: Captured
) -> None:
    machine.statuses = [document()]
    assert run(["test"]) == 1
    assert capsys.readouterr().err == ("error: there is no cloud to test\nhint: ./microstack up\n")


def test_failures_are_shown_with_their_traceback_and_fail_the_command(
    installation: FakeInstallation, cloud: FakeMachine, capsys: Captured
) -> None:
    failures = {"skip-reasons": "no volumes: 3", "failures": "tempest.a.b: Traceback ..."}
    cloud.result = result("failed", "1 failed", **failures)
    assert run(["test"]) == 1
    shown = capsys.readouterr()
    assert "failures:\ntempest.a.b: Traceback ..." in shown.out
    assert "skip reasons:\nno volumes: 3" in shown.out
    assert "error: the tests failed: 1 failed" in shown.err


@pytest.mark.parametrize(
    ("results", "hinted"),
    [
        ({}, True),
        ({"failed": "1", "left": "servers tempest-x"}, True),
        ({"failed": "1", "left": ""}, False),
    ],
)
def test_where_something_may_be_left_it_says_what_removes_it(
    installation: FakeInstallation,
    cloud: FakeMachine,
    capsys: Captured,
    results: dict[str, str],
    hinted: bool,
) -> None:
    cloud.result = result("failed", "it failed", **results)
    assert run(["test"]) == 1
    hint = "hint: ./microstack run tempest/leader cleanup"
    assert (hint in capsys.readouterr().err) is hinted


def test_interrupted_it_says_what_removes_what_the_tests_made(
    installation: FakeInstallation, cloud: FakeMachine, capsys: Captured, monkeypatch: Any
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cloud, "run", interrupt)
    assert run(["test"]) == 130
    assert capsys.readouterr().err == (
        "error: interrupted; the tests were stopped, what they made may be left\n"
        "hint: ./microstack run tempest/leader cleanup\n"
    )


def test_a_file_is_named_by_its_whole_path_and_reports_are_copied(
    installation: FakeInstallation, cloud: FakeMachine, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text("tempest.a\n")
    report = tmp_path / "report.html"
    report.write_text("<html>")
    cloud.result = result(report=str(report))
    assert run(["test", "mine.txt", "--output", "results"]) == 0
    assert cloud.told[0][3]["list"] == str(tmp_path / "mine.txt")
    assert (tmp_path / "results" / "report.html").read_text() == "<html>"
