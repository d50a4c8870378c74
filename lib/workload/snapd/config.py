"""Snap config as snapd keeps it, with secrets kept beside.

Whoever may ask snapd for config, and each `snapctl set` on its way there, would see passwords. So
in place of each secret snapd has a mark, its digest, and a file that root alone can read has the
secret itself. Config without its file is still whole: it says which secrets belong to it, also
after snapd has put an older config back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from workload.atomic import write_json
from workload.config import COMPONENTS
from workload.config.marks import MARK, marked, revealed
from workload.configure import OPTIONS
from workload.layout import Layout
from workload.runtime.config_store import patch, values
from workload.snapd import snapctl


class SnapConfig:
    """snapd's config of this snap, whole: marks are replaced by what they stand for."""

    def __init__(self, layout: Layout) -> None:
        self._path = layout.secrets

    def document(self) -> dict[str, Any]:
        """Return all of it, secrets in clear."""
        return revealed(self._public(), self._secrets())

    def get(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the value of each dotted key.

        Raises:
            OptionNotFoundError: a key has no value.
        """
        return values(self.document(), keys)

    def patched(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document as it would be after the changes."""
        return patch(self.document(), changes)

    def commit(self, changes: Mapping[str, Any]) -> None:
        """Apply the changes for good."""
        before = self._public()
        names = {key.split(".")[0] for key in changes}
        self._store(before, self.patched(changes), names)

    def hide(self, document: Mapping[str, Any]) -> None:
        """Put marks in place of secrets that were set past this class, by `snap set`."""
        before = self._public()
        public, _ = marked(document)
        self._store(before, document, {name for name in public if before[name] != public[name]})

    def _store(
        self, before: Mapping[str, Any], document: Mapping[str, Any], names: Iterable[str]
    ) -> None:
        public, secrets = marked(document)
        # Those of the config that was stay too, for snapd may put it back.
        known = self._secrets()
        kept = {mark: known[mark] for mark in _marks(before) if mark in known}
        if kept | secrets != known:
            write_json(self._path, kept | secrets)
        for name in sorted(names):
            if name in public:
                snapctl.call("set", f"{name}={json.dumps(public[name])}")
            elif name in before:
                snapctl.call("unset", name)

    def _public(self) -> dict[str, Any]:
        return json.loads(snapctl.call("get", "-d", *COMPONENTS, OPTIONS))

    def _secrets(self) -> dict[str, str]:
        return json.loads(self._path.read_text()) if self._path.exists() else {}


def _marks(public: Any) -> set[str]:
    if isinstance(public, dict):
        return {m for value in cast("dict[str, Any]", public).values() for m in _marks(value)}
    if isinstance(public, list):
        return {m for value in cast("list[Any]", public) for m in _marks(value)}
    return {public} if isinstance(public, str) and public.startswith(MARK) else set()
