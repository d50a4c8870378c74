"""Snap config of the embedded snapd: one JSON document and snapd's rules for its keys."""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from workload.atomic import write_json

# Each part of a dotted option name (snapd, overlord/configstate/config: validKey).
_PART = re.compile(r"(?:[a-z0-9]+-?)*[a-z](?:-?[a-z0-9])*")


class OptionError(Exception):
    """An option name or path that snap config cannot hold."""


class OptionNotFoundError(Exception):
    """The option has no value."""

    def __init__(self, key: str) -> None:
        super().__init__(f'snap "microstack" has no "{key}" configuration option')
        self.key = key


class Store(Protocol):
    """Whoever keeps snap config."""

    def document(self) -> dict[str, Any]:
        """Return a copy of all of it, secrets in clear."""
        ...

    def get(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the value of each dotted key.

        Raises:
            OptionNotFoundError: a key has no value.
        """
        ...

    def patched(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document as it would be after the changes; see `patch`."""
        ...

    def commit(self, changes: Mapping[str, Any]) -> None:
        """Apply the changes for good."""
        ...


class ConfigStore:
    """The document on disk; whole, root's alone, and safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def document(self) -> dict[str, Any]:
        """Return a copy of all of it."""
        with self._lock:
            return copy.deepcopy(self._document)

    def get(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the value of each dotted key.

        Raises:
            OptionNotFoundError: a key has no value.
        """
        return values(self.document(), keys)

    def patched(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document as it would be after the changes; see `patch`."""
        return patch(self.document(), changes)

    def commit(self, changes: Mapping[str, Any]) -> None:
        """Apply the changes for good."""
        with self._lock:
            document = patch(self._document, changes)
            if document != self._document:
                write_json(self._path, document)
                self._document = document


def values(document: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Return the value of each dotted key.

    Raises:
        OptionNotFoundError: a key has no value.
    """
    return {key: _value(document, key) for key in keys}


def patch(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a new document with each dotted key set to its value; None unsets the key.

    Raises:
        OptionError: a name that is no option name, or one below a value that is no mapping.
    """
    result = copy.deepcopy(dict(document))
    for key, value in changes.items():
        parts = key.split(".")
        for part in parts:
            if not _PART.fullmatch(part):
                raise OptionError(f'invalid option name: "{part}"')
        _set(result, parts, _without_nulls(value))
    return result


def _set(document: dict[str, Any], parts: list[str], value: Any) -> None:
    above, last = document, parts[-1]
    for depth, part in enumerate(parts[:-1], 1):
        below = above.get(part)
        if below is None:
            if value is None:
                return
            below = above[part] = {}
        if not isinstance(below, dict):
            raise OptionError(f'option "{".".join(parts[:depth])}" is not a map')
        above = cast("dict[str, Any]", below)
    if value is not None:
        above[last] = value
        return
    above.pop(last, None)
    _prune(document, parts[:-1])


def _prune(document: dict[str, Any], parts: list[str]) -> None:
    """Drop mappings that became empty."""
    for depth in range(len(parts), 0, -1):
        above = document
        for part in parts[: depth - 1]:
            above = above[part]
        if above[parts[depth - 1]]:
            return
        del above[parts[depth - 1]]


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    entries = cast("dict[str, Any]", value)
    return {key: _without_nulls(entry) for key, entry in entries.items() if entry is not None}


def _value(document: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(document, dict) or part not in document:
            raise OptionNotFoundError(key)
        document = cast("dict[str, Any]", document)[part]
    return document
