"""jubilant drives the agent through the Juju-compatible command line, unchanged."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jubilant
import pytest
import yaml

from machine import cli
from machine.client import Client

HERE = Path(__file__).parent
LIB = HERE.parents[1] / "lib"
PATIENCE = 60.0


@pytest.fixture(scope="module")
def juju(tmp_path_factory: pytest.TempPathFactory) -> Iterator[jubilant.Juju]:
    """A client of an agent with the bundle of the test charms deployed and settled."""
    folder = tmp_path_factory.mktemp("machine")
    binary = folder / "juju"
    binary.write_text(
        f"#!/bin/sh\nPYTHONPATH={LIB} MACHINE_SOCKET={folder}/socket exec {sys.executable} "
        '-m machine juju "$@"\n'
    )
    binary.chmod(0o755)
    with agent(folder):
        juju = jubilant.Juju(cli_binary=binary, model="test")
        juju.deploy(HERE / "bundle.yaml")
        settled(juju, "web")
        yield juju


@contextlib.contextmanager
def agent(folder: Path) -> Iterator[None]:
    options = ("--state", folder / "state", "--socket", folder / "socket", "--model", "test")
    with (folder / "agent.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "machine", "agent", *map(str, options)],
            env={"PYTHONPATH": str(LIB)},
            stderr=log,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not (folder / "socket").exists():
            assert process.poll() is None, (folder / "agent.log").read_text()
            assert time.monotonic() < deadline, "the agent's socket did not appear"
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def settled(juju: jubilant.Juju, *apps: str) -> jubilant.Status:
    def ready(status: jubilant.Status) -> bool:
        return jubilant.all_active(status, *apps) and jubilant.all_agents_idle(status, *apps)

    return juju.wait(ready, delay=0.1, timeout=PATIENCE, successes=1)


def refused(juju: jubilant.Juju, *arguments: str) -> tuple[int, str]:
    with pytest.raises(jubilant.CLIError) as refusal:
        juju.cli(*arguments)
    return refusal.value.returncode, refusal.value.stderr


def test_status(juju: jubilant.Juju):
    status = juju.status()
    assert status.model.name == "test"
    assert status.apps["web"].relations["database"][0].related_app == "db"
    assert status.apps["web"].app_status.message.startswith("hello user-")


def test_status_of_named_applications(juju: jubilant.Juju):
    assert list(json.loads(juju.cli("status", "web/0", "--format=json"))["applications"]) == [
        "web"
    ]


def test_status_as_table_with_relations(juju: jubilant.Juju):
    table = juju.cli("status", "--relations")
    assert "db:database           web:database  test_db    regular" in table
    assert "db:db-peers           db:db-peers   db_peers   peer" in table


def test_a_bundle_deployed_again_changes_nothing(juju: jubilant.Juju):
    assert juju.cli("deploy", str(HERE / "bundle.yaml")) == "No changes to apply.\n"


def test_what_was_exported_is_deployed_without_a_change(juju: jubilant.Juju, tmp_path: Path):
    file = tmp_path / "exported.yaml"
    juju.cli("export-bundle", "--filename", str(file))
    assert juju.cli("deploy", str(file)) == "No changes to apply.\n"
    assert juju.cli("diff-bundle", str(file)) == "{}\n"


def test_a_bundle_differs_from_the_model(juju: jubilant.Juju, tmp_path: Path):
    file = tmp_path / "other.yaml"
    charm = HERE / "charms"
    file.write_text(
        "applications:\n"
        f"  web: {{charm: {charm}/web, num_units: 2, options: {{greeting: bye}}}}\n"
        f"  more: {{charm: {charm}/db, num_units: 1}}\n"
        "relations: [[more, web]]\n"
    )
    assert yaml.safe_load(juju.cli("diff-bundle", str(file))) == {
        "applications": {
            "db": {"missing": "bundle"},
            "more": {"missing": "model"},
            "web": {
                "num_units": {"bundle": 2, "model": 1},
                "options": {"greeting": {"bundle": "bye", "model": "hello"}},
            },
        },
        "relations": {
            "bundle-additions": [["more:database", "web:database"]],
            "model-additions": [["db:database", "web:database"]],
        },
    }
    assert "more" not in juju.status().apps


def test_a_dry_run_changes_nothing(juju: jubilant.Juju, tmp_path: Path):
    file = tmp_path / "more.yaml"
    file.write_text(f"applications: {{more: {{charm: {HERE}/charms/db, num_units: 1}}}}")
    told = juju.cli("deploy", str(file), "--dry-run").splitlines()
    assert told[0] == "Changes to deploy bundle:"
    assert "more" not in juju.status().apps


def test_config_is_read_set_and_reset(juju: jubilant.Juju):
    assert juju.config("web") == {"greeting": "hello"}
    juju.config("web", {"greeting": "good day"})
    assert settled(juju, "web").apps["web"].app_status.message.startswith("good day")
    assert juju.cli("config", "web", "greeting") == "good day\n"
    juju.config("web", reset="greeting")
    assert settled(juju, "web").apps["web"].app_status.message.startswith("hello")


def test_config_says_where_a_value_is_from(juju: jubilant.Juju):
    setting = json.loads(juju.cli("config", "--format", "json", "db"))["settings"]["prefix"]
    assert setting == {
        "default": "user",
        "description": "Prefix of user names.",
        "source": "default",
        "type": "string",
        "value": "user",
    }


def test_an_action_gives_its_results_and_log(juju: jubilant.Juju):
    task = juju.run("db/leader", "rotate", {"suffix": "x"})
    assert (task.status, task.return_code) == ("completed", 0)
    assert task.results == {"count": "1"}
    assert task.log


def test_an_action_that_cannot_be_run_is_a_value_error(juju: jubilant.Juju):
    with pytest.raises(ValueError, match='action "dance" not defined for unit "db/0"'):
        juju.run("db/0", "dance")
    with pytest.raises(ValueError, match='unit "db/7" not found'):
        juju.run("db/7", "rotate")
    with pytest.raises(ValueError, match='unknown parameter "colour"'):
        juju.run("db/0", "rotate", {"colour": "red"})


def test_show_unit(juju: jubilant.Juju):
    unit = juju.show_unit("web/0")
    (relation,) = unit.relation_info
    assert (unit.leader, relation.endpoint, relation.related_endpoint) == (
        *(True, "database", "database"),
    )
    assert relation.app_data["secret"].startswith("secret:")
    assert relation.related_units["db/0"].in_scope


def test_show_unit_of_some_relation_data(juju: jubilant.Juju):
    def shown(*options: str) -> list[dict[str, Any]]:
        unit = json.loads(juju.cli("show-unit", "db/0", "--format=json", *options))["db/0"]
        return unit.get("relation-info", [])

    assert [r["endpoint"] for r in shown("--endpoint", "database")] == ["database"]
    assert shown("--endpoint", "nothing") == []
    (related,) = shown("--related-unit", "web/0", "--endpoint", "database")
    assert set(related["related-units"]) == {"web/0"}
    (other,) = shown("--related-unit", "web/7", "--endpoint", "database")
    assert "related-units" not in other
    assert not any("related-units" in r or "local-unit" in r for r in shown("--app"))


def test_show_task_and_operation_wait_for_the_end(juju: jubilant.Juju):
    told = subprocess.run(
        [juju.cli_binary, "run", "-m", "test", "db/0", "rotate", "--background"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    found = re.search(r"operation (\d+) with task (\d+)", told)
    assert found
    operation, task = found.groups()
    for command, number, wait in (
        ("show-task", task, "--watch"),
        ("show-task", task, "--wait=0s"),
        ("show-operation", operation, "--watch"),
        ("show-operation", operation, "--wait=-1s"),
    ):
        shown = json.loads(juju.cli(command, number, wait, "--format=json"))
        assert shown["status"] == "completed"


def test_commands_take_the_options_of_jujus_own_log(juju: jubilant.Juju):
    options = ("--debug", "--verbose", "--show-log", "--logging-config=<root>=DEBUG")
    assert juju.cli("config", "db", "prefix", *options) == "user\n"
    assert juju.cli("config", "db", "prefix", "-q", "-B", "--no-browser-login") == "user\n"
    assert juju.cli("config", "db", "prefix", "--quiet") == "user\n"
    assert juju.cli("exec", "-q", "--unit", "db/0", "--", "echo", "-q") == "-q\n"


def run(juju: jubilant.Juju, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [juju.cli_binary, arguments[0], "-m", "test", *arguments[1:]]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_quiet_are_told_answers_and_errors_alone(juju: jubilant.Juju):
    loud, quiet = (run(juju, "run", "db/0", "rotate", *q) for q in ((), ("--quiet",)))
    assert re.search(r"Running operation \d+ with 1 task\n", loud.stderr)
    assert re.search(r"\d\d:\d\d:\d\d ", loud.stderr)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert "count:" in quiet.stdout
    failed = run(juju, "exec", "-q", "--unit", "db/0", "--", "echo no >&2; exit 3")
    assert (failed.returncode, failed.stdout) == (1, "no\n")
    assert failed.stderr.startswith("ERROR the following task failed:\n - id ")
    assert "with return code 3\n\nuse 'juju show-task' to inspect the failure" in failed.stderr
    assert run(juju, "status", "-q", "nobody").stderr == ""
    assert run(juju, "status", "nobody").stderr == "Nothing matched specified filter.\n"


def test_a_command_of_the_shell_is_told_of_to_those_who_ask(juju: jubilant.Juju):
    command = ("--unit", "db/0", "--", "echo no >&2; echo yes")
    usual = run(juju, "exec", *command)
    assert (usual.stdout, usual.stderr) == ("yes\nno\n", "")
    verbose = run(juju, "exec", "--verbose", *command)
    assert re.match(
        r"Running operation \d+ with 1 task\n  - task \d+ on unit-db-0\n", verbose.stderr
    )


@pytest.fixture(scope="module")
def follower(juju: jubilant.Juju) -> Iterator[None]:
    """A second unit of `db`."""
    juju.add_unit("db")
    settled(juju, "db")
    yield
    juju.remove_unit("db/1")
    juju.wait(lambda s: len(s.apps["db"].units) == 1, delay=0.1, successes=1)


@pytest.mark.usefixtures("follower")
class TestWhatTasksPrint:
    """By cmd/juju/action: `printPlainOutput` in common.go, `printExecOutput` in exec.go."""

    def test_one_command_prints_what_it_wrote_in_whole_lines(self, juju: jubilant.Juju):
        assert run(juju, "exec", "-u", "db/0", "printf out").stdout == "out\n"

    def test_several_print_it_below_their_units(self, juju: jubilant.Juju):
        done = run(juju, "exec", "--application=db", "echo $JUJU_UNIT_NAME; echo err >&2")
        assert done.stdout == "db/0:\ndb/0\nerr\n\ndb/1:\ndb/1\nerr\n\n"

    def test_one_action_prints_its_results_alone(self, juju: jubilant.Juju):
        assert run(juju, "run", "db/0", "rotate").stdout == "count: '1'\n\n"

    def test_one_that_failed_says_why(self, juju: jubilant.Juju):
        failed = run(juju, "run", "db/1", "rotate")
        first, second, third, *_ = failed.stdout.splitlines()
        assert re.fullmatch(r"Action id \d+ failed: exit status 1", first)
        assert (second, third[:29]) == ("", "Uncaught SecretNotFoundError ")
        number = first.split()[2]
        assert juju.cli("show-task", number).splitlines()[:2] == [first, ""]

    def test_several_print_theirs_as_yaml(self, juju: jubilant.Juju):
        shown = yaml.safe_load(run(juju, "run", "db/0", "db/1", "rotate").stdout)
        assert {unit: task["status"] for unit, task in shown.items()} == {
            "db/0": "completed",
            "db/1": "failed",
        }
        assert shown["db/0"]["output"] == "count: '1'\n"
        assert shown["db/1"]["message"] == "exit status 1"

    def test_times_are_told_of_the_task_and_of_each_line_of_its_log(self, juju: jubilant.Juju):
        (task,) = json.loads(juju.cli("run", "db/0", "rotate", "--format=json")).values()
        assert list(task["timing"]) == ["enqueued", "started", "completed"]
        (line,) = task["log"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC rotated 1", line)

    def test_who_waits_is_told_for_what(self, juju: jubilant.Juju):
        told = run(juju, "run", "db/0", "rotate").stderr
        assert re.search(r"\n\nWaiting for task \d+\.\.\.\n\n\d\d:\d\d:\d\d rotated 1\n", told)

    def test_where_nothing_is_scheduled_nothing_is_printed(self, juju: jubilant.Juju):
        for form in ("plain", "json"):
            done = run(juju, "run", "db/7", "rotate", f"--format={form}")
            assert (done.returncode, done.stdout) == (0, "")
            assert re.fullmatch(
                r'Operation \d+ failed to schedule any tasks:\nunit "db/7" not found\n',
                done.stderr,
            )

    def test_what_is_scheduled_on_several_is_listed(self, juju: jubilant.Juju):
        done = run(juju, "exec", "--background", "-a", "db", "true")
        assert re.match(r"Scheduled operation \d+ with 2 tasks\nCheck operation", done.stderr)
        listed = yaml.safe_load(done.stdout)
        assert set(listed) == {"db/0", "db/1"}
        juju.cli("show-task", listed["db/1"]["id"], "--watch")

    def test_one_that_has_not_ended_has_no_results(self, juju: jubilant.Juju):
        told = run(juju, "exec", "--background", "-u", "db/0", "sleep 1000").stderr
        (number,) = re.findall(r"with task (\d+)", told)
        assert re.fullmatch(rf"Task {number} (pending|running)\n\n", juju.cli("show-task", number))
        assert "results" not in json.loads(juju.cli("show-task", number, "--format=json"))
        juju.cli("cancel-task", number)
        juju.cli("show-task", number, "--watch")


def test_where_a_bundle_was_exported_to_is_the_answer(juju: jubilant.Juju, tmp_path: Path):
    done = run(juju, "export-bundle", "--filename", str(tmp_path / "bundle.yaml"))
    assert done.stdout == f"Bundle successfully exported to {tmp_path / 'bundle.yaml'}\n"
    assert (tmp_path / "bundle.yaml").exists()


def test_of_those_who_deploy_an_application_at_once_one_succeeds(
    juju: jubilant.Juju, monkeypatch: pytest.MonkeyPatch
):
    """Whatever was seen before, and however the options of the two differ."""
    monkeypatch.setattr(Client, "status", lambda _: {"applications": {}})
    monkeypatch.setenv("MACHINE_SOCKET", str(Path(juju.cli_binary).parent / "socket"))
    words = ("deploy", "-m", "test", str(HERE / "charms/web"), "web", "--config", "greeting=bye")
    assert cli.main(words) == 1
    assert juju.config("web") == {"greeting": "hello"}


def test_all_that_are_in_error_are_those_of_when_it_is_asked(
    juju: jubilant.Juju, monkeypatch: pytest.MonkeyPatch
):
    """None is, whatever was read before: a unit may leave error at any time."""
    before = juju.cli("status", "--format=json").replace('"active"', '"error"')
    monkeypatch.setattr(Client, "status", lambda _: json.loads(before))
    monkeypatch.setenv("MACHINE_SOCKET", str(Path(juju.cli_binary).parent / "socket"))
    assert cli.main(["resolved", "-m", "test", "--all"]) == 0


def test_models_with_their_ids(juju: jubilant.Juju):
    model = juju.show_model()
    for more in ((), ("--exact-time",)):
        listed = juju.cli("models", "--uuid", *more, include_model=False).splitlines()
        header, row = listed[2].split(), listed[3].split()
        assert header[:3] == ["Model", "UUID", "Cloud/Region"]
        assert row[:3] == ["test*", model.model_uuid, "localhost"]
        assert listed[3].endswith("never connected")


def test_operations_are_a_table(juju: jubilant.Juju):
    juju.run("db/0", "rotate")
    header, *_, last = juju.cli("operations").splitlines()
    assert header.split() == ["ID", "Status", "Started", "Finished", "Task", "IDs", "Summary"]
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
    row = rf"\d+ +completed +{moment} +{moment} +\d+ +rotate run on unit-db-0"
    assert re.fullmatch(row, last)


def test_operations_are_none_of_machines(juju: jubilant.Juju):
    juju.run("db/0", "rotate")
    assert json.loads(juju.cli("operations", "--format=json", "--machines=0")) == {}


def test_show_model_and_version(juju: jubilant.Juju):
    model = juju.show_model()
    assert (model.short_name, model.model_type, model.cloud) == ("test", "iaas", "localhost")
    assert juju.version().tuple >= (3, 6)


def test_debug_log(juju: jubilant.Juju):
    lines = juju.debug_log(limit=3).splitlines()
    assert len(lines) == 3
    assert all(line.startswith("unit-") for line in lines)


def test_a_charm_is_deployed_related_and_removed(juju: jubilant.Juju):
    juju.deploy(HERE / "charms/web", "shop", config={"greeting": "welcome"}, num_units=2)
    juju.integrate("shop", "db")
    status = settled(juju, "shop")
    assert len(status.apps["shop"].units) == 2
    assert status.apps["shop"].app_status.message.startswith("welcome user-")
    juju.remove_application("shop")
    juju.wait(lambda s: "shop" not in s.apps, delay=0.1, timeout=PATIENCE, successes=1)


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("bootstrap",), 1, 'ERROR juju: "bootstrap" is not offered on this host'),
        (("model-config", "name=other"), 1, 'ERROR "name" of a model cannot be changed'),
        (("status", "-m", "elsewhere:test"), 1, "ERROR controller elsewhere not found"),
        (("status", "-m", "bob/test"), 1, "ERROR model machine:bob/test not found"),
        (("exec", "--machine", "0", "true"), 1, "ERROR exec --machine is not offered"),
        (
            *(("config", "db", "--quiet", "--verbose"), 1),
            'ERROR "verbose" and "quiet" flags clash, please use one or the other, not both',
        ),
        (("status", "--fast"), 2, "ERROR option provided but not defined: --fast"),
        (("config", "nobody"), 1, 'ERROR application "nobody" not found'),
        (("config", "web", "colour"), 1, 'ERROR key "colour" not found in "web"'),
        (("config", "web", "colour=red"), 1, 'ERROR unknown option "colour"'),
        (("integrate", "web", "db"), 1, 'ERROR relation "db:database web:database" already'),
        (("integrate", "web:database", "db:databse"), 1, "(did you mean 'database'?)"),
        (("deploy", "mysql"), 1, 'ERROR "mysql" is neither a bundle\'s file nor the path'),
        (("deploy", str(HERE / "charms/web")), 1, 'ERROR cannot add application "web"'),
        (("remove-application", "nobody", "--no-prompt"), 1, 'application "nobody" not found'),
        (("resolved", "web/0"), 1, 'ERROR unit "web/0" is not in an error state'),
        (("show-unit", "web/9"), 1, 'ERROR unit "web/9" not found'),
    ],
)
def test_refusals_have_jujus_exit_codes(
    juju: jubilant.Juju, arguments: tuple[str, ...], code: int, complaint: str
):
    returned, told = refused(juju, *arguments)
    assert complaint in told
    assert returned == code


@pytest.mark.parametrize(
    ("options", "refused_option"),
    [
        (("--to", "0"), "--num-units or --to"),
        (("-n", "2"), "--num-units or --to"),
        (("-n", "1", "--to", "0"), "--num-units or --to"),
        (("--constraints", "mem=1G", "--to", "0"), "--constraints"),
    ],
)
def test_a_subordinate_is_not_placed(
    juju: jubilant.Juju, subordinate: Path, options: tuple[str, ...], refused_option: str
):
    told = refused(juju, "deploy", str(subordinate), *options)[1]
    assert told == f"ERROR cannot use {refused_option} with subordinate application\n"
    assert "lodger" not in juju.status().apps


def test_one_unit_of_a_subordinate_is_what_is_meant_without_a_number(
    juju: jubilant.Juju, subordinate: Path
):
    juju.cli("deploy", str(subordinate), "-n", "1")
    assert juju.status().apps["lodger"].units == {}
    juju.remove_application("lodger")
    juju.wait(lambda s: "lodger" not in s.apps, delay=0.1, timeout=PATIENCE, successes=1)


def test_a_command_runs_on_the_units_of_a_subordinate(juju: jubilant.Juju, subordinate: Path):
    juju.deploy(subordinate)
    juju.integrate("lodger", "web")
    juju.wait(lambda s: len(s.get_units("lodger")) == 1, delay=0.1, timeout=PATIENCE)
    said = run(
        juju, "exec", "--application=lodger", "echo $JUJU_UNIT_NAME of $JUJU_PRINCIPAL_UNIT"
    )
    assert said.stdout == "lodger/0 of web/0\n"
    juju.remove_application("lodger")
    juju.wait(lambda s: "lodger" not in s.apps, delay=0.1, timeout=PATIENCE, successes=1)


@pytest.fixture
def subordinate(tmp_path: Path) -> Path:
    """The folder of a charm whose units live with others'."""
    folder = tmp_path / "lodger"
    folder.mkdir()
    (folder / "charmcraft.yaml").write_text(
        "name: lodger\ntype: charm\nsummary: Lives with others.\ndescription: None.\n"
        "subordinate: true\nbase: ubuntu@24.04\nplatforms: {amd64: }\nparts: {}\n"
        "requires: {host: {interface: juju-info, scope: container}}\n"
    )
    return folder


def test_another_model_is_not_found(juju: jubilant.Juju):
    other = jubilant.Juju(cli_binary=juju.cli_binary, model="other")
    with pytest.raises(jubilant.CLIError) as refusal:
        other.status()
    assert "ERROR model machine:admin/other not found" in refusal.value.stderr


def test_an_option_that_a_charm_does_not_have_is_refused_before_it_is_deployed(
    juju: jubilant.Juju,
):
    told = refused(juju, "deploy", str(HERE / "charms/web"), "x", "--config", "colour=red")[1]
    assert told == 'ERROR x: unknown option "colour" of charm "web"\n'
    assert "x" not in juju.status().apps


@pytest.mark.parametrize("name", ["a" * 300, "a/b", "../b", "a--b", "A"])
def test_what_is_no_name_of_an_application_is_refused_in_one_line(juju: jubilant.Juju, name: str):
    code, told = refused(juju, "deploy", str(HERE / "charms/web"), name)
    assert (code, told.count("\n")) == (1, 1)
    assert told.startswith(("ERROR invalid application name ", "ERROR application name of 300"))


@pytest.mark.parametrize("answer", ["n\n", "", "what\n"])
@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("remove-application", "web"), "ERROR application removal: aborted\n"),
        (("remove-unit", "web/0"), "ERROR unit removal: aborted\n"),
    ],
)
def test_nothing_goes_unless_the_user_says_yes(
    juju: jubilant.Juju, words: tuple[str, ...], complaint: str, answer: str
):
    command = [juju.cli_binary, words[0], "-m", "test", *words[1:]]
    asked = subprocess.run(command, input=answer, capture_output=True, text=True, check=False)
    assert (asked.returncode, asked.stderr.endswith(complaint)) == (1, True)
    assert "web/0" in juju.status().apps["web"].units


def test_without_an_agent_the_error_is_one_line(juju: jubilant.Juju, tmp_path: Path):
    environment = {"PYTHONPATH": str(LIB), "MACHINE_SOCKET": str(tmp_path / "none")}
    result = subprocess.run(
        [sys.executable, "-m", "machine", "juju", "status"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.startswith(f"ERROR no agent answers on {tmp_path}/none")
    assert result.stderr.count("\n") == 1
