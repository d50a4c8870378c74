"""The distribution's packages: which are needed, their digests, their content."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# apt-get download needs no root; as root it would want a folder that user _apt can write to.
_DOWNLOAD = ("apt-get", "-o", "APT::Sandbox::User=root", "download")
_ARCHIVE = re.compile(r"^'[^']+' (?P<name>\S+) \d+ (?P<digest>\S+)$", re.MULTILINE)
_DEPENDS = re.compile(r"[ |]{2}(?:Pre)?Depends: ([^<]\S*)$")

ADVICE = "run apt-get update, and check that the distribution's own sources are enabled"


class PackageError(Exception):
    """A package could not be had; the message says which and what to do."""


@dataclass(frozen=True, order=True)
class Archive:
    """A package's file, as apt's index describes it."""

    name: str
    digest: str


def dependencies(names: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """Of `names` and all they depend on, directly or not, what each depends on.

    Names that apt does not know are left out.
    """
    options = ("--recurse", "--important")
    listed = _run(["apt-cache", "depends", *options, *sorted(names)], "read apt's index")
    graph: dict[str, list[str]] = {}
    for line in listed.splitlines():
        if not line.startswith((" ", "<")):
            current = graph.setdefault(line, [])
        elif match := _DEPENDS.match(line):
            current.append(match[1])
    return graph


def closure(graph: Mapping[str, Sequence[str]], names: Iterable[str], follow: str) -> set[str]:
    """`names` and, of what they depend on, all packages whose name matches `follow`.

    Raises:
        PackageError: apt does not know one of `names`.
    """
    found: set[str] = set()
    fresh = set(names)
    if missing := fresh - graph.keys():
        raise PackageError(f"apt knows no package {', '.join(sorted(missing))}: {ADVICE}")
    while fresh:
        found |= fresh
        wanted = {name for each in fresh for name in graph[each] if re.match(follow, name)}
        fresh = (wanted & graph.keys()) - found
    return found


def locate(names: Sequence[str]) -> list[Archive]:
    """The archives apt would download for `names`.

    Raises:
        PackageError: apt does not know a package.
    """
    listed = _run([*_DOWNLOAD, "--print-uris", *names], "look up packages")
    archives = sorted(Archive(m["name"], m["digest"]) for m in _ARCHIVE.finditer(listed))
    if len(archives) != len(set(names)):
        had = {archive.name.split("_")[0] for archive in archives}
        raise PackageError(f"apt has no archive of {', '.join(sorted(set(names) - had))}")
    return archives


def unpack(names: Sequence[str], archives: Iterable[Archive], folder: Path, tree: Path) -> None:
    """Download packages into `folder` (apt checks their digests), put their content in `tree`.

    Raises:
        PackageError: a download failed or an archive is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tree.mkdir(parents=True, exist_ok=True)
    _run([*_DOWNLOAD, *names], "download packages", cwd=folder)
    for archive in archives:
        _run(["dpkg-deb", "-x", str(folder / archive.name), str(tree)], f"unpack {archive.name}")


def _run(command: list[str], purpose: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    except FileNotFoundError:
        raise PackageError(f"cannot {purpose}: there is no {command[0]} on this machine") from None
    if done.returncode:
        raise PackageError(f"cannot {purpose}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
