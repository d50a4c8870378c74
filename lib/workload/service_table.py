"""The one table of what runs and how: `apps:` of snap/snapcraft.yaml, read and typed.

Meaning follows snapd's (https://snapcraft.io/docs/snapcraft-app-and-service-metadata). Keys that
concern confinement and the desktop are known and left to snapd.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from workload.config.base import kebab


class TableError(Exception):
    """Snapcraft.yaml cannot be used; the message names file, line and key."""


class Daemon(StrEnum):
    """How a service tells that it has started (systemd.service(5), `Type=`)."""

    SIMPLE = "simple"
    ONESHOT = "oneshot"
    FORKING = "forking"
    NOTIFY = "notify"


_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
# What snapd allows in a command (snap/validate.go); more than that belongs in a script.
_COMMAND = re.compile(r"[A-Za-z0-9/. _#:$-]+")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def _seconds(value: object) -> float:
    match = _DURATION.fullmatch(str(value))
    if not match:
        raise ValueError("must be a time such as 500ms, 30s or 2m")
    return float(match[1]) * _UNIT_SECONDS[match[2]]


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, str) or not _COMMAND.fullmatch(value):
        raise ValueError("snapd allows letters, digits and / . _ # : $ - here")
    return tuple(shlex.split(value, comments=False))


_SERVICE_ONLY = frozenset(
    {"after", "before", "restart_condition", "restart_delay", "stop_timeout", "stop_mode"}
    | {"stop_command", "post_stop_command", "install_mode"}
)

OWN = "machine/"
"""What is run from this folder of the snap is the appliance itself. In a checkout it is run by
`./microstack`, and is neither a service nor a command of the embedded snapd."""

Seconds = Annotated[float, BeforeValidator(_seconds)]
Command = Annotated[tuple[str, ...], BeforeValidator(_words)]


class App(BaseModel):
    """One app of the snap: a service where `daemon` is set, else a command.

    A command's first word is a path below `$SNAP`. Each value of `environment` sees those before
    it. `after` and `before` order starts, not readiness; a oneshot has started when it has ended.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=kebab, populate_by_name=True
    )

    name: str
    command: Command
    command_chain: tuple[str, ...] = ()
    daemon: Daemon | None = None
    environment: dict[str, str | int] = {}
    after: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    restart_condition: Literal["on-failure", "always", "never"] = "on-failure"
    restart_delay: Seconds = 0.0
    stop_timeout: Seconds = 30.0
    stop_mode: str = Field("sigterm-all", pattern=r"^sig(term|hup|usr1|usr2|int)(-all)?$")
    stop_command: Command = ()
    post_stop_command: Command = ()
    install_mode: Literal["enable", "disable"] = "enable"
    plugs: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _command_has_no_service_keys(self) -> App:
        if self.daemon is None and (given := self.model_fields_set & _SERVICE_ONLY):
            keys = ", ".join(sorted(kebab(name) for name in given))
            raise ValueError(f"only a service (daemon:) may have {keys}")
        return self

    @property
    def own(self) -> bool:
        """Whether it is the appliance's own, and not the cloud's."""
        return self.command[0].startswith(OWN)

    @property
    def oneshot(self) -> bool:
        """Whether it does its work and ends."""
        return self.daemon is Daemon.ONESHOT

    @property
    def stop_signal(self) -> str:
        """The signal that ends it, without SIG."""
        return self.stop_mode.removesuffix("-all").removeprefix("sig").upper()

    @property
    def stops_children(self) -> bool:
        """Whether stopping ends all of its processes, or the main one alone."""
        return self.stop_mode.endswith("-all")

    def expanded_environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return `base` with this app's own variables added, each expanded in turn."""
        environment = dict(base)
        for name, value in self.environment.items():
            environment[name] = expand(str(value), environment)
        return environment

    def argv(self, environment: Mapping[str, str], words: Sequence[str] = ()) -> list[str]:
        """Return what to execute: the command chain, then `words` or the command, expanded.

        Args:
            environment: what `expanded_environment` returned; must have `SNAP`.
            words: another command of this app, such as its stop command.
        """
        words = words or self.command
        below_snap = [f"{environment['SNAP']}/{path}" for path in (*self.command_chain, words[0])]
        arguments = (expand(word, environment) for word in words[1:])
        # As snap-exec does it: an argument that expands to nothing is no argument.
        return [*below_snap, *(argument for argument in arguments if argument)]


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Replace `$NAME` and `${NAME}`; an unknown name stands for nothing, as in snap-exec."""
    return _VARIABLE.sub(lambda match: environment.get(match[1] or match[2], ""), text)


class ServiceTable:
    """All apps of the snap, by name, in the order of the file."""

    def __init__(self, apps: Sequence[App]) -> None:
        self.apps = {app.name: app for app in apps}
        self.services = {app.name: app for app in apps if app.daemon and not app.own}
        self.commands = {app.name: app for app in apps if not app.daemon and not app.own}

    @classmethod
    def load(cls, path: Path) -> ServiceTable:
        """Read snapcraft.yaml.

        Raises:
            TableError: unreadable, a duplicate or unknown key, a wrong value, an order that
                names no service or goes in a circle.
        """
        try:
            return cls.parse(path.read_text(), str(path))
        except OSError as error:
            raise TableError(f"{path}: {error.strerror}") from None

    @classmethod
    def parse(cls, text: str, source: str = "snapcraft.yaml") -> ServiceTable:
        """Read the text of snapcraft.yaml; `source` is what errors call it."""
        document, lines = _parse_yaml(text, source)
        shared = cast("dict[str, str]", document.get("environment") or {})
        apps: list[App] = []
        for name, keys in cast("dict[str, object]", document.get("apps") or {}).items():
            line = lines[("apps", name)]
            if not isinstance(keys, dict):
                raise TableError(f"{source}:{line}: apps.{name} must be a mapping")
            try:
                apps.append(_app(name, cast("dict[str, Any]", keys), shared))
            except ValidationError as error:
                raise TableError(_describe(error, name, lines, source)) from None
        table = cls(apps)
        table._check_order(lines, source)
        return table

    def predecessors(self, name: str) -> set[str]:
        """Return the services that `name` is started after."""
        named = {other.name for other in self.services.values() if name in other.before}
        return named | set(self.services[name].after)

    def start_order(self) -> list[str]:
        """Return the services so that each stands behind those it is started after."""
        graph = {name: sorted(self.predecessors(name)) for name in self.services}
        return list(TopologicalSorter(graph).static_order())

    def _check_order(self, lines: Mapping[tuple[str, ...], int], source: str) -> None:
        for app in self.services.values():
            for other in (*app.after, *app.before):
                if other not in self.services:
                    line = lines[("apps", app.name)]
                    raise TableError(f"{source}:{line}: apps.{app.name}: no service '{other}'")
        try:
            self.start_order()
        except CycleError as error:
            circle = " -> ".join(error.args[1])
            raise TableError(f"{source}: apps are ordered in a circle: {circle}") from None


_FOR_SNAPD = {"slots", "aliases", "completer", "refresh-mode", "daemon-scope"}


def _app(name: str, keys: Mapping[str, Any], shared: Mapping[str, str]) -> App:
    kept = {key: value for key, value in keys.items() if key not in _FOR_SNAPD}
    if isinstance(kept.get("environment", {}), dict):
        kept["environment"] = {**shared, **kept.get("environment", {})}
    return App.model_validate({**kept, "name": name})


def _describe(
    error: ValidationError, app: str, lines: Mapping[tuple[str, ...], int], source: str
) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    path = tuple(str(part) for part in first["loc"])
    line = lines.get(("apps", app, *path[:1])) or lines[("apps", app)]
    reason = first["msg"].removeprefix("Value error, ")
    return f"{source}:{line}: {'.'.join(('apps', app, *path))}: {reason}"


def _parse_yaml(text: str, source: str) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    """Return the document and the line of each key; refuses a key that stands twice."""
    try:
        document = yaml.safe_load(text)
        root = cast("yaml.Node | None", yaml.compose(text, Loader=yaml.SafeLoader))  # pyright: ignore
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise TableError(f"{source}:{line}: {error.problem}") from None
    if not isinstance(document, dict) or root is None:
        raise TableError(f"{source}:1: must be a mapping with the key 'apps'")
    lines: dict[tuple[str, ...], int] = {}
    for path, line in _keys(root):
        if path in lines:
            raise TableError(
                f"{source}:{line}: {'.'.join(path)} already stands in line {lines[path]}"
            )
        lines[path] = line
    return cast("dict[str, Any]", document), lines


def _keys(node: yaml.Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
        below = (*path, str(key.value))
        yield below, key.start_mark.line + 1
        yield from _keys(value, below)
