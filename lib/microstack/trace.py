"""The way of a value: relation, databag field, snap config key, file and line, service.

`explain` shows one key's whole way; `doctor` shows where the ways that an application waits for
are broken.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, SecretStr

from microstack.charms import CharmClass, charm_class
from microstack.errors import Failure
from microstack.installation import Installation, program
from microstack.rendered import Place, Tracks

if TYPE_CHECKING:
    from charmbase.sources import Origin
    from machine.client import RelationRecord
    from microstack.model import Application
    from workload.runtime.status import ServiceStatus

HIDDEN = "(secret)"


@dataclass(frozen=True)
class Field:
    """A field of a databag that a value is made from.

    Attributes:
        owner: the application or unit whose databag it is in.
        value: None while it was not sent.
    """

    owner: str
    name: str
    value: str | None


@dataclass(frozen=True)
class Link:
    """A relation that a value comes over."""

    provider: str
    requirer: str
    id: int


@dataclass(frozen=True)
class Trace:
    """Where one snap config key comes from and goes to.

    Attributes:
        key: full, e.g. `nova.identity.auth-url`.
        origin: what the charm maps it to; None where it leaves it at its default.
        links: the relations it may come over; none is there where the relation is missing.
        fields: the databag fields it is made from, for each of `links`.
        value: as text; None while it is unset. Secrets are not shown.
        places: files and lines it ends up in.
        services: what reads those.
    """

    key: str
    origin: Origin | None
    links: tuple[Link, ...]
    fields: tuple[Field, ...]
    value: str | None
    places: tuple[Place, ...]
    services: tuple[str, ...]


class Tracer:
    """Follows values through one installation; what it reads is read once."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self._known_tracks: dict[str, Tracks] = {}

    @cached_property
    def relations(self) -> Sequence[RelationRecord]:
        """All relations with their databags."""
        return self.installation.machine().relations()

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """All of snap config."""
        return self.installation.services().config()

    @cached_property
    def services(self) -> Mapping[str, ServiceStatus]:
        """How each service is."""
        return {status.name: status for status in self.installation.services().services()}

    def charm(self, application: Application) -> CharmClass | None:
        """Return the component charm that an application runs, if it is one."""
        units = self.installation.layout.machine_state / "units"
        for unit in application.units:
            folder = units / unit.name.replace("/", "-") / "charm"
            if (folder / "src").is_dir():
                return charm_class(folder.resolve())
        return None

    def model(self, component: str) -> Any:
        """Return a component's live config as its model."""
        from workload.config import COMPONENTS

        return COMPONENTS[component].model_validate(self.config.get(component) or {})

    def keys(self, component: str) -> dict[str, str | None]:
        """Return a component's keys and what they have, secrets hidden."""
        return dict(_flat(self.model(component)))

    def trace(self, application: str, charm: CharmClass, key: str) -> Trace:
        """Follow one key.

        Args:
            application: name of the application that the charm runs as.
            charm: the component charm.
            key: dotted, below the component.

        Raises:
            Failure: the component has no such key.
        """
        component = charm.component
        values = self.keys(component)
        if key not in values:
            raise _no_such_key(component, key, values)
        source = charm.sources.get(key) or _above(charm, key)
        origin = source.origin() if source else None
        ends = self._ends(application, origin.endpoint) if origin and origin.endpoint else []
        found = self._tracks(component).places(key)
        return Trace(
            key=f"{component}.{key}",
            origin=origin,
            links=tuple(link for link, _, _ in ends),
            fields=tuple(_fields(origin, ends)) if origin else (),
            value=values[key],
            places=tuple(found),
            services=tuple(dict.fromkeys(name for place in found for name in place.services)),
        )

    def _tracks(self, component: str) -> Tracks:
        from workload.components import ALL

        if component not in self._known_tracks:
            layout = self.installation.layout
            self._known_tracks[component] = Tracks(ALL[component], self.model(component), layout)
        return self._known_tracks[component]

    def _ends(
        self, application: str, endpoint: str
    ) -> list[tuple[Link, str, Mapping[str, Mapping[str, str]]]]:
        """Return relations at an endpoint: the link, the other application, the databags."""
        own = f"{application}:{endpoint}"
        found: list[tuple[Link, str, Mapping[str, Mapping[str, str]]]] = []
        for relation in self.relations:
            if own in relation.endpoints and len(relation.endpoints) == 2:
                other = next(end for end in relation.endpoints if end != own)
                link = Link(relation.endpoints[0], relation.endpoints[1], relation.id)
                found.append((link, other.partition(":")[0], relation.databags))
        return found


def resolve(key: str, applications: Iterable[Application]) -> tuple[Application, str]:
    """Split a key as a user gives it into the application and the key below its component.

    Raises:
        Failure: no application begins it.
    """
    name, _, rest = key.partition(".")
    known = {application.name: application for application in applications}
    if name not in known:
        raise Failure(f"{key}: there is no application {name}", f"there are {', '.join(known)}")
    return known[name], rest


def _no_such_key(component: str, key: str, values: Iterable[str]) -> Failure:
    import difflib

    near = difflib.get_close_matches(key, list(values), n=1)
    meant = f"did you mean {component}.{near[0]}?" if near else ""
    hint = meant or f"{program()} explain {component} lists its keys"
    return Failure(f"{component} has no key {key}", hint)


def _above(charm: CharmClass, key: str) -> Any:
    """Return the source of the section that a key is in, where the charm maps it whole."""
    sections = key.split(".")
    above = (".".join(sections[:count]) for count in range(len(sections) - 1, 0, -1))
    return next((charm.sources[name] for name in above if name in charm.sources), None)


def _fields(
    origin: Origin, ends: Iterable[tuple[Link, str, Mapping[str, Mapping[str, str]]]]
) -> Iterable[Field]:
    for _, other, databags in ends:
        owners = [other]
        if origin.scope == "unit":
            owners = sorted(owner for owner in databags if owner.startswith(f"{other}/"))
        for owner in owners:
            for name in origin.fields:
                yield Field(owner, name, _decoded(databags.get(owner, {}).get(name)))


def _decoded(value: str | None) -> str | None:
    """Return a databag's value as text; this project's charms write each as JSON."""
    if value is None:
        return None
    try:
        decoded = json.loads(value)
    except ValueError:
        return value
    return decoded if isinstance(decoded, str) else json.dumps(decoded)


def _flat(value: BaseModel, prefix: str = "") -> Iterable[tuple[str, str | None]]:
    """Yield the dotted keys of a config model and what they have as text."""
    fields: Mapping[str, Any] = type(value).model_fields
    for name in fields:
        inner = getattr(value, name)
        key = prefix + name.replace("_", "-")
        if isinstance(inner, BaseModel):
            yield from _flat(inner, f"{key}.")
        else:
            yield key, _shown(inner)


def _shown(value: Any) -> str | None:
    if value is None:
        return None
    if _is_secret(value):
        return HIDDEN
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_is_secret(item) for item in cast("dict[str, Any]", value).values())
    return isinstance(value, SecretStr)
