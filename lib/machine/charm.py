"""What a charm declares, read from its folder or its packed `.charm` file.

The file formats are those of charmcraft (`charmcraft.yaml`, unified) and of Juju (`metadata.yaml`,
`config.yaml`, `actions.yaml`); what is checked here is what Juju checks on deploy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from machine.charmfiles import CharmError, Part, digest, materialise, read, split, split_parts
from machine.document import Document, DocumentError

__all__ = [
    "Action",
    "CharmError",
    "CharmMetadata",
    "Endpoint",
    "Option",
    "OptionError",
    "Resource",
    "Storage",
    "Value",
    "digest",
    "load_charm",
    "materialise",
    "parse_option",
    "split",
]

Value = str | int | float | bool
Role = Literal["provider", "requirer", "peer"]
OptionType = Literal["string", "int", "float", "boolean", "secret"]

_SECRET_URI = re.compile(r"secret:(//[0-9a-f-]{36}/)?[0-9a-v]{20}")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*")
_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_FALSE = {"0", "f", "F", "FALSE", "false", "False"}


class OptionError(Exception):
    """An option's value is not of the option's type; the message is Juju's."""


class _Declared(BaseModel):
    """A part of a charm's declaration: keys are written with hyphens."""

    model_config = ConfigDict(
        frozen=True, alias_generator=lambda name: name.replace("_", "-"), populate_by_name=True
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        return {k: v for k, v in cast("dict[Any, Any]", raw).items() if v is not None}


class Endpoint(_Declared):
    """One end of possible relations."""

    name: str
    role: Role
    interface: str
    scope: Literal["global", "container"] = "global"
    optional: bool = False
    limit: int | None = None

    def accepts(self, other: Endpoint) -> bool:
        """Whether a relation between the two ends can be: provider to requirer, one interface."""
        roles = {self.role, other.role}
        return roles == {"provider", "requirer"} and self.interface == other.interface


class Option(_Declared):
    """One option of the application."""

    name: str
    type: OptionType = "string"
    default: Value | None = None
    description: str = ""


class Action(_Declared):
    """One action, with the JSON schema of its parameters."""

    name: str
    description: str = ""
    params: dict[str, dict[str, Any]] = Field(default_factory=dict)
    required: tuple[str, ...] = ()
    additional_properties: bool = Field(default=True, alias="additionalProperties")
    parallel: bool = False
    execution_group: str = ""


class Storage(_Declared):
    """One storage the units have; `least` and `most` are the counts for each unit."""

    class Multiple(_Declared):
        """How many instances a unit may have."""

        range: str | int = 1

    name: str
    type: Literal["filesystem", "block"]
    description: str = ""
    location: str = ""
    shared: bool = False
    read_only: bool = False
    minimum_size: str = ""
    multiple: Multiple | None = None

    @property
    def minimum(self) -> int:
        """The least size in MiB; 0 where the charm does not say."""
        return size_mib(self.minimum_size) or 0

    @property
    def least(self) -> int:
        """Instances attached when a unit is made."""
        return self._counts()[0]

    @property
    def most(self) -> int | None:
        """Instances a unit may have at most; None is no limit."""
        return self._counts()[1]

    def _counts(self) -> tuple[int, int | None]:
        if self.multiple is None:
            return 1, 1
        least, separator, most = str(self.multiple.range).replace("+", "-").partition("-")
        if not separator:
            return int(least), int(least)
        return int(least), int(most) if most else None


class Resource(_Declared):
    """One resource: a file (or, on Kubernetes, an image) that comes beside the charm."""

    name: str
    type: Literal["file", "oci-image"] = "file"
    filename: str = ""
    description: str = ""


class CharmMetadata(_Declared):
    """All that a charm declares; `digest` tells one content of the charm from another."""

    name: str
    summary: str = ""
    description: str = ""
    subordinate: bool = False
    provides: dict[str, Endpoint] = Field(default_factory=dict)
    requires: dict[str, Endpoint] = Field(default_factory=dict)
    peers: dict[str, Endpoint] = Field(default_factory=dict)
    options: dict[str, Option] = Field(default_factory=dict)
    actions: dict[str, Action] = Field(default_factory=dict)
    storage: dict[str, Storage] = Field(default_factory=dict)
    resources: dict[str, Resource] = Field(default_factory=dict)
    assumes: tuple[str | dict[str, Any], ...] = ()
    extra_bindings: dict[str, Any] = Field(default_factory=dict)
    version: str = ""
    digest: str = ""

    @field_validator("name")
    @classmethod
    def _valid_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("must be lower-case words joined by hyphens, none a bare number")
        return name

    @field_validator("provides", "requires", "peers", mode="before")
    @classmethod
    def _endpoints(cls, value: Any, info: Any) -> Any:
        roles = {"provides": "provider", "requires": "requirer", "peers": "peer"}
        role = roles[cast("str", info.field_name)]
        return _named(value, lambda e: {"interface": e} if isinstance(e, str) else e, role=role)

    @field_validator("options", "actions", "storage", "resources", mode="before")
    @classmethod
    def _entries(cls, value: Any) -> Any:
        return _named(value, lambda entry: {} if entry is None else entry)

    @cached_property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """Every endpoint by name, with `juju-info` that every application has."""
        implicit = Endpoint(name="juju-info", role="provider", interface="juju-info")
        return {implicit.name: implicit, **self.provides, **self.requires, **self.peers}

    @property
    def defaults(self) -> dict[str, Value]:
        """The options that have a default."""
        return {o.name: o.default for o in self.options.values() if o.default is not None}


def _named(value: Any, entry: Callable[[Any], Any], **more: str) -> Any:
    """Give each entry of a mapping its own key as `name`, so that it can say who it is."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for key, raw in cast("dict[Any, Any]", value).items():
        item = entry(raw)
        name = str(key)
        result[name] = {**item, "name": name, **more} if isinstance(item, dict) else item
    return result


_SIZE = re.compile(r"(\d+(?:\.\d+)?)([MGTPEZY])(?:i?B)?")


def size_mib(text: str) -> int | None:
    """A size such as `1G` or `512M` in MiB, rounded up; None if it is none."""
    found = _SIZE.fullmatch(text)
    if found is None:
        return None
    return math.ceil(float(found[1]) * 1024 ** "MGTPEZY".index(found[2]))


# ---- values of options


def parse_option(option: Option, value: Value) -> Value:
    """Turn a value, as text or already typed, into one of the option's type.

    Text is read as Juju reads it on the command line; a typed value must fit.

    Raises:
        OptionError: it does not fit.
    """
    parsed = _PARSERS[option.type](value)
    if parsed is None:
        shown = _shown(value) if option.type != "secret" else "something that is no secret URI"
        raise OptionError(f'option "{option.name}" expected {option.type}, got {shown}')
    return parsed


def _parse_string(value: Value) -> str | None:
    return value if isinstance(value, str) else None


def _parse_int(value: Value) -> int | None:
    if isinstance(value, bool | float):
        return None
    try:
        return int(value, 10) if isinstance(value, str) else value
    except ValueError:
        return None


def _parse_float(value: Value) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except ValueError:
        return None


def _parse_boolean(value: Value) -> bool | None:
    if isinstance(value, bool):
        return value
    return True if value in _TRUE else False if value in _FALSE else None


def _parse_secret(value: Value) -> str | None:
    known = isinstance(value, str) and (not value or _SECRET_URI.fullmatch(value))
    return cast("str", value) if known else None


_PARSERS: Mapping[OptionType, Callable[[Value], Value | None]] = {
    "string": _parse_string,
    "int": _parse_int,
    "float": _parse_float,
    "boolean": _parse_boolean,
    "secret": _parse_secret,
}


def _shown(value: Value) -> str:
    """A value as Juju's messages show it (Go's %#v)."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


# ---- the declaration as a whole


def load_charm(path: Path) -> CharmMetadata:
    """Read what the charm in the folder or `.charm` file `path` declares.

    Raises:
        CharmError: no charm is there, or its declaration is wrong; all problems at once.
    """
    files = read(path)
    try:
        parts = split_parts(files, path)
    except DocumentError as e:
        raise CharmError(str(e)) from None
    metadata, config, actions = (parts[name].content for name in ("metadata", "config", "actions"))
    raw = {
        **{k: v for k, v in metadata.items() if k not in ("options", "actions")},
        "options": config.get("options"),
        "actions": actions,
        "version": files.get("version", "").strip(),
        "digest": digest(path),
    }
    problems = _duplicates(*(part.document for part in parts.values()))
    try:
        charm = CharmMetadata.model_validate(raw)
    except ValidationError as e:
        raise CharmError(*problems, *_explained(e, parts)) from None
    problems += [f"{_where(at, parts)}: {what}" for at, what in _wrong(charm)]
    if problems:
        raise CharmError(*problems)
    return charm


def _where(at: tuple[str | int, ...], parts: Mapping[str, Part], missing: bool = False) -> str:
    """File, line and key of a place in CharmMetadata; a missing key is named all the same."""
    name = {"options": "config", "actions": "actions"}.get(str(at[0]) if at else "", "metadata")
    part = parts[name]
    path: tuple[str | int, ...] = (*part.prefix, *(at[1:] if name == "actions" else at))
    known = path
    # Where a value may be of several types, the place ends with a type's name, which is no key.
    while known and known not in part.document.lines:
        known = known[:-1]
    key = ".".join(map(str, path if missing else known))
    return f"{part.document.where(*known)}: {key}"


def _explained(error: ValidationError, parts: Mapping[str, Part]) -> Iterator[str]:
    for e in error.errors(include_url=False, include_input=False, include_context=False):
        place = _where(e["loc"], parts, missing=e["type"] == "missing")
        yield f"{place}: {e['msg'].removeprefix('Value error, ')}"


def _duplicates(*documents: Document) -> list[str]:
    """The keys that stand twice, once for each file."""
    return [
        f"{document.name}:{twice.line}: {'.'.join(map(str, twice.path))}: stands twice, "
        f"first in line {twice.first_line}"
        for document in {d.name: d for d in documents}.values()
        for twice in document.duplicates
    ]


def _wrong(charm: CharmMetadata) -> Iterator[tuple[tuple[str, ...], str]]:
    """What Juju refuses beyond the types: place and message."""
    seen: set[str] = set()
    for part in ("provides", "requires", "peers"):
        endpoints: dict[str, Endpoint] = getattr(charm, part)
        for name, endpoint in endpoints.items():
            if name in seen:
                yield (part, name), "an endpoint of this name stands in another role too"
            if name == "juju" or name.startswith("juju-"):
                yield (part, name), "names that begin with juju are reserved"
            if part == "provides" and endpoint.interface == "juju-info":
                yield (part, name), "interface juju-info is reserved: every charm provides it"
            seen.add(name)
    if charm.subordinate and all(e.scope != "container" for e in charm.requires.values()):
        yield ("subordinate",), 'a subordinate needs a "requires" endpoint with scope: container'
    for option in charm.options.values():
        if option.default is not None:
            try:
                parse_option(option, option.default)
            except OptionError as e:
                yield ("options", option.name, "default"), str(e)
