"""The cloud's entry in the user's clouds.yaml, by which every OpenStack tool finds it.

The file may hold other clouds and comments of the user's: only the one entry is touched.
The format: https://docs.openstack.org/openstacksdk/latest/user/config/configuration.html
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from microstack.errors import Failure
from microstack.installation import CLOUD
from workload.layout import Layout, under_snapd

INDENT = "  "


@dataclass(frozen=True)
class Account:
    """Who a client is, in the words of keystone's action get-admin-account."""

    auth_url: str
    username: str
    password: str = field(repr=False)
    project_name: str
    user_domain_name: str
    project_domain_name: str
    region: str

    @classmethod
    def from_action(cls, results: Mapping[str, Any]) -> Account:
        """Return the account that the action's results describe.

        Raises:
            Failure: a result is missing.
        """
        names = {name: name.replace("_", "-") for name in cls.__dataclass_fields__}
        if missing := [key for key in names.values() if not results.get(key)]:
            raise Failure(f"keystone's get-admin-account did not give {', '.join(missing)}")
        return cls(**{name: str(results[key]) for name, key in names.items()})

    def entry(self) -> dict[str, Any]:
        """Return the account as an entry of clouds.yaml."""
        return {
            "auth": {
                "auth_url": self.auth_url,
                "username": self.username,
                "password": self.password,
                "project_name": self.project_name,
                "user_domain_name": self.user_domain_name,
                "project_domain_name": self.project_domain_name,
            },
            "region_name": self.region,
        }


def path() -> Path:
    """Return the clouds.yaml of the user who runs this; in the snap, the snap's own."""
    if under_snapd():
        return Layout.from_environment().root / "clouds.yaml"
    return Path.home() / ".config/openstack/clouds.yaml"


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of OpenStack's own client, as this cloud's admin.

    What the user has set for another cloud is left out: it would win over the entry. So are
    proxies: the endpoints are on this host.
    """
    kept = {
        name: value
        for name, value in inherited.items()
        if not name.startswith(("OS_", "PYTHON")) and not name.lower().endswith("_proxy")
    }
    return {**kept, "OS_CLOUD": CLOUD, "OS_CLIENT_CONFIG_FILE": str(path())}


def present() -> bool:
    """Whether the user's clouds.yaml has the cloud."""
    return CLOUD in _clouds(_read())


def write(account: Account) -> Path:
    """Put the account into the user's clouds.yaml (0600), in place of an older one.

    Raises:
        Failure: the file is not one that an entry can be put into.
    """
    text = _read()
    if _clouds(text).get(CLOUD) != account.entry():
        _write(replaced(text, yaml.safe_dump(account.entry(), sort_keys=False)))
    return path()


def forget() -> None:
    """Take the cloud out of the user's clouds.yaml; a file that holds nothing else goes."""
    text = _read()
    if CLOUD not in _clouds(text):
        return
    remaining = replaced(text, None)
    if yaml.safe_load(remaining) in (None, {"clouds": None}):
        path().unlink()
        for folder in (path().parent, path().parent.parent):
            if any(folder.iterdir()):
                break
            folder.rmdir()
    else:
        _write(remaining)


def replaced(text: str, entry: str | None) -> str:
    """Return a clouds.yaml with the cloud's entry set, or without it where `entry` is None.

    Raises:
        Failure: `clouds` is written in a way that lines cannot be put into, e.g. `{}`.
    """
    text = text if text.endswith("\n") or not text else f"{text}\n"
    root = cast("yaml.Node | None", yaml.compose(text))  # pyright: ignore[reportUnknownMemberType]
    clouds = _node(root, "clouds")
    if clouds is None or clouds[1].tag == "tag:yaml.org,2002:null":
        head = text if clouds else f"{text.rstrip()}\nclouds:\n".lstrip("\n")
        return head if entry is None else f"{head.rstrip()}\n{_block(entry, INDENT)}"
    mapping = clouds[1]
    if not isinstance(mapping, yaml.MappingNode) or mapping.flow_style:
        raise Failure(
            f"{path()}: clouds, on line {mapping.start_mark.line + 1}, is not a block of entries",
            "write one entry for each line below it, or move the file away",
        )
    indent = " " * mapping.start_mark.column
    lines = text.splitlines(keepends=True)
    first = last = mapping.start_mark.line
    if existing := _node(mapping, CLOUD):
        first, last = existing[0].start_mark.line, _end(existing[1], lines)
    new = "" if entry is None else _block(entry, indent)
    return "".join([*lines[:first], new, *lines[last:]])


def _block(entry: str, indent: str) -> str:
    inner = "".join(f"{indent}{INDENT}{line}\n" for line in entry.splitlines())
    return f"{indent}{CLOUD}:\n{inner}"


def _end(node: yaml.Node, lines: list[str]) -> int:
    """Return the line after a node; a block's end mark is at what follows it, past comments."""
    block = isinstance(node, yaml.CollectionNode) and not node.flow_style
    end = node.end_mark.line + (0 if block else 1)
    while end > node.start_mark.line + 1 and lines[end - 1].lstrip()[:1] in ("", "#"):
        end -= 1
    return end


def _node(mapping: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the nodes of a key and its value."""
    if not isinstance(mapping, yaml.MappingNode):
        return None
    return next((pair for pair in mapping.value if pair[0].value == key), None)


def _clouds(text: str) -> Mapping[str, Any]:
    document: Mapping[str, Any] | None = yaml.safe_load(text)
    return (document or {}).get("clouds") or {}


def _read() -> str:
    try:
        text = path().read_text()
        document: Any = yaml.safe_load(text)
    except FileNotFoundError:
        return ""
    except yaml.YAMLError as error:
        raise Failure(f"{path()} is not YAML: {error}", "mend it or move it away") from None
    if not isinstance(document, dict | None):
        raise Failure(f"{path()} is not a mapping", "mend it or move it away")
    return text


def _write(text: str) -> None:
    target = path().resolve()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(dir=target.parent, prefix=".clouds-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        os.replace(partial, target)
    except BaseException:
        os.unlink(partial)
        raise
