"""From a bundle to the changes that a model needs, verified whole before anything changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from machine.bundlefile import BundleError, read_bundle
from machine.life import Life
from machine.model import Application, Model
from machine.plan import (
    AddApplication,
    AddOffer,
    AddRelation,
    AddUnit,
    Change,
    Consume,
    Expose,
    Plan,
    RefreshCharm,
    SetOptions,
    SetResources,
    SetTrust,
)
from machine.storage_changes import Directive, parse_directive
from machine.verify import Verification

__all__ = ["BundleError", "plan"]


def plan(
    bundle: Path,
    overlays: Sequence[Path] = (),
    existing: Model | None = None,
    models: Sequence[Model] | None = (),
) -> Plan:
    """Work out what brings the model to what the bundle says; no changes where it is there.

    Nothing is ever removed: as in Juju, a bundle adds and alters.

    Args:
        bundle: the bundle's file; charms in it are relative to it.
        overlays: files merged over it, in order.
        existing: the model as it is; None is an empty one.
        models: that there are on this host: what they offer can be consumed. None where they
            are not known: then what the bundle consumes is left out, and told as `unseen`.

    Raises:
        BundleError: with everything that is wrong, each problem with its file and line.
    """
    verified = Verification(read_bundle(bundle, overlays), existing or Model("", ""), models)
    verified.run()
    if verified.problems:
        raise BundleError(verified.problems, verified.unknown_offers)
    parts = (_applications, _consumed, _units, _relations, _offers)
    changes = [change for part in parts for change in part(verified)]
    warnings = (*verified.bundle.warnings, *verified.warnings)
    return Plan(tuple(changes), warnings, tuple(verified.unseen))


def _applications(verified: Verification) -> Iterator[Change]:
    for name, spec in sorted(verified.specs.items()):
        before = verified.existing.applications.get(name)
        resources = {
            key: (verified.bundle.source.folder("applications", name, "resources", key) / path)
            for key, path in spec.resources.items()
            if isinstance(path, str)
        }
        storage = {key: parse_directive(text) or Directive() for key, text in spec.storage.items()}
        new = AddApplication(
            name,
            verified.charms[name],
            verified.paths[name],
            options=verified.options[name],
            resources={key: path.resolve() for key, path in resources.items()},
            storage={key: directive.count for key, directive in storage.items()},
            storage_sizes={key: directive.size for key, directive in storage.items()},
            trust=spec.trust,
            exposures=spec.exposures,
        )
        yield from _difference(before, new) if before else [new]


def _difference(before: Application, wanted: AddApplication) -> Iterator[Change]:
    """What brings an existing application to what is wanted."""
    name = wanted.name
    if before.charm.digest != wanted.charm.digest or before.charm_path != str(wanted.charm_path):
        yield RefreshCharm(name, wanted.charm, wanted.charm_path)
    now = {**wanted.charm.defaults, **before.options}
    if changed := {k: v for k, v in wanted.options.items() if k not in now or now[k] != v}:
        yield SetOptions(name, changed)
    resources = {k: p for k, p in wanted.resources.items() if before.resources.get(k) != str(p)}
    if resources:
        yield SetResources(name, resources)
    if wanted.trust and not before.trust:
        yield SetTrust(name, True)
    exposures = {k: e for k, e in wanted.exposures.items() if before.exposures.get(k) != e}
    if exposures:
        yield Expose(name, exposures)


def _consumed(verified: Verification) -> Iterator[Consume]:
    for name, remote in sorted(verified.remotes.items()):
        if name not in verified.existing.remotes:
            yield Consume(remote)


def _units(verified: Verification) -> Iterator[AddUnit]:
    for name, spec in sorted(verified.specs.items()):
        alive = [u for u in verified.existing.units_of(name) if u.life is Life.ALIVE]
        wanted = 0 if verified.charms[name].subordinate else spec.units
        yield from [AddUnit(name)] * (wanted - len(alive))


def _relations(verified: Verification) -> Iterator[AddRelation]:
    present = {relation.endpoints for relation in verified.existing.relations.values()}
    for relation in verified.relations:
        if (relation.provider, relation.requirer) not in present:
            yield relation


def _offers(verified: Verification) -> Iterator[AddOffer]:
    for name, spec in sorted(verified.specs.items()):
        for offer, wanted in spec.offers.items():
            before = verified.existing.offers.get(offer)
            if before is None or {*before.endpoints} != {*wanted.endpoints}:
                yield AddOffer(offer, name, tuple(wanted.endpoints))
