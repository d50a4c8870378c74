"""`microstack stop`, `start` and `remove`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from microstack.errors import Failure, Interrupted, UsageFailure
from microstack.installation import CLOUD, Installation, program
from microstack.progress import progress
from microstack.up import TIMEOUT, Watch


def prepare() -> None:
    """Install what a cloud is run from, and start nothing; `up` does it too."""
    installation = Installation.from_environment()
    installation.require_root()
    with installation.exclusively():
        installation.prepare(typer.echo)


def stop() -> None:
    """Stop the cloud, guests included; nothing is lost."""
    installation = Installation.from_environment()
    installation.require_root()
    if not installation.exists:
        raise Failure("nothing was brought up here yet", f"{program()} up")
    with installation.exclusively():
        installation.stop()
    typer.echo(f"stopped; {program()} start brings it back")


def start() -> None:
    """Start the cloud again after `stop` or a reboot."""
    installation = Installation.from_environment()
    installation.require_root()
    if not installation.exists:
        raise Failure("nothing was brought up here yet", f"{program()} up")
    with installation.exclusively():
        installation.start()
    try:
        with progress(sys.stdout) as shown:
            shown.step("waiting for the applications")
            Watch(installation.machine, shown, TIMEOUT).until_settled()
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted; the cloud goes on starting", f"{program()} status"
        ) from None
    typer.echo("started")


def remove(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print what would be undone and deleted.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove the cloud and all its data; the host is as before."""
    installation = Installation.from_environment()
    installation.require_root()
    if dry_run:
        for line in plan(installation):
            typer.echo(line)
        return
    if installation.removed_by != f"{program()} remove":
        raise Failure("the snap is removed as a whole", installation.removed_by)
    if not installation.layout.root.exists():
        typer.echo("there is nothing to remove")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise UsageFailure("there is nobody to ask whether to remove it all", "add --yes")
        typer.confirm("Remove the cloud, its guests and all their data?", abort=True)
    try:
        undo(installation)
    except KeyboardInterrupt:
        raise Interrupted("interrupted", f"{program()} remove goes on where it was") from None
    typer.echo("removed")


def plan(installation: Installation) -> list[str]:
    """Return what `remove` would do, in order."""
    from microstack import clouds
    from workload.ledger import Ledger

    layout = installation.layout
    lines = ["stop all services and guests"] if installation.running else []
    lines += [f"undo: {line}" for line in Ledger(layout.ledger).describe()]
    lines += [f"take the cloud {CLOUD} out of {clouds.path()}"] if clouds.present() else []
    return lines + [f"delete {path}" for path in installation.contents if path.exists()]


def undo(installation: Installation) -> None:
    """Stop everything, put the host back as it was found and delete all state.

    What tells what there is to undo goes last, so that what was cut off can be done again.

    Raises:
        Failure: something cannot be stopped, undone or deleted.
    """
    from microstack import clouds
    from workload.ledger import Ledger, LedgerError

    with installation.exclusively():
        installation.stop()
        try:
            Ledger(installation.layout.ledger).undo()
        except LedgerError as error:
            reason = f"not all could be undone: {error}"
            raise Failure(reason, f"{program()} remove tries the rest again") from None
        clouds.forget()
        delete(installation.contents, installation.layout.root)


def delete(contents: Sequence[Path], root: Path) -> None:
    """Delete the contents of a root, and the root if nothing else is in it.

    Raises:
        Failure: a file system is still mounted there; nothing was deleted.
    """
    from workload.host.mounts import mount_points

    mounted = [point for point in mount_points() if point.is_relative_to(root)]
    if mounted:
        raise Failure(f"{mounted[0]} is still mounted", f"umount it, then {program()} remove")
    for path in contents:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if not any(root.iterdir()):
        root.rmdir()
