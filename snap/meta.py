"""Makes meta/ of a snap from snapcraft.yaml and snap/hooks, as snapcraft does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

TOP = (
    *("name", "title", "version", "summary", "description", "license", "grade", "confinement"),
    *("base", "type", "epoch", "assumes", "links", "environment", "layout", "plugs", "slots"),
    "system-usernames",
)
"""Keys that are the same in snapcraft.yaml and in snap.yaml (https://snapcraft.io/docs)."""


class MetaError(Exception):
    """snapcraft.yaml cannot be used; the message says where and why."""


class _Loader(yaml.SafeLoader):
    """Refuses a mapping in which a key stands twice: YAML would take the last, and say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[object, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise MetaError(
                    f"line {line}: {key.value} already stands in line {seen[key.value]}"
                )
            seen[key.value] = line
        return cast("dict[Any, Any]", super().construct_mapping(node, deep))


def read(path: Path) -> dict[str, Any]:
    """Return snapcraft.yaml.

    Raises:
        MetaError: it is no YAML, or a key stands twice.
    """
    try:
        return yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, MetaError) as error:
        raise MetaError(f"{path}: {error}") from None


def snap_yaml(document: Mapping[str, Any], hooks: Mapping[str, Any], tree: Path) -> dict[str, Any]:
    """Return what snapd reads.

    Args:
        document: snapcraft.yaml.
        hooks: names of the hooks there are.
        tree: what was primed; apps whose command is not in it are left out.
    """
    # A copy in which nothing is shared, so that no YAML anchors are written.
    document = json.loads(json.dumps(document))
    made = {key: document[key] for key in TOP if key in document}
    made["architectures"] = list(document["platforms"])
    made["apps"] = {
        name: app
        for name, app in document["apps"].items()
        if (tree / app["command"].split()[0]).exists()
    }
    for app in made["apps"].values():
        for order in ("after", "before"):
            if order in app:
                app[order] = [name for name in app[order] if name in made["apps"]]
    declared = document.get("hooks") or {}
    made["hooks"] = {name: declared.get(name) or {} for name in hooks}
    return made


def write(document: Mapping[str, Any], checkout: Path, tree: Path) -> None:
    """Write meta/ into what was primed; what is there already is left, and keeps its time."""
    folder = tree / "meta"
    hooks = {path.name: path for path in sorted((checkout / "snap/hooks").iterdir())}
    made = snap_yaml(document, hooks, tree)
    files = {folder / "snap.yaml": yaml.safe_dump(made, sort_keys=False).encode()}
    files |= {folder / "hooks" / name: path.read_bytes() for name, path in hooks.items()}
    for path in folder.rglob("*"):
        if path not in files and not path.is_dir():
            path.unlink()
    (folder / "hooks").mkdir(parents=True, exist_ok=True)
    for path, data in files.items():
        if not path.exists() or path.read_bytes() != data:
            path.write_bytes(data)
        path.chmod(0o755 if path.parent.name == "hooks" else 0o644)
