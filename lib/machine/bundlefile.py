"""Bundle files: documents, overlays and includes become one typed bundle that knows its lines.

Format: https://documentation.ubuntu.com/juju/3.6/reference/bundle/
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from machine import document
from machine.charm import Value
from machine.document import Document, DocumentError
from machine.model import Exposure
from machine.relate import suggest


class BundleError(Exception):
    """A bundle that cannot be deployed.

    Attributes:
        problems: each is one line with its place.
        unknown_offers: URLs of offers, those that no model here has.
    """

    def __init__(self, problems: Sequence[str], unknown_offers: Sequence[str] = ()) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
        self.unknown_offers = tuple(unknown_offers)


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, raw: Any) -> Any:
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            return raw
        return {k: v for k, v in cast("dict[Any, Any]", raw).items() if v is not None}


class MachineSpec(_Spec):
    """A machine that placements name; on one host its hardware is what it is."""

    constraints: str = ""
    annotations: dict[str, str] = Field(default_factory=dict)
    base: str = ""
    series: str = ""


class OfferSpec(_Spec):
    """An offer of an application's endpoints; `acl` says what each user may do with it."""

    endpoints: list[str] = Field(default_factory=list)
    acl: dict[str, str] = Field(default_factory=dict)


class SaasSpec(_Spec):
    """An application of another model, by the URL of its offer."""

    url: str = ""


class ExposureSpec(_Spec):
    """Whom the open ports of an endpoint are meant for; nobody named is everyone."""

    spaces: list[str] = Field(default_factory=list, alias="expose-to-spaces")
    cidrs: list[str] = Field(default_factory=list, alias="expose-to-cidrs")

    @property
    def exposure(self) -> Exposure:
        """The same, as the model has it."""
        return Exposure(tuple(self.spaces), tuple(self.cidrs)).kept


class ApplicationSpec(_Spec):
    """One application as a bundle describes it."""

    charm: str
    channel: str = ""
    revision: int | None = None
    base: str = ""
    series: str = ""
    num_units: int | None = None
    scale: int | None = None
    to: list[str] = Field(default_factory=list)
    placement: str = ""
    options: dict[str, Value | None] = Field(default_factory=dict)
    resources: dict[str, str | int] = Field(default_factory=dict)
    storage: dict[str, str] = Field(default_factory=dict)
    devices: dict[str, str] = Field(default_factory=dict)
    bindings: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    constraints: str = ""
    plan: str = ""
    expose: bool = False
    trust: bool = False
    exposed_endpoints: dict[str, ExposureSpec] = Field(
        default_factory=dict, alias="exposed-endpoints"
    )
    offers: dict[str, OfferSpec] = Field(default_factory=dict)

    @property
    def exposures(self) -> dict[str, Exposure]:
        """Whom open ports are meant for, by endpoint; an empty name stands for all others."""
        named = {"": ExposureSpec()} if self.expose else self.exposed_endpoints
        return {name: spec.exposure for name, spec in sorted(named.items())}

    @property
    def units(self) -> int:
        """How many units are asked for."""
        return self.num_units or self.scale or 0


class BundleSpec(_Spec):
    """A whole bundle, overlays merged."""

    applications: dict[str, ApplicationSpec] = Field(default_factory=dict)
    machines: dict[str, MachineSpec] = Field(default_factory=dict)
    relations: list[list[str]] = Field(default_factory=list[list[str]])
    saas: dict[str, SaasSpec] = Field(default_factory=dict)
    type: str = Field(default="", alias="bundle")
    name: str = ""
    description: str = ""
    tags: list[str] = Field(default_factory=list)
    variables: dict[str, Any] = Field(default_factory=dict)
    series: str = ""
    default_base: str = Field(default="", alias="default-base")


Place = tuple[str | int, ...]
"""Where something stands in a bundle: keys and indices from the top."""


@dataclass
class Source:
    """Documents merged into one value, which remembers where each part of it came from."""

    value: dict[str, Any] = field(default_factory=dict[str, Any])
    origins: dict[Place, tuple[Document, Place]] = field(
        default_factory=dict[Place, tuple[Document, Place]]
    )

    def where(self, *path: str | int) -> str:
        """`file:line` of a part, or of what it is nearest below."""
        found, at = self._origin(path)
        return found.where(*at)

    def folder(self, *path: str | int) -> Path:
        """Folder of the file that a part stands in: what relative paths in it start from."""
        return Path(self._origin(path)[0].name).parent

    def _origin(self, path: Place) -> tuple[Document, Place]:
        for length in range(len(path), -1, -1):
            if origin := self.origins.get(path[:length]):
                return origin[0], (*origin[1], *path[length:])
        return Document("bundle"), path


@dataclass(frozen=True)
class Bundle:
    """A bundle read and typed, not yet checked against its charms."""

    spec: BundleSpec
    source: Source
    warnings: tuple[str, ...]


def read_bundle(bundle: Path, overlays: Sequence[Path] = ()) -> Bundle:
    """Read a bundle and merge its overlays: the further documents of it, then the given files.

    Raises:
        BundleError: a file is missing, not YAML, or holds a value of the wrong type.
    """
    source, problems = Source(), list[str]()
    for index, doc in enumerate(_documents((bundle, *overlays))):
        problems += _duplicates(doc)
        problems += _merge(source, doc, overlay=index > 0)
    if problems:
        raise BundleError(problems)
    problems += _include(source)
    try:
        spec = BundleSpec.model_validate(source.value)
    except ValidationError as e:
        raise BundleError([*problems, *_explained(e, source)]) from None
    if problems:
        raise BundleError(problems)
    return Bundle(spec, source, tuple(_unknown_keys(spec, source)))


def _documents(files: Iterable[Path]) -> Iterator[Document]:
    for file in files:
        try:
            yield from document.parse(file.read_text(), str(file))
        except DocumentError as e:
            raise BundleError([str(e)]) from None
        except (OSError, UnicodeDecodeError) as e:
            reason = e.strerror if isinstance(e, OSError) else "not UTF-8 text"
            raise BundleError([f"{file}: cannot read the bundle: {reason}"]) from None


def _duplicates(doc: Document) -> Iterator[str]:
    for twice in doc.duplicates:
        key = ".".join(map(str, twice.path))
        yield f"{doc.name}:{twice.line}: {key}: stands twice, first in line {twice.first_line}"


# ---- overlays


_SHAPES = {"applications": dict, "machines": dict, "relations": list, "saas": dict}


def _merge(source: Source, doc: Document, overlay: bool) -> list[str]:
    """Merge one document as Juju merges overlays; return what is wrong with its shape."""
    try:
        content = doc.mapping
    except DocumentError as e:
        return [str(e)]
    if not overlay:
        source.origins[()] = (doc, ())
    problems = [
        f"{doc.where(key)}: {key}: expected {'a list' if kind is list else 'a mapping'}"
        for key, kind in _SHAPES.items()
        if not isinstance(content.get(key, kind()), kind | None)
    ]
    if problems:
        return problems
    for name, app in _items(content.pop("applications", None)):
        problems += _merge_application(source, doc, name, app, overlay)
    for name, saas in _items(content.pop("saas", None)):
        _merge_saas(source, doc, name, saas, overlay)
    for index, relation in enumerate(content.pop("relations", None) or []):
        relations: list[Any] = source.value.setdefault("relations", [])
        source.origins["relations", len(relations)] = (doc, ("relations", index))
        relations.append(relation)
    for key, value in content.items():
        source.value[key] = _text_keys(value)
        source.origins[(key,)] = (doc, (key,))
    return problems


def _merge_saas(source: Source, doc: Document, name: str, saas: Any, overlay: bool) -> None:
    known: dict[str, Any] = source.value.setdefault("saas", {})
    if saas is None and overlay:
        known.pop(name, None)
        _drop_relations(source, name)
        return
    known[name] = _text_keys(saas)
    source.origins["saas", name] = (doc, ("saas", name))


_DEEP = ("options", "annotations", "resources", "storage", "bindings", "devices", "offers")


def _merge_application(
    source: Source, doc: Document, name: str, app: Any, overlay: bool
) -> list[str]:
    applications: dict[str, Any] = source.value.setdefault("applications", {})
    here = ("applications", name)
    if app is None and overlay:
        applications.pop(name, None)
        _drop_relations(source, name)
        return []
    if not isinstance(app, dict):
        return [f"{doc.where(*here)}: applications.{name}: expected a mapping"]
    if name not in applications:
        source.origins[here] = (doc, here)
    merged: dict[str, Any] = applications.setdefault(name, {})
    for key, value in _items(app):
        if key in _DEEP and isinstance(value, dict):
            inner = merged.get(key)
            merged[key] = {**inner} if isinstance(inner, dict) else {}
            for entry, content in _items(value):
                merged[key][entry] = content
                source.origins[*here, key, entry] = (doc, (*here, key, entry))
        else:
            merged[key] = _text_keys(value)
        source.origins[*here, key] = (doc, (*here, key))
    return []


def _drop_relations(source: Source, application: str) -> None:
    """Forget the relations of an application that an overlay removes."""
    relations: list[Any] = source.value.get("relations", [])
    kept = [
        (relation, source.origins["relations", index])
        for index, relation in enumerate(relations)
        if application not in _applications_of(relation)
    ]
    for index in range(len(relations)):
        del source.origins["relations", index]
    source.value["relations"] = [relation for relation, _ in kept]
    for index, (_, origin) in enumerate(kept):
        source.origins["relations", index] = origin


def _applications_of(relation: Any) -> list[str]:
    ends = cast("list[Any]", relation) if isinstance(relation, list) else []
    return [str(end).partition(":")[0] for end in ends]


def _items(value: Any) -> list[tuple[str, Any]]:
    """Entries of a mapping (None is an empty one), with keys as text."""
    mapping = cast("dict[Any, Any]", value or {})
    return [(str(key), content) for key, content in mapping.items()]


def _text_keys(value: Any) -> Any:
    return dict(_items(value)) if isinstance(value, dict) else value


# ---- includes


def _include(source: Source) -> list[str]:
    """Replace `include-file://` and `include-base64://` values of options and annotations."""
    problems: list[str] = []
    for name, app in source.value.get("applications", {}).items():
        for key in ("options", "annotations"):
            values = app.get(key)
            for entry, value in _items(values) if isinstance(values, dict) else []:
                place = ("applications", name, key, entry)
                try:
                    values[entry] = _included(value, source.folder(*place))
                except OSError as e:
                    problems.append(
                        f"{source.where(*place)}: {name}.{entry}: cannot include "
                        f"{e.filename}: {e.strerror}"
                    )
                except UnicodeDecodeError:
                    problems.append(
                        f"{source.where(*place)}: {name}.{entry}: the included file is not UTF-8 "
                        "text; use include-base64://"
                    )
    return problems


def _included(value: Any, folder: Path) -> Any:
    if not isinstance(value, str):
        return value
    scheme, separator, path = value.partition("://")
    if not separator or scheme not in ("include-file", "include-base64"):
        return value
    content = (folder / path).read_bytes()
    return content.decode() if scheme == "include-file" else base64.b64encode(content).decode()


# ---- messages


def _explained(error: ValidationError, source: Source) -> Iterator[str]:
    """What pydantic found, once for each place (a union reports each of its types)."""
    seen: set[str] = set()
    for e in error.errors(include_url=False, include_input=False, include_context=False):
        path = tuple(step for step in e["loc"] if step not in ("str", "int", "float", "bool"))
        place = f"{source.where(*path)}: {'.'.join(map(str, path))}"
        if place not in seen:
            yield f"{place}: {e['msg'].removeprefix('Value error, ')}"
        seen.add(place)


def _unknown_keys(spec: BundleSpec, source: Source) -> Iterator[str]:
    """Keys that mean nothing in a bundle: Juju, too, only tells of them."""
    yield from _unknown(spec, (), source)
    for name, application in spec.applications.items():
        yield from _unknown(application, ("applications", name), source)
    for name, saas in spec.saas.items():
        yield from _unknown(saas, ("saas", name), source)
    for name, machine in spec.machines.items():
        yield from _unknown(machine, ("machines", name), source)


def _unknown(spec: _Spec, path: Place, source: Source) -> Iterator[str]:
    known = [f.alias or name for name, f in type(spec).model_fields.items()]
    for key in spec.model_extra or {}:
        place = f"{source.where(*path, key)}: {'.'.join(map(str, (*path, key)))}"
        yield f"{place}: unknown key, ignored{suggest(key, known)}"
