"""What is run on units, copied to and from them, and waited for: on whichever `juju` is given."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import jubilant
import pytest

Charm = Callable[[str], Path]


@pytest.fixture(scope="module")
def db(juju: jubilant.Juju, charm: Charm) -> jubilant.Juju:
    """The client of a model with two units of `db`."""
    juju.deploy(charm("db"), "db", num_units=2)
    juju.wait(lambda s: jubilant.all_active(s) and jubilant.all_agents_idle(s), delay=0.2)
    return juju


def refusal(juju: jubilant.Juju, *arguments: str) -> str:
    with pytest.raises(jubilant.CLIError) as refused:
        juju.cli(*arguments)
    assert refused.value.returncode in (1, 2)  # 2: it makes no sense, whatever there is
    return refused.value.stderr


class TestSsh:
    def test_a_command_runs_on_the_machine(self, db: jubilant.Juju):
        assert db.ssh("db/0", "echo hello; pwd").splitlines()[0] == "hello"
        assert db.ssh("db/leader", "echo", "two words") == "two words\n"
        assert db.ssh(0, "hostname", host_key_checks=False, ssh_options=["-o", "LogLevel=ERROR"])

    def test_its_exit_code_is_the_commands(self, db: jubilant.Juju):
        with pytest.raises(jubilant.CLIError) as failed:
            db.ssh("db/0", "exit 7")
        assert failed.value.returncode == 7

    @pytest.mark.parametrize("target", ["db/7", "nobody/0"])
    def test_there_is_no_such_unit(self, db: jubilant.Juju, target: str):
        assert f'unit "{target}" not found' in refusal(db, "ssh", target, "true")


class TestScp:
    def test_files_are_copied_both_ways(self, db: jubilant.Juju, tmp_path: Path):
        (tmp_path / "there").mkdir()
        (tmp_path / "there/file").write_text("content")
        target = f"/tmp/{tmp_path.name}-copy"
        db.ssh("db/0", f"rm -rf {target}")
        db.scp(tmp_path / "there", f"db/0:{target}", scp_options=["-r"])
        db.scp(f"db/0:{target}/file", tmp_path / "back")
        db.ssh("db/0", f"rm -rf {target}")
        assert (tmp_path / "back").read_text() == "content"

    def test_what_is_not_there_is_refused(self, db: jubilant.Juju, tmp_path: Path):
        assert 'unit "db/7" not found' in refusal(db, "scp", "db/7:x", str(tmp_path))
        with pytest.raises(jubilant.CLIError):
            db.scp("db/0:/nonexistent", tmp_path)


class TestOperations:
    def test_one_operation_has_a_task_for_each_unit(self, db: jubilant.Juju):
        told = json.loads(db.cli("run", "db/0", "db/1", "rotate", "suffix=q", "--format=json"))
        assert {unit: task["status"] for unit, task in told.items()} == {
            "db/0": "completed",
            "db/1": "completed",
        }
        listed = json.loads(db.cli("operations", "--format=json", "--actions=rotate"))
        (operation,) = (o for o in listed.values() if len(o["tasks"]) == 2)
        assert {task["host"] for task in operation["tasks"].values()} == {"db/0", "db/1"}
        assert operation["action"]["parameters"] == {"suffix": "q"}
        assert operation["summary"] == "rotate run on unit-db-0,unit-db-1"

    def test_it_runs_in_the_background(self, db: jubilant.Juju):
        _, told = db._cli("run", "--background", "db/0", "rotate")
        number = re.search(r"Scheduled operation (\d+) with task (\d+)", told)
        assert number
        shown = json.loads(db.cli("show-task", number[2], "--wait=60s", "--format=json"))
        assert shown["status"] == "completed"
        shown = json.loads(db.cli("show-operation", number[1], "--format=json"))
        assert (shown["status"], list(shown["tasks"])) == ("completed", [number[2]])

    def test_a_command_that_runs_is_aborted(self, db: jubilant.Juju):
        _, told = db._cli("exec", "--background", "--unit=db/0", "--", "sleep 1000")
        number = re.search(r"with task (\d+)", told)
        assert number
        db.wait(
            lambda _: (
                json.loads(db.cli("show-task", number[1], "--format=json"))["status"] == "running"
            ),
            delay=0.2,
        )
        (cancelled,) = json.loads(db.cli("cancel-task", number[1], "--format=json"))["actions"]
        assert (cancelled["id"], cancelled["unit"]) == (number[1], "db/0")
        assert (cancelled["status"], cancelled["completed at"]) == ("aborting", "n/a")
        shown = json.loads(db.cli("show-task", number[1], "--wait=60s", "--format=json"))
        assert (shown["status"], shown["message"]) == ("aborted", "action terminated")

    def test_parameters_come_from_a_file(self, db: jubilant.Juju, tmp_path: Path):
        (tmp_path / "params.yaml").write_text("suffix: w\n")
        file = str(tmp_path / "params.yaml")
        db.cli("run", "db/0", "rotate", "--params", file)
        listed = json.loads(db.cli("operations", "--format=json"))
        assert [*listed.values()][-1]["action"]["parameters"] == {"suffix": "w"}

    def test_a_charms_actions_are_listed(self, db: jubilant.Juju):
        assert json.loads(db.cli("actions", "db", "--format=json")) == {
            "rotate": "Give all passwords a new content."
        }
        schema = json.loads(db.cli("actions", "db", "--schema", "--format=json"))["rotate"]
        assert schema["properties"]["suffix"]["type"] == "string"

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (("db/0", "rotate", "suffix=1"), 'parameter "suffix" must be string'),
            (("db/0", "rotate", "colour=red"), "colour"),
            (("db/0", "dance"), 'action "dance" not defined'),
            (("db/7", "rotate"), 'unit "db/7" not found'),
        ],
    )
    def test_what_cannot_be_run_is_not(
        self, db: jubilant.Juju, arguments: tuple[str, ...], complaint: str
    ):
        before = db.cli("operations", "--format=json")
        stdout, stderr = db._cli("run", *arguments)
        assert (stdout, complaint in stderr) == ("", True)
        assert db.cli("operations", "--format=json") == before

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (("run", "db/0", "rotate", "Suffix=x"), 'key "Suffix" must start and end with'),
            (("run", "db/0", "rotate", "--params=/nonexistent"), "/nonexistent"),
            (("run", "db/0", "rotate", "--wait=1s", "--background"), "--background"),
            (("show-operation", "4711"), 'operation "4711" not found'),
            (("cancel-task",), "no task IDs specified"),
            (("cancel-task", "4711", "all"), 'task ID "all" not valid'),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, db: jubilant.Juju, arguments: tuple[str, ...], complaint: str
    ):
        assert complaint in refusal(db, *arguments)

    def test_a_task_that_is_not_there_is_told_of_among_the_others(self, db: jubilant.Juju):
        done = db.run("db/0", "rotate").id
        told = json.loads(db.cli("cancel-task", "4711", done, "--format=json"))["actions"]
        unknown = {"action": "", "completed at": "n/a", "id": "4711", "status": "", "unit": ""}
        assert told[0] == {**unknown, "error": 'action "4711" not found'}
        assert (told[1]["id"], told[1]["status"]) == (done, "completed")


class TestWaitFor:
    def test_units_applications_machines_and_the_model(self, db: jubilant.Juju):
        assert db.model
        env = ("--model", db.model)
        for arguments in (
            ("application", "db"),
            ("application", "db", "--query=len(units) == 2"),
            ("unit", "db/0", '--query=startsWith(name, "db") && agent-status == "idle"'),
            ("machine", "0"),
        ):
            kind, *rest = arguments
            db.cli("wait-for", kind, *env, *rest, "--timeout=30s", include_model=False)
        query = '--query=forEach(applications, app => app.status == "active")'
        db.cli("wait-for", "model", db.model, query, "--timeout=30s", include_model=False)

    def test_it_takes_too_long(self, db: jubilant.Juju):
        assert db.model
        arguments = ("application", "--model", db.model, "db", "--query=len(units) == 9")
        with pytest.raises(jubilant.CLIError) as late:
            db.cli("wait-for", *arguments, "--timeout=1s", include_model=False)
        assert 'timed out waiting for "db" to reach goal state' in late.value.stderr
