"""What the program of each service is: a refresh restarts those alone whose program changed.

Of what was built the parts of snapcraft.yaml note a digest (snap/digest, snap/environment), for
there is too much of it to look through. The rest is text, and is looked through here: the table of
services, the scripts in `bin/`, and the modules of this package. A checkout has no parts: its
environment is known by the name of its folder, and packages of the distribution are the host's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from workload.service_table import App, ServiceTable

NOTED = Path("digests")
"""Folder of the snap with what parts have noted, a file each; a checkout has none."""

ENVIRONMENT = "openstack"
"""The part with OpenStack's Python environment, and its folder; in a checkout a link to it."""

UNREAD = ("__pycache__", "snapd", "templates", "validation")
"""Folders of this package that no service reads: hooks and commands do. What is rendered of
templates counts by itself."""

_SCRIPT = re.compile(r"\$SNAP/bin/([\w-]+)")
_PREPARATION = re.compile(r"-m (workload[\w.]+)")


def digests(table: ServiceTable, snap: Path) -> dict[str, str]:
    """Return the digest of each service's program.

    A oneshot has none. It does not run, so that no program of it can be the wrong one; what it did
    stands, and undoing it does harm: guests would end, volumes go.

    Args:
        table: the services.
        snap: the folder of the snap's files.
    """
    library = _library(snap / "lib")
    return {
        name: _digest(_pieces(app, snap, library))
        for name, app in table.services.items()
        if not app.oneshot
    }


def texts(app: App, snap: Path) -> list[str]:
    """Return the command of an app, and the scripts of the snap that it comes by."""
    below_snap = (f"$SNAP/{path}" for path in (*app.command_chain, app.command[0]))
    command = " ".join((*below_snap, *app.command[1:]))
    scripts: dict[str, str] = {}
    waiting = [command]
    while waiting:
        for name in _SCRIPT.findall(waiting.pop()):
            if name not in scripts:
                scripts[name] = _read(snap / "bin" / name)
                waiting.append(scripts[name])
    return [command, *scripts.values()]


def _pieces(app: App, snap: Path, library: str) -> Iterator[str]:
    """Yield all that makes up a program."""
    yield from (f"{name}={value}" for name, value in app.environment.items())
    # The system calls that it may make are set when it is started.
    yield " ".join(sorted(app.plugs))
    yield from (read := texts(app, snap))
    yield _noted(snap, "distribution")
    if any("$SNAP/usr/lib/microstack/" in text for text in read):
        yield _noted(snap, "confinement")
    # What a script becomes stands in its end. What it runs before that has come and gone: libvirt
    # is not of Python for being prepared with it.
    if any("$SNAP/openstack/bin/" in text.rpartition("exec ")[2] for text in read):
        yield _environment(snap)
        yield library
    for module in (name for text in read for name in _PREPARATION.findall(text)):
        yield _read(snap / "lib" / f"{module.replace('.', '/')}.py")


def _library(folder: Path) -> str:
    """Return the digest of what Python finds of this project's in a service."""
    package = folder / "workload"
    files = [folder / "sitecustomize.py", *sorted(package.rglob("*"))]
    return _digest(
        f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in files
        if path.is_file() and not set(path.relative_to(folder).parts) & {*UNREAD}
    )


def _environment(snap: Path) -> str:
    link = snap / ENVIRONMENT
    return str(link.readlink()) if link.is_symlink() else _noted(snap, ENVIRONMENT)


def _noted(snap: Path, part: str) -> str:
    return _read(snap / NOTED / part)


def _read(path: Path) -> str:
    # A snap may be built of some parts alone.
    return path.read_text() if path.exists() else ""


def _digest(pieces: Iterable[str]) -> str:
    # Each with its length, so that what ends one piece cannot begin the next.
    return hashlib.sha256(
        b"".join(b"%d:%s" % (len(data), data) for data in (piece.encode() for piece in pieces))
    ).hexdigest()
