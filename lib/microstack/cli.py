"""The command line: its commands, and what becomes of what they raise."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tomllib
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from microstack import (
    actions,
    doctor,
    explain,
    graph,
    lifecycle,
    logs,
    passthrough,
    settings,
    start_guest,
    status,
    timeline,
    up,
    validation,
)
from microstack.errors import FAILED, INTERRUPTED, USAGE, Failure
from microstack.installation import Installation, program
from workload.config import RELEASE

EXAMPLES = """\b
Examples:
  microstack up                                  a cloud on this host
  microstack launch t1 --wait                    a guest on it
  microstack openstack server list               OpenStack's client, as admin
  microstack status --watch                      how the applications are
  microstack run keystone/0 get-admin-account    an action of a charm
  microstack config nova debug=true              an option of a charm
  microstack test                                is the cloud right? Tempest's tests
  microstack doctor                              what is wrong, and where
  microstack remove                              the host as it was before
\b
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 host not fit, 130 interrupted.
"""

RAW: dict[str, Any] = {
    "ignore_unknown_options": True,
    "allow_extra_args": True,
    "help_option_names": [],
}
"""Settings of a command that hands its arguments on untouched."""

app = typer.Typer(
    name="microstack",
    help="OpenStack on one machine, by charms.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

CLOUD, USE, LOOK = "The cloud", "Using it", "Looking into it"

app.command(rich_help_panel=CLOUD, epilog=up.EXAMPLES)(up.up)
app.command(rich_help_panel=CLOUD)(lifecycle.prepare)
app.command(rich_help_panel=CLOUD)(lifecycle.stop)
app.command(rich_help_panel=CLOUD)(lifecycle.start)
app.command(rich_help_panel=CLOUD)(lifecycle.remove)
app.command("launch", rich_help_panel=USE, epilog=start_guest.EXAMPLES)(start_guest.launch)
app.command(rich_help_panel=USE, context_settings=RAW, add_help_option=False)(
    passthrough.openstack
)
app.command("run", rich_help_panel=USE, epilog=actions.EXAMPLES)(actions.run)
app.command("test", rich_help_panel=USE, epilog=validation.EXAMPLES)(validation.test)
app.command("config", rich_help_panel=USE, epilog=settings.EXAMPLES)(settings.config)
app.command(rich_help_panel=USE, context_settings=RAW, add_help_option=False)(passthrough.juju)
app.command(rich_help_panel=LOOK, epilog=status.EXAMPLES)(status.status)
app.command(rich_help_panel=LOOK)(doctor.doctor)
app.command(rich_help_panel=LOOK, epilog=explain.EXAMPLES)(explain.explain)
app.command("debug-log", rich_help_panel=LOOK)(logs.debug_log)
app.command("logs", rich_help_panel=LOOK)(logs.service_logs)
app.command(rich_help_panel=LOOK)(timeline.timeline)
app.command(rich_help_panel=LOOK)(graph.graph)


def _version(asked: bool) -> None:
    if asked:
        project = Installation.from_environment().checkout / "pyproject.toml"
        version = tomllib.loads(project.read_text())["project"]["version"]
        typer.echo(f"microstack {version} (OpenStack {RELEASE})")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show versions.")
    ] = False,
) -> None:
    """OpenStack on one machine, by charms."""


def main() -> None:
    """Run the command that the process was given, and exit with its code."""
    signal.signal(signal.SIGTERM, _end)
    sys.exit(run(sys.argv[1:]))


def _end(number: int, _: object) -> None:
    """End in order when told to, so that the terminal is left as it was."""
    sys.exit(128 + number)


def run(arguments: Sequence[str]) -> int:
    """Run a command; return its exit code."""
    try:
        if arguments and arguments[0] in passthrough.COMMANDS:
            passthrough.COMMANDS[arguments[0]](arguments[1:])
        result = app(list(arguments), prog_name=program(), standalone_mode=False)
        return result if isinstance(result, int) else 0
    except Failure as failure:
        return _report(failure.message, failure.hint, failure.exit_code)
    except TyperException as wrong:
        return _report(wrong.format_message(), f"{_path_of(wrong)} --help", USAGE)
    except (typer.Abort, KeyboardInterrupt):
        return _report("interrupted", None, INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has enough; Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if _is_refusal(error):
            return _report(str(error), None, FAILED)
        # A defect: the user gets one line, the log gets the traceback.
        return _report(f"{type(error).__name__}: {error}", _keep(error), FAILED)


def _is_refusal(error: Exception) -> bool:
    """Tell what the machine agent or the snap runtime refused, in words for the user."""
    from machine.client import Error
    from workload.runtime.client import ClientError

    return isinstance(error, Error | ClientError)


def _path_of(wrong: TyperException) -> str:
    """Return the command, as the user writes it, that was used wrongly."""
    context = getattr(wrong, "ctx", None)
    return context.command_path if context else program()


def _report(message: str, hint: str | None, code: int) -> int:
    for line in message.splitlines():
        typer.echo(f"error: {line}", err=True)
    for line in (hint or "").splitlines():
        typer.echo(f"hint: {line}", err=True)
    return code


def _keep(error: Exception) -> str:
    """Log a traceback; return where it is."""
    log = Installation.from_environment().layout.log / "microstack.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch(mode=0o600)
        handler: logging.Handler = logging.FileHandler(log)
    except OSError:
        handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("microstack")
    logger.addHandler(handler)
    logger.error("microstack %s", " ".join(sys.argv[1:2]), exc_info=error)
    return f"this is a defect of MicroStack; its traceback is in {log}"
