"""The files of a charm: reading its declaration, and putting it into a unit's charm folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from machine.document import Document, DocumentError, parse_one

_DECLARATIONS = ("metadata.yaml", "config.yaml", "actions.yaml")
_MANIFEST = ".materialised.json"
_NOT_CHARM = {"tests", "__pycache__", "README.md", "pyproject.toml", "tox.ini", "uv.lock"}


class CharmError(Exception):
    """A charm that cannot be used; each of `problems` is one line with file, line and key."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Part:
    """One of the three declarations, and where it stands: below `prefix` in `document`."""

    content: dict[str, Any]
    document: Document
    prefix: tuple[str, ...] = ()


def read(source: Path) -> dict[str, str]:
    """Text of the files that declare the charm in a folder or `.charm` file, by file name.

    Raises:
        CharmError: no charm is there.
    """
    try:
        files = _read(source)
    except zipfile.BadZipFile:
        raise CharmError(f"{source}: not a charm: not a zip archive") from None
    except UnicodeDecodeError as e:
        raise CharmError(f"{source}: a file of the charm is not UTF-8 text: {e}") from None
    if not files.keys() & {"charmcraft.yaml", "metadata.yaml"}:
        raise CharmError(f"{source}: not a charm: it has no charmcraft.yaml or metadata.yaml")
    return files


def _read(source: Path) -> dict[str, str]:
    names = ("charmcraft.yaml", *_DECLARATIONS, "version")
    if source.is_dir():
        return {n: (source / n).read_text() for n in names if (source / n).is_file()}
    if not source.is_file():
        raise CharmError(f"{source}: no charm there: neither a folder nor a .charm file")
    with zipfile.ZipFile(source) as archive:
        return {n: archive.read(n).decode() for n in names if n in archive.namelist()}


_CHARMCRAFT_TO_METADATA = {
    "title": "display-name",
    **{
        key: key
        for key in (
            *("name", "summary", "description", "assumes", "charm-user", "containers", "devices"),
            *("extra-bindings", "peers", "provides", "requires", "resources", "storage"),
            *("subordinate", "terms"),
        )
    },
}
_LINKS_TO_METADATA = {
    "contact": "maintainers",
    "documentation": "docs",
    "issues": "issues",
    "source": "source",
    "website": "website",
}


def split_parts(files: Mapping[str, str], source: Path) -> dict[str, Part]:
    """The declaration as parts `metadata`, `config`, `actions`.

    Where both a metadata.yaml and a charmcraft.yaml stand, the first is the charm's (the second
    then only says how to build).

    Raises:
        DocumentError: a file is not YAML, or not a mapping.
    """

    def document(name: str) -> Document:
        return parse_one(files.get(name, ""), f"{source}/{name}")

    if "metadata.yaml" in files:
        documents = {name.removesuffix(".yaml"): document(name) for name in _DECLARATIONS}
        return {name: Part(d.mapping, d) for name, d in documents.items()}
    unified = document("charmcraft.yaml")
    whole = unified.mapping
    metadata = {new: whole[old] for old, new in _CHARMCRAFT_TO_METADATA.items() if old in whole}
    links = unified.below("links").mapping
    metadata |= {new: links[old] for old, new in _LINKS_TO_METADATA.items() if old in links}
    return {
        "metadata": Part(metadata, unified),
        "config": Part(unified.below("config").mapping, unified, ("config",)),
        "actions": Part(unified.below("actions").mapping, unified, ("actions",)),
    }


def split(source: Path) -> dict[str, dict[str, Any]]:
    """What `metadata.yaml`, `config.yaml` and `actions.yaml` of a charm say, by file name.

    ops reads these three and never `charmcraft.yaml`, which is split as charmcraft does on pack.

    Raises:
        CharmError: no charm is there, or a file of it is not YAML.
    """
    try:
        parts = split_parts(read(source), source)
    except DocumentError as e:
        raise CharmError(str(e)) from None
    return {f"{name}.yaml": part.content for name, part in parts.items()}


def digest(source: Path) -> str:
    """SHA-256 of the charm's content: of the `.charm` file, or of a folder's own files."""
    if source.is_file():
        return hashlib.sha256(source.read_bytes()).hexdigest()
    whole = hashlib.sha256()
    for file in sorted(_own_files(source)):
        whole.update(f"{file.relative_to(source)}\0{file.stat().st_size}\0".encode())
        whole.update(file.read_bytes())
    return whole.hexdigest()


def _own_files(source: Path) -> Iterator[Path]:
    for file in source.rglob("*"):
        top, *below = file.relative_to(source).parts
        if file.is_file() and _belongs(top) and "__pycache__" not in below:
            yield file


def _belongs(entry: str) -> bool:
    """Whether a top-level entry of a source folder is part of the charm, as packing takes it."""
    return not (entry in _NOT_CHARM or entry.startswith(".") or entry.endswith(".charm"))


# ---- a unit's charm folder


def materialise(source: Path, target: Path, python: Path = Path(sys.executable)) -> None:
    """Put a charm into a unit's charm folder `target`; again for another version of it.

    A `.charm` file is unpacked. Of a folder, the entries are linked, the declarations are written
    as ops wants them, and a `dispatch` that runs `src/charm.py` with `python` is added where the
    charm has none. What the charm itself left in `target` (`.unit-state.db`) stays.

    Raises:
        CharmError: no charm is there, or the archive holds entries that lead out of it.
    """
    target.mkdir(parents=True, exist_ok=True)
    written = _link(source, target, python) if source.is_dir() else _unpack(source, target)
    manifest = target / _MANIFEST
    before: set[str] = set(json.loads(manifest.read_text())) if manifest.exists() else set()
    for gone in sorted(before - written):
        _remove_own(target, gone)
    manifest.write_text(json.dumps(sorted(written)))


def _link(source: Path, target: Path, python: Path) -> set[str]:
    declarations = split(source)
    written: set[str] = set()
    for entry in source.resolve().iterdir():
        if _belongs(entry.name) and entry.name not in ("charmcraft.yaml", *_DECLARATIONS):
            _replace_link(target / entry.name, entry)
            written.add(entry.name)
    for name, content in declarations.items():
        _write(target / name, yaml.safe_dump(content, sort_keys=False), 0o644)
        written.add(name)
    if "dispatch" not in written and (source / "src/charm.py").is_file():
        _write(target / "dispatch", _DISPATCH.format(python=python), 0o755)
        written.add("dispatch")
    return written


# Unlike charmcraft's, it keeps PYTHONPATH: a folder's libraries are not packed beside it.
_DISPATCH = """\
#!/bin/sh
PYTHONPATH="$PWD/lib:$PWD/src${{PYTHONPATH:+:$PYTHONPATH}}" exec "{python}" src/charm.py
"""


def _replace_link(link: Path, to: Path) -> None:
    if link.is_symlink() and link.readlink() == to:
        return
    _clear(link)
    link.symlink_to(to)


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_own(target: Path, name: str) -> None:
    """Remove a file of an earlier version, unless its place has become a folder or a link."""
    path = target / name
    if not _linked_parents(target, name) and (path.is_symlink() or not path.is_dir()):
        path.unlink(missing_ok=True)


def _linked_parents(target: Path, name: str) -> list[Path]:
    """Folders on the way to an entry that are links: what is written there goes elsewhere."""
    parents = PurePosixPath(name).parents
    return [target / parent for parent in reversed(parents) if (target / parent).is_symlink()]


def _unlink_parents(target: Path, name: str) -> None:
    """Drop the links of an earlier version that stand where folders shall be."""
    while linked := _linked_parents(target, name):
        if linked[0] == target:
            return
        linked[0].unlink()


def _write(path: Path, text: str, mode: int) -> None:
    """Replace a file at once, so that a hook that starts meanwhile never reads half of it."""
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(text)
    aside.chmod(mode)
    if path.is_symlink() or path.is_dir():
        _clear(path)
    aside.replace(path)


def _unpack(source: Path, target: Path) -> set[str]:
    """Unpack an archive: first folders and files, then links, so that no link is written through.

    Raises:
        CharmError: an entry or a link leads out of the charm; nothing is unpacked then.
    """
    with zipfile.ZipFile(source) as archive:
        entries = archive.infolist()
        links = {e.filename: archive.read(e).decode() for e in entries if _is_link(e)}
        for entry in entries:
            _check_entry(source, entry.filename, links)
        files = [e for e in entries if not e.is_dir() and not _is_link(e)]
        for entry in files:
            _unpack_file(archive, entry, target)
        for name, to in links.items():
            _unlink_parents(target, name)
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            _clear(target / name)
            (target / name).symlink_to(to)
    return {e.filename for e in files} | links.keys()


def _is_link(entry: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(entry.external_attr >> 16)


def _check_entry(source: Path, name: str, links: Mapping[str, str]) -> None:
    """Refuse what could write outside the charm's folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise CharmError(f"{source}: entry {name!r} leads out of the charm")
    if any(str(parent) in links for parent in path.parents):
        raise CharmError(f"{source}: entry {name!r} lies below a link")
    if (to := links.get(name)) is None:
        return
    end = os.path.normpath(path.parent / to)
    if os.path.isabs(to) or end == ".." or end.startswith("../"):
        raise CharmError(f"{source}: link {name!r} leads out of the charm, to {to!r}")


def _unpack_file(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    path = target / entry.filename
    _unlink_parents(target, entry.filename)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.new")
    with archive.open(entry) as packed, aside.open("wb") as out:
        shutil.copyfileobj(packed, out)
    # Permissions only, never set-user-id; an archive made elsewhere may carry none at all.
    aside.chmod((entry.external_attr >> 16) & 0o777 or 0o644)
    if path.is_symlink() or path.is_dir():
        _clear(path)
    aside.replace(path)
