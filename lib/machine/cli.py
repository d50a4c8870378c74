"""A command line compatible with Juju's, on the agent: output, JSON and exit codes of Juju 3.6.

`python -m machine juju COMMAND`; jubilant drives it as its `cli_binary`. The environment variable
`MACHINE_SOCKET` says where the agent listens.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import typer
from typer.exceptions import TyperException

from machine.client import Error
from machine.command_line import Command, command_first, complaint
from machine.console import CommandError, UsageError
from machine.log_options import with_log_options
from machine.output_file import with_output

_FAILED = 1

COMMANDS: Mapping[str, str] = {
    "actions": "cli_task.actions",
    "add-machine": "cli_host.add_machine",
    "add-model": "cli_model.add_model",
    "add-secret": "cli_secret.add_secret",
    "add-storage": "cli_storage.add_storage",
    "add-unit": "cli_scale.add_unit",
    "attach-resource": "cli_scale.attach_resource",
    "attach-storage": "cli_storage.attach_storage",
    "cancel-task": "cli_task.cancel_task",
    "config": "cli_change.config",
    "consume": "cli_offer.consume",
    "controllers": "cli_model.controllers",
    "debug-log": "cli_show.debug_log",
    "deploy": "cli_change.deploy",
    "destroy-model": "cli_model.destroy_model",
    "detach-storage": "cli_storage.detach_storage",
    "diff-bundle": "cli_bundle.diff_bundle",
    "exec": "cli_run.execute",
    "export-bundle": "cli_bundle.export_bundle",
    "expose": "cli_scale.expose",
    "find-offers": "cli_offer.find_offers",
    "grant-secret": "cli_secret.grant_secret",
    "integrate": "cli_change.integrate",
    "machines": "cli_host.machines",
    "model-config": "cli_model.model_config",
    "model-constraints": "cli_model.model_constraints",
    "models": "cli_model.models",
    "offer": "cli_offer.offer",
    "offers": "cli_offer.offers",
    "operations": "cli_task.operations",
    "refresh": "cli_scale.refresh",
    "relate": "cli_change.integrate",
    "remove-application": "cli_scale.remove_application",
    "remove-machine": "cli_host.remove_machine",
    "remove-offer": "cli_offer.remove_offer",
    "remove-relation": "cli_scale.remove_relation",
    "remove-saas": "cli_offer.remove_saas",
    "remove-secret": "cli_secret.remove_secret",
    "remove-storage": "cli_storage.remove_storage",
    "remove-unit": "cli_scale.remove_unit",
    "resolved": "cli_change.resolved",
    "revoke-secret": "cli_secret.revoke_secret",
    "run": "cli_run.run",
    "scp": "cli_host.scp",
    "secrets": "cli_secret.secrets",
    "set-model-constraints": "cli_model.set_model_constraints",
    "show-action": "cli_task.show_action",
    "show-application": "cli_show.show_application",
    "show-controller": "cli_model.show_controller",
    "show-machine": "cli_host.show_machine",
    "show-model": "cli_model.show_model",
    "show-offer": "cli_offer.show_offer",
    "show-operation": "cli_task.show_operation",
    "show-secret": "cli_secret.show_secret",
    "show-storage": "cli_storage.show_storage",
    "show-task": "cli_task.show_task",
    "show-unit": "cli_show.show_unit",
    "ssh": "cli_host.ssh",
    "status": "cli_show.status",
    "storage": "cli_storage.storage",
    "storage-pools": "cli_storage.storage_pools",
    "switch": "cli_model.switch",
    "trust": "cli_scale.trust",
    "unexpose": "cli_scale.unexpose",
    "update-secret": "cli_secret.update_secret",
    "version": "cli_show.version",
    "wait-for": "cli_wait.wait_for",
    "whoami": "cli_model.whoami",
}
"""Module and function of each command: only the one that is run is loaded."""

_AS_GIVEN = {"allow_interspersed_args": False}
_LEAVES_OPTIONS: Mapping[str, dict[str, Any]] = {
    "add-machine": {"ignore_unknown_options": True},
    "exec": _AS_GIVEN,
    "scp": {**_AS_GIVEN, "ignore_unknown_options": True},
    "ssh": _AS_GIVEN,
}
"""Commands with options of another program among their arguments."""


def app(names: Sequence[str]) -> typer.Typer:
    """The command line with some of the commands."""
    made = typer.Typer(
        name="juju",
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Juju's commands, on the machine agent of this host.",
    )

    # With it, a single command is called by its name as well.
    made.callback()(lambda: None)
    for name in names:
        module, _, function = COMMANDS[name].partition(".")
        command = getattr(import_module(f"machine.{module}"), function)
        whole = with_log_options(with_output(command))
        made.command(name, cls=Command, context_settings=_LEAVES_OPTIONS.get(name))(whole)
    return made


def main(arguments: Sequence[str]) -> int:
    """Run one command; return the exit code that Juju would."""
    try:
        words = _words(arguments)
        named = list(COMMANDS) if words[:1] == ["--help"] else words[:1]
        result = app(named)(words, prog_name="juju", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except TyperException as wrong:
        return _report(complaint(wrong), UsageError.code)
    except CommandError as error:
        return _report(str(error), error.code)
    except Error as error:
        return _report(str(error), _FAILED)
    except (typer.Abort, KeyboardInterrupt):
        return _report("interrupted", _FAILED)
    except BrokenPipeError:
        # The reader has enough; Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED


def _words(arguments: Sequence[str]) -> list[str]:
    """The arguments, of which the first is a command that is offered, or `--help`.

    Raises:
        CommandError: it is not offered here.
    """
    first, *rest = command_first(arguments) or ["--help"]
    if first == "--version":
        return ["version"]
    if first in ("help", "--help", "-h"):
        return [*_words(rest)[:1], "--help"] if rest else ["--help"]
    if first.startswith("-"):
        raise UsageError(f"option provided but not defined: {first}")
    name = first.removeprefix("list-")
    if name not in COMMANDS:
        offered = ", ".join(COMMANDS)
        raise CommandError(f'juju: "{first}" is not offered on this host; {offered} are')
    return [name, *rest]


def _report(message: str, code: int) -> int:
    typer.echo(f"ERROR {message}", err=True)
    return code
