"""`microstack test`: whether the cloud is right, by Tempest's tests."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from microstack.actions import tell
from microstack.errors import Failure, Interrupted
from microstack.installation import Installation, program
from microstack.progress import progress
from microstack.up import TIMEOUT, Watch

EXAMPLES = """\b
Examples:
  microstack test                                     Tempest's smoke tests
  microstack test interop-2018.02 -j 2                what a guideline says must pass
  microstack test interop-2018.02 --include 'api\\.network'
  microstack test 'test_server_basic_ops'             tests by a regular expression
  microstack test ./list.txt --output results         a list of one's own; reports copied
"""

UNIT = "tempest/leader"
APPLICATION = "tempest"
REPORTS = ("report", "junit")
"""Results that are paths of files for the user."""


def test(
    wanted: Annotated[
        str,
        typer.Argument(metavar="[LIST]", help="smoke, interop-..., all, a regex, or a file."),
    ] = "smoke",
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-j", min=1, help="How many tests run at a time.")
    ] = 2,
    include: Annotated[
        str, typer.Option(metavar="REGEX", help="Only tests in whose names it is found.")
    ] = "",
    exclude: Annotated[
        str, typer.Option(metavar="REGEX", help="No test in whose name it is found.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to copy the reports.")
    ] = None,
) -> None:
    """Test the cloud with Tempest; nothing of it is left in the cloud."""
    installation = Installation.from_environment()
    _ensure_deployed(installation)
    named = Path(wanted)
    parameters: dict[str, Any] = {
        "list": str(named.absolute()) if named.is_file() else wanted,
        "concurrency": concurrency,
        "include": include,
        "exclude": exclude,
    }
    try:
        result = installation.machine().run(UNIT, "validate", parameters, None, tell, with_us=True)
    except KeyboardInterrupt:
        reason = "interrupted; the tests were stopped, what they made may be left"
        raise Interrupted(reason, _cleanup()) from None
    _show(result.results, output)
    if result.status != "completed":
        whole = result.results and not result.results.get("left")
        hint = None if whole else _cleanup()
        raise Failure(f"the tests {result.status}: {result.message}", hint)


def _ensure_deployed(installation: Installation) -> None:
    """Deploy the charm of the tests where it is not, and wait for its credentials.

    Raises:
        Failure: there is no cloud, or it does not become ready.
    """
    machine = installation.machine()
    known = machine.status()["applications"]
    if "keystone" not in known:
        raise Failure("there is no cloud to test", f"{program()} up")
    with installation.exclusively(), progress(sys.stderr) as shown:
        installation.prepare_tests(shown.step)
        if APPLICATION in known:
            return
        shown.step("deploying tempest")
        machine.deploy(installation.bundle, [installation.overlay("validation")])
        Watch(installation.machine, shown, TIMEOUT).until_settled()


def _cleanup() -> str:
    return f"{program()} run {UNIT} cleanup"


def _show(results: Mapping[str, Any], output: Path | None) -> None:
    for name in ("skip-reasons", "missing", "left", "failures"):
        if text := results.get(name):
            typer.echo(f"\n{name.replace('-', ' ')}:\n{text}")
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
    for name in REPORTS:
        if path := results.get(name):
            at = shutil.copy(path, output) if output else path
            typer.echo(f"{name}: {at}")
