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
    assert (failed.returncode, failed.stderr.splitlines()[0]) == (1, "no")
    assert "ERROR the following task failed" in failed.stderr
    assert run(juju, "status", "-q", "nobody").stderr == ""
    assert run(juju, "status", "nobody").stderr == "Nothing matched specified filter.\n"


def test_a_command_of_the_shell_is_told_of_to_those_who_ask(juju: jubilant.Juju):
    command = ("--unit", "db/0", "--", "echo no >&2; echo yes")
    usual = run(juju, "exec", *command)
    assert (usual.stdout, usual.stderr) == ("yes\n", "no\n")
    verbose = run(juju, "exec", "--verbose", *command)
    assert re.match(
        r"Running operation \d+ with 1 task\n  - task \d+ on unit-db-0\n", verbose.stderr
    )


def test_where_a_bundle_was_exported_to_is_the_answer(juju: jubilant.Juju, tmp_path: Path):
    done = run(juju, "export-bundle", "--filename", str(tmp_path / "bundle.yaml"))
    assert done.stdout == f"Bundle successfully exported to {tmp_path / 'bundle.yaml'}\n"
    assert (tmp_path / "bundle.yaml").exists()


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
        (("status", "--fast"), 2, "ERROR No such option: --fast"),
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
        (("show-unit", "web"), 1, "ERROR unit name web not valid"),
        (("show-unit", "web", "db"), 1, "ERROR unit names web, db not valid"),
        (("show-unit", "web/0", "--related-unit=db"), 1, "ERROR related unit name db not valid"),
        (("show-task", "1", "--watch", "--wait=1s"), 1, "ERROR specify either --watch or --wait"),
        (("show-operation", "1", "--watch", "--wait=0s"), 1, "ERROR specify either --watch or"),
        (("show-task", "one"), 1, 'ERROR task ID "one" not valid'),
        (("run", "rotate"), 1, "ERROR expected units, one action"),
        (("run", "db/0", "rotate", "--wait", "soon"), 1, 'ERROR invalid duration "soon"'),
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
