"""Render a component's files from its snap config, and put them where its services read them.

Rendering is pure and comes first, for all files; only then is anything written. Secrets are
revealed here, into files that root and at most one service account can read, and nowhere else.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from workload import atomic
from workload.component import Component, File, KeyDirectory
from workload.config import Component as ComponentConfig
from workload.layout import Layout
from workload.quoting import FILTERS, reveal

TEMPLATES = Path(__file__).parent / "templates"


class RenderError(Exception):
    """A file cannot be rendered or written; the message names it and never shows a value."""


@dataclass(frozen=True)
class Rendered:
    """The content that a file, or each file of a key directory, is to have.

    Attributes:
        path: absolute.
        contents: the file's content under the name "", or a directory's by file name.
        services: apps that read it.
        owner: system account that reads it besides root.
    """

    path: Path
    contents: Mapping[str, bytes]
    services: tuple[str, ...]
    owner: str | None = None

    @property
    def is_directory(self) -> bool:
        """Whether this is a key directory."""
        return "" not in self.contents

    @cached_property
    def digest(self) -> str:
        """SHA-256 of content, place and owner, in hexadecimal digits."""
        digest = hashlib.sha256(f"{self.path}\0{self.owner}".encode())
        for name, content in sorted(self.contents.items()):
            digest.update(f"\0{name}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()


class Renderer:
    """Renders templates for one layout."""

    def __init__(self, layout: Layout, templates: Path = TEMPLATES) -> None:
        self._layout = layout
        self._environment = Environment(
            loader=FileSystemLoader(templates),
            undefined=StrictUndefined,
            finalize=reveal,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            # The files are no HTML; each filter quotes for the language it is named after.
            autoescape=False,  # noqa: S701
        )
        self._environment.filters.update(FILTERS)

    def render(self, component: Component, config: ComponentConfig) -> list[Rendered]:
        """Return what the component's files are to hold; reads the host, writes nothing.

        Raises:
            RenderError: a template fails or a value cannot be written in the file's language.
        """
        variables = self._variables(component, config)
        return [
            self._keys(file, config)
            if isinstance(file, KeyDirectory)
            else self._file(file, component.name, variables)
            for file in component.files
        ]

    def _variables(self, component: Component, config: ComponentConfig) -> dict[str, Any]:
        derived: Mapping[str, Any] = component.derive(config) if component.derive else {}
        return {
            "config": config,
            "snap": self._layout.snap,
            "snap_data": self._layout.snap_data,
            "snap_common": self._layout.snap_common,
            **derived,
        }

    def _file(self, file: File, component: str, variables: Mapping[str, Any]) -> Rendered:
        try:
            text = self._environment.get_template(file.template).render(variables)
        except (TemplateError, ValueError, TypeError) as error:
            # The chain is cut: frames of a template hold secrets.
            line = getattr(error, "lineno", None)
            where = f"{file.template}:{line}" if line else file.template
            raise RenderError(f"{component}: cannot render {where}: {error}") from None
        path = self._layout.etc / file.path
        owner = self._layout.account(file.owner)
        return Rendered(path, {"": text.encode()}, file.services, owner)

    def _keys(self, directory: KeyDirectory, config: ComponentConfig) -> Rendered:
        keys: Mapping[str, Any] = lookup(config, directory.key) or {}
        contents = {name: str(reveal(key)).encode() for name, key in keys.items()}
        return Rendered(self._layout.etc / directory.path, contents, directory.services)


def lookup(config: Any, key: str) -> Any:
    """Return the value under a dotted kebab-case key of a model.

    Raises:
        AttributeError: the model has no such key; a mistake in a component's declaration.
    """
    for part in key.split("."):
        config = getattr(config, part.replace("-", "_"))
    return config


def write(rendered: Rendered) -> bool:
    """Make the file or directory hold what was rendered; return whether anything changed.

    A file is replaced whole, so that no reader ever sees half of it, and is never readable by
    more accounts than it is meant for, not even for a moment.

    Raises:
        RenderError: the disk or an account is missing.
    """
    try:
        if rendered.is_directory:
            return _write_directory(rendered)
        make_directory(rendered.path.parent)
        return _write_file(rendered.path, rendered.contents[""], rendered.owner)
    except OSError as error:
        raise RenderError(f"cannot write {rendered.path}: {error.strerror}") from None
    except KeyError:
        raise RenderError(f"{rendered.path}: this host has no account {rendered.owner}") from None


def remove(path: Path) -> None:
    """Delete what `write` made: a file, or a key directory with its keys."""
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for entry in path.iterdir():
        entry.unlink()
    path.rmdir()


def make_directory(path: Path, owner: str | None = None, mode: int = 0o711) -> None:
    """Make a folder and those above it, which service accounts may pass but not list.

    One that has an owner has root's group: in strict confinement root is let in by that alone.

    Raises:
        KeyError: the owner is no account of this host.
    """
    for missing in reversed([path, *path.parents]):
        if not missing.exists():
            missing.mkdir(exist_ok=True)
            missing.chmod(0o711)
    if mode != 0o711 and stat.S_IMODE(path.stat().st_mode) != mode:
        # Strict confinement lets root take a folder and give it away, but not change another's.
        os.chown(path, os.geteuid(), -1)
        path.chmod(mode)
    if owner:
        os.chown(path, pwd.getpwnam(owner).pw_uid, os.getegid())


def make_folders(layout: Layout) -> None:
    """Make the folders that the appliance keeps its things in; sockets and logs for root alone."""
    for path in (layout.root, layout.snap_data, layout.snap_common, layout.etc):
        make_directory(path)
    make_directory(layout.service_run)
    for path in (layout.run, layout.log, layout.service_log):
        make_directory(path, mode=0o700)


def _write_directory(rendered: Rendered) -> bool:
    make_directory(rendered.path, mode=0o700)
    changed = [
        _write_file(rendered.path / name, content) for name, content in rendered.contents.items()
    ]
    surplus = [entry for entry in rendered.path.iterdir() if entry.name not in rendered.contents]
    for entry in surplus:
        entry.unlink()
    return any(changed) or bool(surplus)


def _write_file(path: Path, content: bytes, owner: str | None = None) -> bool:
    group = pwd.getpwnam(owner).pw_gid if owner else None
    mode = 0o600 if group is None else 0o640
    if _holds(path, content, mode, group):
        return False
    atomic.write(path, content, mode=mode, group=group)
    return True


def _holds(path: Path, content: bytes, mode: int, group: int | None) -> bool:
    try:
        status = path.stat()
        same = status.st_mode & 0o777 == mode and group in (None, status.st_gid)
        return same and path.read_bytes() == content
    except FileNotFoundError:
        return False


def services_digests(rendered: Iterable[Rendered]) -> dict[str, str]:
    """Return for each service a digest of everything it reads."""
    digests: dict[str, Any] = {}
    for item in rendered:
        for service in item.services:
            digests.setdefault(service, hashlib.sha256()).update(item.digest.encode())
    return {service: digest.hexdigest() for service, digest in digests.items()}
