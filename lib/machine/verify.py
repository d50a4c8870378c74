"""The verification of a bundle against its charms and the model that it shall change.

What is refused, and in which words, follows Juju's own verification of bundles.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from machine import bridge
from machine.assumes import unmet
from machine.bundlefile import ApplicationSpec, Bundle, Place
from machine.changes import ChangeError, not_exposed, not_offered
from machine.charm import (
    CharmError,
    CharmMetadata,
    OptionError,
    Value,
    load_charm,
    parse_option,
)
from machine.life import Life
from machine.model import Model
from machine.offer_url import OfferUrl, parse_offer_url
from machine.plan import AddRelation
from machine.relate import RelationError, relate, suggest
from machine.relation import Remote
from machine.storage import POOLS, offered
from machine.storage_changes import parse_directive
from machine.version import CONTROLLER, USER

_APPLICATION = r"[a-z][a-z0-9]*(?:-[a-z0-9]*[a-z][a-z0-9]*)*"
_LONGEST = 200
"""Characters of an application's name: units' folders are named by it."""

_PLACEMENT = re.compile(
    rf"(?:(?P<container>lxd|kvm):)?"
    rf"(?:(?P<application>{_APPLICATION})(?:/(?P<unit>\d+))?|(?P<machine>\d+))"
)


@dataclass
class Verification:
    """Checks everything, and keeps what it found: problems, and what the plan is made of."""

    bundle: Bundle
    existing: Model
    models: Sequence[Model] | None = ()
    unseen: list[str] = field(default_factory=list[str])
    unknown_offers: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])
    paths: dict[str, Path] = field(default_factory=dict[str, Path])
    charms: dict[str, CharmMetadata] = field(default_factory=dict[str, CharmMetadata])
    options: dict[str, dict[str, Value]] = field(default_factory=dict[str, dict[str, Value]])
    remotes: dict[str, Remote] = field(default_factory=dict[str, Remote])
    relations: list[AddRelation] = field(default_factory=list[AddRelation])

    @property
    def specs(self) -> Mapping[str, ApplicationSpec]:
        """The applications as the bundle describes them."""
        return self.bundle.spec.applications

    def wrong(self, place: Place, what: str) -> None:
        """Note a problem with what stands at a place of the bundle."""
        self.problems.append(f"{self.bundle.source.where(*place)}: {what}")

    def warn(self, place: Place, what: str) -> None:
        """Note what is not acted upon."""
        self.warnings.append(f"{self.bundle.source.where(*place)}: {what}")

    def run(self) -> None:
        """Check everything."""
        self._whole()
        for name, spec in self.specs.items():
            self._application(name, spec)
        for name, saas in self.bundle.spec.saas.items():
            self._saas(name, saas.url)
        self._machines()
        self._relations()

    def _whole(self) -> None:
        spec = self.bundle.spec
        if not spec.applications:
            self.wrong(("applications",), "at least one application must be specified")
        if spec.type:
            self.wrong(
                ("bundle",),
                f'bundle has an invalid type "{spec.type}": only machine '
                "bundles can be deployed here",
            )
        if spec.series and spec.default_base:
            self.wrong(("series",), "cannot have both series and default-base")

    # ---- applications

    def _application(self, name: str, spec: ApplicationSpec) -> None:
        here = ("applications", name)
        if not re.fullmatch(_APPLICATION, name):
            self.wrong(here, f'invalid application name "{name}"')
        if len(name) > _LONGEST:
            self.wrong(here, f"application name of {len(name)} characters: at most {_LONGEST}")
        if spec.num_units is not None and spec.scale is not None:
            self.wrong((*here, "scale"), f"{name}: cannot specify both scale and num_units")
        if spec.expose and spec.exposed_endpoints:
            both = "cannot specify both expose and exposed-endpoints"
            self.wrong((*here, "exposed-endpoints"), f"{name}: {both}")
        if spec.units < 0:
            self.wrong((*here, "num_units"), f"{name}: negative number of units")
        for key in ("placement", "devices"):
            if getattr(spec, key):
                self.wrong((*here, key), f"{name}: {key} is for Kubernetes bundles only")
        self._placement(name, spec)
        self._ignored(name, spec)
        if charm := self._charm(name, spec):
            self.charms[name] = charm
            self._against_charm(name, spec, charm)
            self._against_existing(name, charm)

    def _charm(self, name: str, spec: ApplicationSpec) -> CharmMetadata | None:
        place = ("applications", name, "charm")
        if not spec.charm.startswith((".", "/")):
            self.wrong(
                place,
                f'{name}: charm "{spec.charm}" is not a path; charms are taken from this '
                "host, not from a store: give a path that begins with ./ or ../",
            )
            return None
        path = _beside(self.bundle.source.folder(*place) / spec.charm)
        if path is None:
            self.wrong(place, f"{name}: charm path does not exist: {spec.charm}")
            return None
        self.paths[name] = path
        try:
            return load_charm(path)
        except CharmError as e:
            self.problems.extend(e.problems)
            return None

    def _against_charm(self, name: str, spec: ApplicationSpec, charm: CharmMetadata) -> None:
        here = ("applications", name)
        if charm.subordinate and spec.to:
            self.wrong((*here, "to"), f"{name} is subordinate but specifies unit placement")
        if charm.subordinate and spec.units:
            self.wrong(
                (*here, "num_units"),
                f"{name} is subordinate but has non-zero "
                "num_units: its units come with those it is related to",
            )
        if not charm.subordinate and not spec.units:
            self.warn(here, f"{name} gets no unit: it has no num_units")
        for assumed in unmet(charm.assumes):
            self.wrong((*here, "charm"), f"{name}: its charm assumes {assumed}")
        self._options(name, spec, charm)
        self._names(name, "bindings", spec.bindings, {"", *charm.endpoints, *charm.extra_bindings})
        self._names(name, "resources", spec.resources, charm.resources)
        self._names(name, "storage", spec.storage, charm.storage)
        self._names(name, "exposed-endpoints", spec.exposed_endpoints, {"", *charm.endpoints})
        for endpoint, wanted in spec.exposed_endpoints.items():
            for problem in not_exposed(wanted.exposure):
                self.wrong((*here, "exposed-endpoints", endpoint), f"{name}: {problem}")
        self._offers(name, spec, charm)
        for resource, path in spec.resources.items():
            self._resource(name, resource, path)
        for storage, directive in spec.storage.items():
            self._storage(name, storage, directive, charm)

    def _options(self, name: str, spec: ApplicationSpec, charm: CharmMetadata) -> None:
        values = self.options.setdefault(name, {})
        for key, value in spec.options.items():
            place = ("applications", name, "options", key)
            if (option := charm.options.get(key)) is None:
                self.wrong(
                    place,
                    f'{name}: unknown option "{key}" of charm '
                    f'"{charm.name}"{suggest(key, charm.options)}',
                )
            elif value is not None:
                try:
                    values[key] = parse_option(option, value)
                except OptionError as e:
                    quoted = option.type == "string" and not isinstance(value, str)
                    self.wrong(place, f"{name}: {e}{'; put it in quotes' * quoted}")

    def _names(self, name: str, key: str, used: Iterable[str], known: Collection[str]) -> None:
        """Report entries of an application's mapping that its charm does not declare."""
        for entry in used:
            if entry not in known:
                self.wrong(
                    ("applications", name, key, entry),
                    f'{name}: {key}: "{entry}" is '
                    f"not declared by the charm{suggest(entry, known)}",
                )

    def _resource(self, name: str, resource: str, path: str | int) -> None:
        place = ("applications", name, "resources", resource)
        if isinstance(path, int):
            self.wrong(
                place,
                f"{name}: resource {resource}: revisions are a store's; give the path of a file",
            )
        elif not (self.bundle.source.folder(*place) / path).is_file():
            self.wrong(place, f"{name}: resource {resource}: no such file: {path}")

    def _storage(self, name: str, storage: str, directive: str, charm: CharmMetadata) -> None:
        place = ("applications", name, "storage", storage)
        declared = charm.storage.get(storage)
        wanted = parse_directive(directive)
        if wanted is None:
            self.wrong(
                place,
                f'{name}: invalid storage "{directive}": expected pool,count,size, each optional',
            )
            return
        if declared is None:
            return
        count = wanted.count
        if wanted.pool not in ("", POOLS[declared.type]):
            self.wrong(place, f'{name}: storage {storage}: pool "{wanted.pool}" not found')
        if count and not offered(declared.type):
            self.wrong(place, f"{name}: storage {storage}: this kernel has no loop devices")
        if not declared.least <= count <= (declared.most or count):
            most = declared.most if declared.most is not None else "any number"
            self.wrong(
                place,
                f"{name}: storage {storage}: {count} instances, but the "
                f"charm takes {declared.least} to {most}",
            )

    def _ignored(self, name: str, spec: ApplicationSpec) -> None:
        """Say what a single host cannot act upon."""
        here = ("applications", name)
        if any(spec.bindings.values()):
            self.warn((*here, "bindings"), f"{name}: ignored: this host has no spaces")
        if spec.exposed_endpoints:
            self.warn((*here, "exposed-endpoints"), f"{name}: kept: nothing is firewalled")

    def _offers(self, name: str, spec: ApplicationSpec, charm: CharmMetadata) -> None:
        for offer, wanted in spec.offers.items():
            place = ("applications", name, "offers", offer)
            if not wanted.endpoints:
                self.wrong(place, f"{name}: offer {offer}: no endpoints")
            for problem in not_offered(charm, name, wanted.endpoints):
                self.wrong(place, f"offer {offer}: {problem}")
            for user in wanted.acl:
                if user != USER:
                    self.wrong(place, f'{name}: offer {offer}: user "{user}" not found')
            before = self.existing.offers.get(offer)
            if before and before.application != name:
                taken = f"already exists, of application {before.application}"
                self.wrong(place, f'{name}: offer "{offer}" {taken}')

    def _against_existing(self, name: str, charm: CharmMetadata) -> None:
        if (before := self.existing.applications.get(name)) is None:
            return
        place = ("applications", name, "charm")
        if before.life is not Life.ALIVE:
            self.wrong(place, f"{name} is being removed; deploy again when it is gone")
        elif before.charm.name != charm.name:
            self.wrong(
                place,
                f'{name} runs charm "{before.charm.name}", which cannot '
                f'become "{charm.name}": remove the application first',
            )
        elif before.charm.subordinate != charm.subordinate:
            self.wrong(place, f"{name}: cannot change an application's subordinacy")
        for relation in self.existing.relations_of(name):
            end = relation.local(name)
            new = charm.endpoints.get(end.name)
            if new is None or (new.interface, new.role) != (end.interface, end.role):
                self.wrong(place, f'{name}: would break relation "{relation}"')

    # ---- applications of other models

    def _saas(self, name: str, url: str) -> None:
        """What an offer is, which is known by its URL."""
        place, known = ("saas", name), parse_offer_url(url)
        if not re.fullmatch(_APPLICATION, name):
            self.wrong(place, f'invalid SAAS name "{name}"')
        if name in self.specs:
            self.wrong(place, f'"{name}" is an application of this bundle already')
        elif known is None:
            self.wrong((*place, "url"), f'invalid offer URL "{url}" for SAAS {name}')
        elif problem := self._consume(name, url, known):
            self.wrong((*place, "url"), f"{name}: {problem}")

    def _consume(self, name: str, url: str, known: OfferUrl) -> str:
        """Note what is consumed, or say why it cannot be."""
        if self.models is None:
            self.unseen.append(url)
            return ""
        ours = known.controller in ("", CONTROLLER) and known.owner in ("", USER)
        named = [model for model in self.models if ours and model.name == known.model]
        if named and named[0].uuid == self.existing.uuid:
            return f'an offer of the model itself: relate to "{known.offer}"'
        if not named or known.offer not in named[0].offers:
            self.unknown_offers.append(url)
            return f'application offer "{url}" not found'
        try:
            consumer = bridge.consume(self.existing, named[0], known.offer, name)
        except ChangeError as e:
            return str(e)
        self.remotes[name] = consumer.remotes[name]
        return ""

    @property
    def _relatable(self) -> dict[str, CharmMetadata]:
        """What relations may name: the bundle's applications, and those of other models."""
        remotes = {name: bridge.as_charm(remote) for name, remote in self.remotes.items()}
        return {**self.charms, **remotes}

    # ---- placement

    def _placement(self, name: str, spec: ApplicationSpec) -> None:
        if 0 <= spec.units < len(spec.to):
            self.wrong(
                ("applications", name, "to"),
                f"{name}: too many units specified in "
                f"unit placement: {len(spec.to)} for {spec.units}",
            )
        for index, placement in enumerate(spec.to):
            if problem := self._placement_problem(placement):
                self.wrong(("applications", name, "to", index), f"{name}: {problem}")

    def _placement_problem(self, placement: str) -> str:
        match = _PLACEMENT.fullmatch(placement)
        if match is None or (match["application"] == "new" and match["unit"]):
            return f'invalid placement syntax "{placement}"'
        target, machine = match["application"], match["machine"]
        if machine is not None and machine not in self.bundle.spec.machines:
            known = suggest(machine, self.bundle.spec.machines)
            return f'placement "{placement}" refers to a machine not defined in this bundle{known}'
        if target in (None, "new"):
            return ""
        if target not in self.specs:
            known = suggest(target, self.specs)
            return (
                f'placement "{placement}" refers to an application not defined in this '
                f"bundle{known}"
            )
        if match["unit"] and int(match["unit"]) >= self.specs[target].units:
            return (
                f'placement "{placement}" specifies a unit greater than the '
                f"{self.specs[target].units} unit(s) started by the target application"
            )
        return ""

    def _machines(self) -> None:
        used = {p.rpartition(":")[2] for spec in self.specs.values() for p in spec.to}
        declared = self.bundle.spec.machines
        for machine in declared:
            if not re.fullmatch(r"0|[1-9]\d*", machine):
                self.wrong(("machines", machine), f'invalid machine id "{machine}"')
            elif machine not in used:
                self.wrong(
                    ("machines", machine),
                    f'machine "{machine}" is not referred to by a placement directive',
                )
        if len(declared) > 1:
            self.warn(("machines",), "there is one machine, this host: all units go to it")

    # ---- relations

    def _relations(self) -> None:
        seen: dict[tuple[str, str], int] = {}
        for index, ends in enumerate(self.bundle.spec.relations):
            if (relation := self._relation(index, ends)) is None:
                continue
            key = (str(relation.provider), str(relation.requirer))
            if key in seen:
                first = self.bundle.source.where("relations", seen[key])
                self.wrong(
                    ("relations", index),
                    f'relation "{key[0]} {key[1]}" is defined more than once, first at {first}',
                )
            else:
                seen[key] = index
                self.relations.append(relation)
                self._limit(index, relation)
        self._lonely_subordinates()

    def _relation(self, index: int, ends: list[str]) -> AddRelation | None:
        if len(ends) != 2:
            self.wrong(("relations", index), f"relation {ends} has {len(ends)} endpoint(s), not 2")
            return None
        names = [end.partition(":")[0] for end in ends]
        defined = {**self.specs, **self.bundle.spec.saas}
        unknown = [name for name in names if name not in defined]
        for name in unknown:
            self.wrong(
                ("relations", index),
                f'relation "{" ".join(ends)}" refers to '
                f'application "{name}" not defined in this bundle'
                f"{suggest(name, defined)}",
            )
        relatable = self._relatable
        if unknown or not all(name in relatable for name in names):
            return None
        if all(name in self.remotes for name in names):
            self.wrong(("relations", index), f'"{" ".join(ends)}": both are of other models')
            return None
        try:
            return relate((ends[0], ends[1]), relatable)
        except RelationError as e:
            self.wrong(("relations", index), str(e))
            return None

    def _limit(self, index: int, relation: AddRelation) -> None:
        """Refuse the relation that exceeds what an endpoint takes."""
        pairs = {(r.provider, r.requirer) for r in self.relations}
        relatable = self._relatable
        pairs |= {r.endpoints for r in self.existing.relations.values() if not r.peer}
        for end in (relation.provider, relation.requirer):
            limit = relatable[end.application].endpoints[end.name].limit
            if limit and sum(end in pair for pair in pairs) > limit:
                self.wrong(
                    ("relations", index),
                    f"{end}: this relation would exceed its maximum relation limit of {limit}",
                )

    def _lonely_subordinates(self) -> None:
        related = {
            end.application
            for relation in self.relations
            if relation.scope == "container"
            for end in (relation.provider, relation.requirer)
        }
        for name, charm in self.charms.items():
            if charm.subordinate and name not in related:
                self.warn(
                    ("applications", name),
                    f"{name} gets no unit: it is subordinate "
                    "and has no relation with scope container",
                )


def _beside(charm: Path) -> Path | None:
    """The charm, or where it is not packed, the folder that `x/x.charm` is packed from.

    By the name it was given: `/snap/NAME/current` outlives the revision that it leads to.
    """
    if charm.exists():
        return Path(os.path.abspath(charm))
    folder = charm.parent
    unpacked = charm.suffix == ".charm" and any(
        (folder / name).is_file() for name in ("charmcraft.yaml", "metadata.yaml")
    )
    return Path(os.path.abspath(folder)) if unpacked else None
