"""The model as a bundle, and how it differs from one: `juju export-bundle` and `diff-bundle`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from machine import describe
from machine.bundlefile import BundleError, read_bundle
from machine.life import Life
from machine.model import EVERYONE, Application, Model
from machine.relation import Relation
from machine.verify import Verification


def exported(model: Model, base: str, *, defaults: bool = False) -> list[dict[str, Any]]:
    """The documents of a bundle of the model: the bundle, and an overlay.

    Offers and endpoints exposed each in its own way are an overlay's alone.

    Charms are named by the paths they were deployed from, so that it can be deployed here.

    Args:
        model: what to export.
        base: of this host.
        defaults: with the options that were not set, too.
    """
    alive = [a for _, a in sorted(model.applications.items()) if a.life is Life.ALIVE]
    saas = {r.name: {"url": r.url} for r in model.remotes.values() if r.relation is None}
    principals = any(not a.charm.subordinate for a in alive)
    bundle: dict[str, Any] = {
        "default-base": base,
        **_set("saas", saas),
        "applications": {a.name: _application(model, a, defaults) for a in alive},
        **({"machines": {"0": {}}} if principals else {}),
        **_set("relations", _relations(model)),
    }
    overlay = {a.name: found for a in alive if (found := _of_overlay(model, a))}
    return [bundle, *([{"applications": overlay}] if overlay else [])]


def _of_overlay(model: Model, application: Application) -> dict[str, Any]:
    """What of an application only an overlay may say."""
    offers = {
        offer.name: {"endpoints": list(offer.endpoints)}
        for offer in model.offers.values()
        if offer.application == application.name
    }
    alike = application.exposures == {"": EVERYONE}
    exposed = {name: describe.exposure(to) for name, to in application.exposures.items()}
    return {
        **_set("exposed-endpoints", {} if alike else exposed),
        **_set("offers", offers),
    }


def _application(model: Model, application: Application, defaults: bool) -> dict[str, Any]:
    units = [u for u in model.units_of(application.name) if u.life is Life.ALIVE]
    known = application.charm.defaults
    placed = {"num_units": len(units), **_set("to", ["0"] * len(units))}
    return {
        "charm": application.charm_path,
        **({} if application.charm.subordinate else placed),
        **_set("options", {**(known if defaults else {}), **application.options}),
        **_set("resources", dict(application.resources)),
        **_set("storage", {name: str(count) for name, count in application.storage.items()}),
        **_set("expose", application.exposures == {"": EVERYONE}),
        **_set("trust", application.trust),
    }


def _relations(model: Model) -> list[list[str]]:
    related = (_ends(r) for r in model.relations.values() if _is_ours(model, r))
    return sorted(related)


def _is_ours(model: Model, relation: Relation) -> bool:
    """Whether a bundle of the model says it: a relation by an offer is the consumer's."""
    ends = (model.remotes.get(e.application) for e in relation.endpoints)
    offered = any(remote is not None and remote.relation is not None for remote in ends)
    return not relation.peer and relation.life is Life.ALIVE and not offered


def _ends(relation: Relation) -> list[str]:
    return [str(end) for end in relation.endpoints]


def _set(key: str, value: Any) -> dict[str, Any]:
    return {key: value} if value else {}


# ---- differences


def difference(
    bundle: Path, overlays: Sequence[Path], model: Model, models: Sequence[Model] = ()
) -> dict[str, Any]:
    """What a bundle and the model do not have in common; nothing where they are the same.

    Applications of other models are looked up in `models`.

    Raises:
        BundleError: with everything that is wrong with the bundle.
    """
    verified = Verification(read_bundle(bundle, overlays), Model("", ""), models)
    verified.run()
    if verified.problems:
        raise BundleError(verified.problems)
    applications = {
        name: found
        for name in sorted({*verified.specs, *model.applications})
        if (found := _of_application(verified, model, name))
    }
    wanted = [[str(r.provider), str(r.requirer)] for r in verified.relations]
    return {
        **_set("applications", applications),
        **_set("relations", _of_relations(wanted, _relations(model))),
    }


def _of_application(verified: Verification, model: Model, name: str) -> dict[str, Any]:
    spec, application = verified.specs.get(name), model.applications.get(name)
    if application is None or spec is None:
        return {"missing": "model" if application is None else "bundle"}
    charm = verified.charms[name]
    units = 0 if charm.subordinate else spec.units
    there = 0 if charm.subordinate else len(model.units_of(name))
    both = {
        "charm": (str(verified.paths[name]), application.charm_path),
        "num_units": (units, there),
        "expose": (spec.expose, application.exposed),
        "trust": (spec.trust, application.trust),
    }
    options = _of_options({**charm.defaults, **verified.options[name]}, application)
    return {**_pairs(both), **_set("options", options)}


def _of_options(wanted: Mapping[str, Any], application: Application) -> dict[str, Any]:
    there = {**application.charm.defaults, **application.options}
    names = sorted({*wanted, *there})
    return _pairs({name: (wanted.get(name), there.get(name)) for name in names})


def _pairs(both: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    return {
        key: {"bundle": wanted, "model": there}
        for key, (wanted, there) in both.items()
        if wanted != there
    }


def _of_relations(
    wanted: Iterable[list[str]], there: Iterable[list[str]]
) -> dict[str, list[list[str]]]:
    in_bundle, in_model = list(wanted), list(there)
    return {
        **_set("bundle-additions", [ends for ends in in_bundle if ends not in in_model]),
        **_set("model-additions", [ends for ends in in_model if ends not in in_bundle]),
    }
