"""Runs the parts of snapcraft.yaml and packs what they prime; build.py starts it."""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apt.cache
import apt_pkg
import meta
from craft_parts import ActionType, LifecycleManager, PartsError, Step, callbacks

from microstack import environment

CHECKOUT = Path(__file__).resolve().parent.parent
SNAPCRAFT = CHECKOUT / "snap/snapcraft.yaml"

PACKER = ("snapd", "squashfs-tools", "liblzo2-2")
"""Packages that `snap pack` is run from, without installing them."""

BASE = ("python3", "python3-minimal", "mawk", "usr-is-merged")
"""What the base has beside Essential packages, as packages of this machine's distribution."""

IGNORED = [".git", "*.snap", "*.charm", "__pycache__", ".*_cache", ".tox", "tests"]
"""Patterns of what in this checkout is not part of a snap."""


class BuildError(Exception):
    """The snap could not be built; the message says which step failed."""


def main() -> int:
    """The command line."""
    arguments = _parse()
    started = time.monotonic()
    work: Path = arguments.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    try:
        with (work / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            snap, built = build(arguments.output.absolute(), work, arguments.parts)
    except (BuildError, meta.MetaError, environment.InstallationError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    size = snap.stat().st_size / 2**20
    state = "built" if built else "up to date"
    sys.stdout.write(f"{snap}: {state}, {size:.1f} MiB, {time.monotonic() - started:.0f} s\n")
    return 0


def build(output: Path, work: Path, names: Sequence[str]) -> tuple[Path, bool]:
    """Build the snap unless it is there; return it, and whether it was built.

    Args:
        output: folder to put it in.
        work: folder of all that is kept for the next time.
        names: the parts to build beside those that are built; none means all.

    Raises:
        BuildError: a part cannot be built, or `snap pack` refuses the whole.
        meta.MetaError: snapcraft.yaml has a mistake.
    """
    document = meta.read(SNAPCRAFT)
    parts: dict[str, Any] = document["parts"]
    for part in parts.values():
        if "stage-packages" in part:
            given = part["stage-packages"]
            part["stage-packages"] = [name for name in given if name not in environment.lacking()]
        _follow_scripts(part)
    if unknown := set(names) - parts.keys():
        raise BuildError(f"snapcraft.yaml has no part {', '.join(sorted(unknown))}")
    needed = [tool for name in names or parts for tool in parts[name].get("build-packages", ())]
    environment.ensure_packages(needed, _announce)
    tree = work / "tree"
    prime(parts, names, tree, work / "cache")
    meta.write(document, CHECKOUT, tree / "prime")
    snap = output / f"{document['name']}_{document['version']}_amd64.snap"
    stamp, digest = tree / "packed", _digest(tree / "prime")
    if snap.exists() and stamp.exists() and stamp.read_text() == f"{digest} {snap}":
        return snap, False
    _announce(f"packing {snap.name}")
    stamp.unlink(missing_ok=True)
    output.mkdir(parents=True, exist_ok=True)
    pack(tree / "prime", snap, _packer(work / "packer"), document.get("compression", "xz"))
    stamp.write_text(f"{digest} {snap}")
    return snap, True


def _follow_scripts(part: dict[str, Any]) -> None:
    """Have a part built anew when a script of snap/ that builds it is another.

    craft-parts asks whether the part's own keys and its source are.
    """
    words = str(part.get("override-build", "")).replace('"', " ").split()
    prefix = "$CRAFT_PROJECT_DIR/"
    scripts = [word.removeprefix(prefix) for word in words if word.startswith(prefix)]
    if scripts:
        digest = hashlib.sha256(b"".join((CHECKOUT / name).read_bytes() for name in scripts))
        part["build-environment"] = [{"SCRIPTS_DIGEST": digest.hexdigest()}]


def prime(parts: dict[str, Any], names: Sequence[str], tree: Path, cache: Path) -> None:
    """Bring parts to their last step; those that are there already cost nothing.

    Raises:
        BuildError: a part fails; its output is in the log beside the tree.
    """
    tree.mkdir(parents=True, exist_ok=True)
    log = tree / "build.log"
    logging.basicConfig(filename=log, filemode="w", level=logging.INFO, format="%(message)s")
    callbacks.unregister_all()
    callbacks.register_stage_packages_filter(lambda _: base_packages())
    os.chdir(CHECKOUT)
    with log.open("a") as output:
        try:
            lifecycle = LifecycleManager(
                {"parts": parts},
                application_name="microstack",
                cache_dir=cache,
                work_dir=tree,
                base="core24",
                ignore_local_sources=IGNORED,
            )
            actions = lifecycle.plan(Step.PRIME, names)
            if all(action.action_type is ActionType.SKIP for action in actions):
                return
            with lifecycle.action_executor() as executor:
                for action in actions:
                    if action.action_type is not ActionType.SKIP:
                        _announce(f"{action.step.name.lower()} {action.part_name}")
                    try:
                        executor.execute(action, stdout=output, stderr=output)
                    except PartsError:
                        # What a step left half-done would be in the way of the next try.
                        lifecycle.clean(action.step, part_names=[action.part_name])
                        raise
        except PartsError as error:
            raise BuildError(f"{error}; see {log}") from None


def base_packages() -> set[str]:
    """Return the packages the base has: what they hold is not put into the snap again."""
    cache = apt.cache.Cache()
    # Asked of the index: records are slow to read.
    essential = [package.name for package in apt_pkg.Cache(None).packages if package.essential]
    found: set[str] = set()
    waiting = [*essential, *BASE]
    while waiting:
        name = waiting.pop()
        if name in found or name not in cache or cache[name].candidate is None:
            continue
        found.add(name)
        for dependency in cache[name].candidate.get_dependencies("PreDepends", "Depends"):
            choices = [version.package.name for version in dependency.target_versions]
            if choices and not found.union(BASE).intersection(choices):
                waiting.append(choices[0])
    return found


def pack(tree: Path, snap: Path, packer: Path, compression: str) -> None:
    """Make the snap from what was primed.

    Raises:
        BuildError: `snap pack` finds fault with the tree.
    """
    libraries = ":".join(
        str(packer / path) for path in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
    )
    variables = {
        "PATH": f"{packer}/usr/bin:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": libraries,
        "LC_ALL": "C.UTF-8",
    }
    command = [str(packer / "usr/bin/snap"), "pack", f"--compression={compression}"]
    checked = _run([*command, "--check-skeleton", str(tree)], variables)
    # It names a command that is not there, and thinks no worse of the snap.
    if "path" in checked and "does not exist" in checked:
        raise BuildError(checked)
    # Aside: what has the snap's name is whole.
    with tempfile.TemporaryDirectory(dir=snap.parent, prefix=".packing-") as folder:
        _run([*command, f"--filename={snap.name}", str(tree), folder], variables)
        Path(folder, snap.name).replace(snap)


def _packer(folder: Path) -> Path:
    """Return a folder with `snap` and what it packs with."""
    if (folder / "complete").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    archives = folder / "archives"
    archives.mkdir(parents=True)
    _run(["apt-get", "--quiet", "--quiet", "download", *PACKER], cwd=archives)
    for archive in archives.iterdir():
        _run(["dpkg-deb", "--extract", str(archive), str(folder)])
    (folder / "complete").touch()
    return folder


def _digest(tree: Path) -> str:
    """Return what changes with any file of a tree: names, sizes, modes and times."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(tree):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            status = path.lstat()
            line = f"{path} {status.st_size} {status.st_mode:o} {status.st_mtime_ns}\n"
            digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _run(
    command: Sequence[str], variables: dict[str, str] | None = None, cwd: Path | None = None
) -> str:
    """Run a program; return what it wrote."""
    done = subprocess.run(
        command,
        env={**os.environ, **(variables or {})},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"{' '.join(command[:3])} ... failed: {done.stdout.strip()}")
    return done.stdout


def _announce(step: str) -> None:
    print(f"snap: {step}", file=sys.stderr, flush=True)  # noqa: T201


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="build.py", description="Build the snap with apt and Python alone."
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to put the snap in")
    parser.add_argument(
        "--parts",
        type=lambda text: tuple(text.split(",")),
        default=(),
        metavar="NAME,...",
        help="no more than these, beside what is built; apps that are not there are left out",
    )
    parser.add_argument(
        "--work", type=Path, default=environment.CACHE / "snap", help="keep parts and trees here"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
