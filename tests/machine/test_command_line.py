"""Juju's command line is read as Juju reads it: options, switches with values, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from machine import cli

OPTIONS = {
    "actions": "schema",
    "add-model": "c config credential no-switch owner",
    "add-secret": "file info",
    "add-unit": "attach-storage n num-units to",
    "config": "color file no-color reset",
    "controllers": "refresh",
    "debug-log": "color date exclude exclude-label exclude-module i include include-label "
    "include-module l level limit lines location ms n no-tail replay retry retry-delay tail utc x",
    "deploy": "attach-storage base bind channel config constraints device dry-run force "
    "map-machines n num-units overlay resource revision series storage to trust",
    "destroy-model": "destroy-storage force no-prompt no-wait release-storage t timeout",
    "detach-storage": "force",
    "diff-bundle": "annotations arch base channel map-machines overlay series",
    "exec": "a all app application background color execution-group machine no-color operator "
    "parallel u unit utc wait",
    "export-bundle": "filename include-charm-defaults include-series",
    "expose": "endpoints to-cidrs to-spaces",
    "find-offers": "interface offer url",
    "integrate": "via",
    "machines": "color utc",
    "model-config": "color file ignore-read-only-fields no-color reset",
    "models": "all c exact-time user utc uuid",
    "offer": "c",
    "offers": "active-only allowed-consumer application connected-user interface",
    "operations": "actions applications apps limit machines offset status units utc",
    "refresh": "base bind channel config force force-base force-series force-units path resource "
    "revision storage switch trust",
    "remove-application": "destroy-storage dry-run force no-prompt no-wait",
    "remove-machine": "dry-run force keep-instance no-prompt no-wait",
    "remove-offer": "c force y yes",
    "remove-relation": "force",
    "remove-saas": "force no-wait",
    "remove-secret": "revision",
    "remove-storage": "force no-destroy",
    "remove-unit": "destroy-storage dry-run force no-prompt no-wait num-units",
    "resolved": "all no-retry",
    "run": "background color no-color params string-args utc wait",
    "scp": "container no-host-key-checks proxy remote",
    "secrets": "owner",
    "show-controller": "show-password",
    "show-machine": "color utc",
    "show-operation": "utc wait watch",
    "show-secret": "r reveal revision revisions",
    "show-task": "utc wait watch",
    "show-unit": "app endpoint related-unit",
    "ssh": "container no-host-key-checks proxy pty remote",
    "status": "color integrations no-color relations retry-count retry-delay storage utc watch",
    "storage": "filesystem volume",
    "storage-pools": "name provider",
    "trust": "remove scope",
    "unexpose": "endpoints",
    "update-secret": "auto-prune file info name",
    "version": "all",
    "wait-for": "query summary timeout",
    "whoami": "c",
}
"""The options of Juju 3.6 beyond those of all commands (`SetFlags` in cmd/juju)."""


def commands() -> dict[str, Any]:
    found: Any = typer.main.get_command(cli.app(list(cli.COMMANDS)))
    return found.commands


@pytest.fixture
def known(request: pytest.FixtureRequest) -> set[str]:
    """The options of a command as they are written, without dashes."""
    options = (p for p in commands()[request.param].params if p.param_type_name == "option")
    return {n.lstrip("-") for o in options for n in (*o.opts, *o.secondary_opts)}


@pytest.mark.parametrize(("known", "named"), OPTIONS.items(), ids=OPTIONS, indirect=["known"])
def test_each_option_of_juju_is_known(known: set[str], named: str):
    """What cannot be done with it is then refused by its name."""
    assert set(named.split()) - known == set()


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = cli.main(words)
    printed = capsys.readouterr()
    return code, (printed.out or printed.err).rstrip("\n")


@pytest.mark.parametrize(
    "words",
    [
        ("version",),
        ("--version",),
        ("--debug", "version"),
        ("--logging-config", "<root>=DEBUG", "-q", "version"),
        ("--logging-config=<root>=DEBUG", "version"),
        ("version", "--all=false"),
        ("version", "--debug=true", "--quiet=0"),
    ],
)
def test_the_same_is_said_in_several_ways(capsys: pytest.CaptureFixture[str], words: list[str]):
    code, version = told(capsys, *words)
    assert (code, version.count("\n")) == (0, 0)
    assert version.startswith("3.6.")


def test_a_switch_that_is_on_may_say_so(capsys: pytest.CaptureFixture[str]):
    assert "compiler" in told(capsys, "version", "--all=true")[1]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("version", "--fast"), "option provided but not defined: --fast"),
        (("version", "--format"), "option needs an argument: --format"),
        (("version", "now", "please"), 'unrecognized args: ["now" "please"]'),
        (
            *(("version", "--all=maybe"),),
            'invalid boolean value "maybe" for option --all: not a boolean',
        ),
        (("run", "db/0"), "no action specified"),
        (("run", "rotate"), "no unit specified"),
        (("run", "db/0", "Rotate"), 'invalid unit or action name "Rotate"'),
        (("run", "db/0", "web/0", "rotate"), "all units must be of the same application"),
        (
            *(("run", "db/0", "rotate", "now"),),
            'argument "now" must be of the form key.key.key...=value',
        ),
        (("run", "db/0", "rotate", "--wait=soon"), 'invalid duration "soon"'),
        (("run", "db/0", "x", "--wait=1s", "--background"), "cannot specify both --wait and"),
        (("exec", "true"), "You must specify a target"),
        (
            *(("exec", "-u", "db/0,db", "true"),),
            'The following exec targets are not valid:\n  "db" is not a valid unit name',
        ),
        (("-m", "x", "status"), "option provided but not defined: -m"),
        (
            ("status", "--format=xml"),
            "Invalid value for '--format': 'xml' is not one of 'tabular'",
        ),
        (("deploy", "x", "--series=noble", "--base=ubuntu@24.04"), "--series and --base cannot"),
        (("deploy", "./x", "-n", "0"), "--num-units must be a positive integer"),
        (("resolved",), "no unit specified"),
        (("resolved", "db"), 'unit name "db" not valid'),
        (("resolved", "--all", "db/0"), "specifying unit names(s) with --all not supported"),
        (("config", "db", "a", "b"), "cannot specify multiple keys to get"),
        (
            *(("config", "db", "a", "b=c", "--reset=d"),),
            "cannot use --reset flag, get value and set key=value pairs simultaneously",
        ),
        (("config", "db", "a=b", "--reset=c,a"), 'cannot set and reset key "a" simultaneously'),
        (("config", "db", "a=b", "--reset=c", "--reset=a"), 'cannot set and reset key "a"'),
        (("config", "db", "a=b", "a=c"), 'key "a" specified more than once'),
        (("model-config", "a=b", "--reset=a"), 'cannot set and reset key "a" simultaneously'),
        (("remove-application", "db/0"), 'invalid application name "db/0"'),
        (("remove-application", "db", "--no-wait"), "--no-wait without --force not valid"),
        (("remove-relation", "db"), 'relation ID "db" not valid'),
        (("remove-relation", "a", "b", "c"), "a relation must involve two applications"),
        (("show-unit", "web"), "unit name web not valid"),
        (("show-unit", "web", "db"), "unit names web, db not valid"),
        (("show-unit", "web/0", "--related-unit=db"), "related unit name db not valid"),
        (("add-storage", "db", "data"), 'unit name "db" not valid'),
        (("show-task", "one"), 'task ID "one" not valid'),
        (("show-task", "1", "--watch", "--wait=1s"), "specify either --watch or --wait"),
        (("show-operation", "one"), 'operation ID "one" not valid'),
        (
            ("show-secret", "x", "--revisions", "--reveal"),
            "specify either --revisions or --reveal",
        ),
        (("add-secret", "x"), "missing secret value or filename"),
        (("debug-log", "--tail", "--no-tail"), "setting --tail and --no-tail not valid"),
        (("debug-log", "--retry", "--no-tail"), "setting --no-tail and --retry not valid"),
        (
            *(("debug-log", "--level=LOUD"),),
            'level value "LOUD" is not one of "TRACE", "DEBUG", "INFO", "WARNING", "ERROR"',
        ),
        (("attach-resource", "db", "image"), 'expected name=file, got "image"'),
        (("destroy-model", "x", "--timeout=1s"), "--timeout can only be used with --force"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anyone_is_asked(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    complaint: str,
):
    """With the code of a command that Juju does not run at all."""
    monkeypatch.setenv("MACHINE_SOCKET", "/nonexistent")
    code, said = told(capsys, *words)
    assert said.startswith(f"ERROR {complaint}")
    assert code == 2


@pytest.mark.parametrize("option", ["--pty", "--pty=true", "--pty=false"])
def test_ssh_takes_no_target_for_the_value_of_a_switch(option: str):
    context = commands()["ssh"].make_context("ssh", [option, "db/0", "true"])
    assert (context.params["target"], context.params["words"]) == ("db/0", ["true"])


def test_arguments_of_another_program_are_left_alone():
    """A switch with a value after the command's own options is not this command's."""
    context = commands()["exec"].make_context("exec", ["-u", "a/0", "x", "--all=true"])
    assert context.params["command"] == ["x", "--all=true"]
    assert not context.params["every"]
