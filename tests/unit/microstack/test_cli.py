from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from machine.client import ActionResult, ChangeError, LogLine
from microstack import actions, cli, cloud, clouds, settings, status
from microstack.cli import run
from microstack.errors import UsageFailure
from microstack.installation import Installation
from workload.runtime.status import ServiceStatus

from .conftest import FakeInstallation, FakeMachine, application, document

Captured = pytest.CaptureFixture[str]


class TestExitCodes:
    def test_help_names_every_command_and_the_exit_codes(self) -> None:
        shown = CliRunner().invoke(cli.app, ["--help"]).output
        for name in ("up", "launch", "openstack", "status", "doctor", "explain", "remove"):
            assert f" {name} " in shown
        assert "130 interrupted" in shown

    def test_version_names_the_release(self, capsys: Captured) -> None:
        assert run(["--version"]) == 0
        assert "(OpenStack 2026.2)" in capsys.readouterr().out

    @pytest.mark.parametrize("arguments", [["frob"], ["up", "--frob"], ["run", "nova"]])
    def test_wrong_usage_is_2_with_one_line_and_a_way_out(
        self, installation: FakeInstallation, capsys: Captured, arguments: list[str]
    ) -> None:
        assert run(arguments) == 2
        error, hint = capsys.readouterr().err.splitlines()
        assert error.startswith("error: ")
        assert hint.startswith("hint: ./microstack")

    def test_what_the_agent_refuses_is_1(
        self,
        installation: FakeInstallation,
        capsys: Captured,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def refuse(*_: object) -> None:
            raise ChangeError('application "nvoa" not found')

        monkeypatch.setattr(FakeMachine, "config", refuse)
        assert run(["config", "nvoa"]) == 1
        assert capsys.readouterr().err == 'error: application "nvoa" not found\n'

    def test_nothing_running_is_1_and_says_how_to_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
    ) -> None:
        monkeypatch.setenv("MICROSTACK_ROOT", str(tmp_path))
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        assert run(["status"]) == 1
        assert capsys.readouterr().err.splitlines() == [
            "error: MicroStack is not running",
            "hint: ./microstack up",
        ]
        (tmp_path / "machine").mkdir()
        assert run(["status"]) == 1
        assert "hint: ./microstack start" in capsys.readouterr().err

    def test_another_user_than_root_is_3(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
    ) -> None:
        monkeypatch.setenv("MICROSTACK_ROOT", str(tmp_path))
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert run(["status"]) == 3
        assert "must be run as root" in capsys.readouterr().err

    def test_a_defect_is_one_line_and_its_traceback_is_in_the_log(
        self,
        installation: FakeInstallation,
        capsys: Captured,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def fail(*_: object) -> None:
            raise KeyError("surprise")

        monkeypatch.setattr(FakeMachine, "status", fail)
        assert run(["status"]) == 1
        assert capsys.readouterr().err.startswith("error: KeyError: 'surprise'\nhint: ")
        log = installation.layout.log / "microstack.log"
        assert "Traceback" in log.read_text()
        assert log.stat().st_mode & 0o077 == 0


def test_a_wrong_use_of_a_command_points_to_that_commands_help(capsys: Captured) -> None:
    assert run(["explain"]) == 2
    assert "hint: ./microstack explain --help" in capsys.readouterr().err


class TestPassedThrough:
    @pytest.fixture
    def executed(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        executed: list[Any] = []

        class Replaced(BaseException):
            pass

        def execve(path: Any, arguments: list[str], environment: dict[str, str]) -> None:
            executed.append((str(path), arguments, environment))
            raise Replaced

        def run_until_replaced(arguments: list[str]) -> int:
            try:
                return cli.run(arguments)
            except Replaced:
                return 0

        monkeypatch.setattr(os, "execve", execve)
        monkeypatch.setattr(sys.modules[__name__], "run", run_until_replaced)
        return executed

    def test_openstack_gets_its_arguments_untouched_and_the_cloud(
        self,
        installation: FakeInstallation,
        executed: list[Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        client = installation.layout.snap / "openstack/bin/openstack"
        client.parent.mkdir(parents=True)
        client.touch()
        clouds.write(clouds.Account("http://127.0.0.1:5000/v3", *("x" * 6)))
        for name in ("OS_USERNAME", "OS_CLOUD", "OS_CLIENT_CONFIG_FILE", "http_proxy"):
            monkeypatch.setenv(name, "elsewhere")
        assert run(["openstack", "--", "server", "list", "--help", "-f", "json"]) == 0
        [(path, arguments, environment)] = executed
        assert path == str(client)
        assert arguments == ["openstack", "--", "server", "list", "--help", "-f", "json"]
        assert environment["OS_CLOUD"] == "microstack"
        assert environment["OS_CLIENT_CONFIG_FILE"].endswith(".config/openstack/clouds.yaml")
        assert environment.keys().isdisjoint({"PYTHONPATH", "OS_USERNAME", "http_proxy"})

    def test_juju_speaks_to_this_installations_agent(
        self, installation: FakeInstallation, executed: list[Any]
    ) -> None:
        assert run(["juju", "status", "--format", "json"]) == 0
        [(_, arguments, environment)] = executed
        assert arguments[-4:] == ["juju", "status", "--format", "json"]
        assert environment["MACHINE_SOCKET"] == str(installation.layout.machine_socket)

    def test_without_credentials_it_says_who_has_them(
        self, installation: FakeInstallation, executed: list[Any], capsys: Captured
    ) -> None:
        client = installation.layout.snap / "openstack/bin/openstack"
        client.parent.mkdir(parents=True)
        client.touch()
        assert run(["openstack", "server", "list"]) == 1
        assert executed == []
        assert "no credentials for the cloud" in capsys.readouterr().err


class TestStatus:
    def test_what_is_shown_again_and_again_is_cut_to_the_terminal(self) -> None:
        shown = status.cropped("Unit    Message\nnova/0  much too long", 15)
        assert shown == "Unit    Message\nnova/0  much t…"

    def test_json_is_the_machines_unchanged(
        self, installation: FakeInstallation, machine: FakeMachine, capsys: Captured
    ) -> None:
        assert run(["status", "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out) == machine.status()

    def test_services_that_die_are_shown_with_their_last_lines(
        self, installation: FakeInstallation, capsys: Captured
    ) -> None:
        installation.fake_services.states += [
            ServiceStatus("glance", "simple", True, "active", 0.0),
            ServiceStatus(
                "nova-compute",
                "simple",
                True,
                "failed",
                0.0,
                deaths=8,
                reason="exit status 1",
                lines=("no such file: nova.conf",),
            ),
        ]
        assert run(["status"]) == 0
        shown = capsys.readouterr().out
        assert "nova-compute  failed           8  exit status 1\n    no such file" in shown
        assert "glance" not in shown


class TestConfig:
    def test_sets_and_resets(self, installation: FakeInstallation, machine: FakeMachine) -> None:
        assert run(["config", "nova", "port=8775", "debug=true", "--reset", "a,b"]) == 0
        assert machine.told == [
            ("set_config", "nova", {"port": "8775", "debug": "true"}, ["a", "b"])
        ]

    def test_one_key_shows_its_value_alone(
        self, installation: FakeInstallation, machine: FakeMachine, capsys: Captured
    ) -> None:
        machine.options["nova"] = {"port": 8774, "debug": False}
        assert run(["config", "nova", "debug"]) == 0
        assert capsys.readouterr().out == "false\n"

    def test_an_option_that_has_no_value_is_empty(
        self, installation: FakeInstallation, machine: FakeMachine, capsys: Captured
    ) -> None:
        machine.options["nova"] = {"port": None}
        assert run(["config", "nova", "port"]) == 0
        assert capsys.readouterr().out == "\n"

    @pytest.mark.parametrize(
        ("asked", "hint"),
        [("debg", "did you mean debug?"), ("frob", "./microstack config nova lists them")],
    )
    def test_an_option_that_there_is_not_is_refused_with_what_was_meant(
        self,
        installation: FakeInstallation,
        machine: FakeMachine,
        capsys: Captured,
        asked: str,
        hint: str,
    ) -> None:
        machine.options["nova"] = {"port": 8774, "debug": False}
        assert run(["config", "nova", asked]) == 2
        assert capsys.readouterr().err.splitlines() == [
            f"error: nova has no option {asked}",
            f"hint: {hint}",
        ]

    def test_a_value_may_hold_equals_signs(self) -> None:
        assert settings.split(["url=http://x/?a=b"]) == ({"url": "http://x/?a=b"}, None)

    def test_keys_and_values_do_not_mix(self) -> None:
        with pytest.raises(UsageFailure, match="port: expected KEY=VALUE"):
            settings.split(["port", "debug=true"])


class TestRun:
    def result(self, **more: Any) -> ActionResult:
        given = {"status": "completed", "results": {}, "message": "", "log": []}
        return ActionResult(**{**given, "id": "1", "unit": "a/0", **more})

    def test_prints_results_as_yaml_and_the_actions_log_on_stderr(
        self, installation: FakeInstallation, machine: FakeMachine, capsys: Captured
    ) -> None:
        machine.result = self.result(results={"username": "admin"}, log=["asking keystone"])
        assert run(["run", "keystone/leader", "get-admin-account", "for=me", "n=3"]) == 0
        assert capsys.readouterr() == ("username: admin\n", "asking keystone\n")
        [told] = machine.told
        assert told[1:4] == ("keystone/leader", "get-admin-account", {"for": "me", "n": 3})

    def test_a_failed_action_is_1_with_its_message(
        self, installation: FakeInstallation, machine: FakeMachine, capsys: Captured
    ) -> None:
        machine.result = self.result(status="failed", message="run this on the leader")
        assert run(["run", "keystone/0", "rotate"]) == 1
        errors = capsys.readouterr().err
        assert errors == "error: action rotate on keystone/0 failed: run this on the leader\n"

    def test_dotted_keys_nest_and_values_are_yaml(self) -> None:
        assert actions.parse(["a.b=1", "a.c=[x, y]", "d="]) == {
            "a": {"b": 1, "c": ["x", "y"]},
            "d": None,
        }

    @pytest.mark.parametrize("wrong", [["a"], ["=1"], ["a=1", "a.b=2"], ["a={"]])
    def test_what_is_no_parameter_is_refused(self, wrong: list[str]) -> None:
        with pytest.raises(UsageFailure):
            actions.parse(wrong)


class TestLogs:
    def test_debug_log_looks_like_jujus(
        self, installation: FakeInstallation, machine: FakeMachine, capsys: Captured
    ) -> None:
        machine.log.append(LogLine(0.0, "unit-nova-0", "ERROR", "juju-log", "no database"))
        assert run(["debug-log", "--app", "nova", "-n", "5"]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith("unit-nova-0: ")
        assert shown.endswith(" ERROR juju-log no database\n")
        assert machine.told == [("debug_log", False, ["nova"], "INFO", 5)]

    @pytest.mark.parametrize(
        ("asked", "hint"),
        [("nova-ap", "did you mean nova-api?"), ("frob", "./microstack logs lists them")],
    )
    def test_an_unknown_service_is_refused_with_what_was_meant(
        self, installation: FakeInstallation, capsys: Captured, asked: str, hint: str
    ) -> None:
        self.write(installation.layout.service_log, "glance", "nova-api", "nova-api-db-sync")
        assert run(["logs", asked]) == 2
        assert capsys.readouterr().err.splitlines() == [
            f"error: there is no log of a service {asked}",
            f"hint: {hint}",
        ]

    def test_logs_are_listed_by_name_those_of_the_appliance_itself_last(
        self, installation: FakeInstallation, capsys: Captured
    ) -> None:
        self.write(installation.layout.log, "machine")
        self.write(installation.layout.service_log, "glance-db-sync", "glance", "nova-api")
        assert run(["logs"]) == 0
        assert capsys.readouterr().out.split() == [
            "glance",
            "glance-db-sync",
            "nova-api",
            "machine",
        ]

    @staticmethod
    def write(folder: Path, *names: str) -> None:
        """Make logs of these services."""
        folder.mkdir(parents=True)
        for name in names:
            (folder / f"{name}.log").write_text("started\n")


def test_an_interrupted_launch_says_what_may_be_there(
    installation: FakeInstallation, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cloud, "connect", interrupt)
    assert run(["launch", "t1"]) == 130
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "error: interrupted; a guest that Nova was asked for already goes on starting",
        "hint: ./microstack openstack server list",
    ]


def test_watching_shows_each_status(
    installation: FakeInstallation, machine: FakeMachine, capsys: Captured
) -> None:
    machine.statuses = [
        document(nova=application("nova", "waiting")),
        document(nova=application("nova")),
        KeyboardInterrupt(),
    ]
    assert run(["status", "--watch", "--format", "json"]) == 130
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_two_commands_do_not_bring_the_same_cloud_up_and_down(tmp_path: Path) -> None:
    from microstack.errors import Failure
    from workload.layout import Layout

    if os.geteuid() != 0:
        pytest.skip("the lock is root's")
    installation = Installation(Layout(tmp_path / "root"), tmp_path)
    with (
        installation.exclusively(),
        pytest.raises(Failure, match="another command"),
        Installation(installation.layout, tmp_path).exclusively(),
    ):
        pass
    # Whoever can open it can lock it.
    assert installation.lock.stat().st_mode & 0o077 == 0
