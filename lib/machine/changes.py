"""What an operator may do to the model: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

from machine.charm import CharmMetadata, OptionError, Value, parse_option
from machine.life import Life
from machine.model import EVERYONE, Application, Exposure, Model, Storage
from machine.model_config import update_status_interval
from machine.plan import (
    AddApplication,
    AddOffer,
    AddRelation,
    AddUnit,
    Change,
    Consume,
    Expose,
    RefreshCharm,
    SetOptions,
    SetResources,
    SetTrust,
    Unexpose,
)
from machine.relation import Endpoint, Offer, Relation, Role, Scope
from machine.settle import new_unit, settle
from machine.version import SPACE


class ChangeError(Exception):
    """What was asked cannot be done; the message is one line."""


def applied(model: Model, changes: Iterable[Change], now: float) -> Model:
    """The model with a plan's changes, in their order.

    Raises:
        ChangeError: the model is being destroyed.
    """
    if model.life is Life.DYING:
        raise ChangeError(f'model "{model.name}" is no longer alive')
    for change in changes:
        model = settle(_applied(model, change, now), now)
    return model


def _applied(model: Model, change: Change, now: float) -> Model:
    match change:
        case AddApplication():
            return _with_peers(model.with_application(_new(change, now)), change.name, now)
        case AddUnit():
            for storage_id in change.storage:
                attachable(model, change.application, storage_id)
            return new_unit(model, change.application, now, attached=change.storage)
        case AddRelation():
            return _related(model, (change.provider, change.requirer), change.scope, now)
        case SetOptions():
            options = {**_application(model, change.application).options, **change.values}
            kept = {k: v for k, v in options.items() if k not in change.reset}
            return _with(model, change.application, options=kept)
        case SetResources():
            paths = {k: str(p) for k, p in change.resources.items()}
            before = _application(model, change.application)
            # Juju, too, has units look at new resources in upgrade-charm.
            return _with(
                model,
                change.application,
                resources={**before.resources, **paths},
                charm_revision=before.charm_revision + 1,
            )
        case SetTrust():
            return _with(model, change.application, trust=change.trust)
        case Expose():
            return _exposed(model, change)
        case Unexpose():
            return _unexposed(model, change)
        case RefreshCharm():
            return _refreshed(model, change, now)
        case Consume():
            return model.with_remote(change.remote)
        case AddOffer():
            return offer(model, change.application, change.endpoints, change.name)


def _new(change: AddApplication, now: float) -> Application:
    return Application(
        change.name,
        change.charm,
        str(change.charm_path),
        options=change.options,
        trust=change.trust,
        exposures=change.exposures,
        resources={k: str(p) for k, p in change.resources.items()},
        storage=change.storage,
        storage_sizes=change.storage_sizes,
        since=now,
    )


def _with_peers(model: Model, name: str, now: float) -> Model:
    """The model with the application's peer relations, those that are not there yet."""
    present = {r.endpoints for r in model.relations_of(name)}
    for peer in model.applications[name].charm.peers.values():
        ends = (Endpoint(name, peer.name, peer.interface, Role.PEER),)
        if ends not in present:
            model = _related(model, ends, Scope(peer.scope), now)
    return model


def _related(model: Model, ends: tuple[Endpoint, ...], scope: Scope, now: float) -> Model:
    relation = Relation(model.next_relation, ends, scope, since=now)
    return replace(model, next_relation=model.next_relation + 1).with_relation(relation)


def _refreshed(model: Model, change: RefreshCharm, now: float) -> Model:
    application = _application(model, change.application)
    options = {k: v for k, v in application.options.items() if _fits(change.charm, k, v)}
    refreshed = replace(
        application,
        charm=change.charm,
        charm_path=str(change.charm_path),
        charm_revision=application.charm_revision + 1,
        options=options,
    )
    return _with_peers(model.with_application(refreshed), change.application, now)


def _fits(charm: CharmMetadata, option: str, value: Value) -> bool:
    try:
        parse_option(charm.options[option], value)
    except (KeyError, OptionError):
        return False
    return True


def _with(model: Model, name: str, **fields: object) -> Model:
    return model.with_application(replace(_application(model, name), **fields))  # pyright: ignore[reportArgumentType]


def _exposed(model: Model, change: Expose) -> Model:
    """The model with endpoints of an application exposed, for everyone where nobody is named."""
    application = _application(model, change.application)
    for endpoint, exposure in change.exposures.items():
        _check_exposable(application, endpoint)
        for problem in not_exposed(exposure):
            raise ChangeError(problem)
    said = {name: exposure.kept for name, exposure in change.exposures.items()}
    exposures = {**application.exposures, **(said or {"": EVERYONE})}
    return _with(model, application.name, exposures=dict(sorted(exposures.items())))


def _unexposed(model: Model, change: Unexpose) -> Model:
    application = _application(model, change.application)
    for endpoint in change.endpoints:
        _check_exposable(application, endpoint)
        if endpoint not in application.exposures:
            raise ChangeError(f'endpoint "{endpoint}" is not exposed')
    gone = change.endpoints or tuple(application.exposures)
    kept = {name: e for name, e in application.exposures.items() if name not in gone}
    return _with(model, application.name, exposures=kept)


def _check_exposable(application: Application, endpoint: str) -> None:
    if endpoint not in ("", *application.charm.endpoints, *application.charm.extra_bindings):
        raise ChangeError(f'endpoint "{endpoint}" not found')


def not_exposed(exposure: Exposure) -> Iterator[str]:
    """Why nothing can be exposed to what is named."""
    for space in exposure.spaces:
        if space != SPACE:
            yield f'space "{space}" not found; there is "{SPACE}"'
    for cidr in exposure.cidrs:
        if not _is_cidr(cidr):
            yield f'unable to parse "{cidr}" as a CIDR: invalid CIDR address: {cidr}'


def _is_cidr(text: str) -> bool:
    try:
        ip_interface(text)
    except ValueError:
        return False
    return text.rpartition("/")[2].isdecimal()


def _application(model: Model, name: str) -> Application:
    application = model.applications.get(name)
    if application is None:
        raise ChangeError(f'application "{name}" not found')
    return application


def refresh(model: Model, name: str, charm: CharmMetadata, path: Path, now: float) -> Model:
    """The model with another version of an application's charm.

    Raises:
        ChangeError: no such application, or the charm cannot take the place of its own.
    """
    application = _application(model, name)
    if charm.name != application.charm.name:
        raise ChangeError(
            f'cannot refresh "{name}": its charm is "{application.charm.name}", not "{charm.name}"'
        )
    if charm.subordinate != application.charm.subordinate:
        raise ChangeError(
            f'cannot upgrade application "{name}": cannot change an application\'s subordinacy'
        )
    known = {**charm.provides, **charm.requires, **charm.peers}
    for relation in model.relations_of(name):
        end = relation.local(name)
        declared = known.get(end.name)
        if end.name != "juju-info" and (declared is None or declared.interface != end.interface):
            raise ChangeError(
                f'cannot upgrade application "{name}": would break relation "{relation}"'
            )
    return applied(model, [RefreshCharm(name, charm, path)], now)


def set_options(
    model: Model, name: str, values: Mapping[str, Value], reset: Iterable[str], now: float
) -> Model:
    """The model with options of an application set, and others back at their defaults.

    Raises:
        ChangeError: no such application or option, or a value is not of the option's type.
    """
    known = _application(model, name).charm.options
    for option in (*values, *reset):
        if option not in known:
            raise ChangeError(f'unknown option "{option}" of application "{name}"')
    try:
        typed = {k: parse_option(known[k], v) for k, v in values.items()}
    except OptionError as e:
        raise ChangeError(f"application {name}: {e}") from None
    return applied(model, [SetOptions(name, typed, tuple(reset))], now)


def set_resources(model: Model, name: str, files: Mapping[str, str], now: float) -> Model:
    """The model with other files for resources of an application.

    Raises:
        ChangeError: no such application, resource or file.
    """
    known = _application(model, name).charm.resources
    for resource, file in files.items():
        if resource not in known:
            raise ChangeError(f'unrecognized resource "{resource}"')
        if not Path(file).is_file():
            raise ChangeError(f'resource "{resource}": no such file: {file}')
    paths = {resource: Path(file) for resource, file in files.items()}
    return applied(model, [SetResources(name, paths)], now) if paths else model


def update_status(model: Model, now: float) -> Model:
    """The model where every idle unit that is not active is due its update-status.

    What it lacked may be there by now, without an event that says so: Juju looks again every
    five minutes, an operator who runs the same command again means at once.
    """
    longest = 2 * update_status_interval(model)
    for unit in model.units.values():
        if unit.workload.current != "active" and unit.started and unit.pending is None:
            model = model.with_unit(replace(unit, last_hook=min(unit.last_hook, now - longest)))
    return model


def destroy(model: Model, now: float, *, force: bool = False) -> Model:
    """The model on its way out, with all that is in it.

    Args:
        model: what to destroy.
        now: epoch seconds.
        force: do not wait for hooks that fail.
    """
    for application in model.applications:
        model = _forced(model, application) if force else model
    return settle(replace(model, life=Life.DYING), now)


def emptied(model: Model) -> Model:
    """The model with nothing in it: what is there is not asked."""
    nothing: dict[str, Any] = {}
    model = replace(model, life=Life.DYING, applications=nothing, units=nothing)
    return replace(model, relations={}, secrets={}, storages={}, actions={})


def remove_application(model: Model, name: str, now: float, *, force: bool = False) -> Model:
    """The model with an application on its way out; `force` does not wait for failing hooks.

    Raises:
        ChangeError: there is none, or other models are offered it.
    """
    _application(model, name)
    offers = sum(offer.application == name for offer in model.offers.values())
    if offers and not force:
        plural = "s" * (offers > 1)
        raise ChangeError(
            f'cannot destroy application "{name}": application is used by {offers} offer{plural}'
        )
    model = _forced(model, name) if force else model
    return settle(_with(model, name, life=Life.DYING), now)


def _forced(model: Model, application: str) -> Model:
    units = model.units_of(application)
    for unit in [*units, *(s for u in units for s in model.subordinates_of(u.name))]:
        model = model.with_unit(replace(unit, forced=True))
    return model


def add_units(
    model: Model, name: str, count: int, now: float, storage: Sequence[str] = ()
) -> Model:
    """The model with more units of an application, or one that gets storage that was detached.

    Raises:
        ChangeError: no such application, it is a subordinate or on its way out, or its units
            have no use for the storage.
    """
    application = _application(model, name)
    if application.charm.subordinate:
        raise ChangeError(f'application "{name}" is a subordinate: units come with principals')
    if application.life is Life.DYING:
        raise ChangeError(f'application "{name}" is being removed')
    return applied(model, [AddUnit(name, tuple(storage))] * count, now)


def attachable(model: Model, application: str, storage_id: str) -> Storage:
    """Storage that a unit of an application can be given.

    Raises:
        ChangeError: there is none, it is attached, or the application's units have no use for it.
    """
    storage = model.storages.get(storage_id)
    if storage is None:
        raise ChangeError(f'storage "{storage_id}" not found')
    if storage.unit:
        raise ChangeError(f'storage "{storage_id}" is attached to {storage.unit}')
    declared = _application(model, application).charm.storage.get(storage.name)
    if declared is None or declared.type != storage.kind:
        raise ChangeError(f'charm storage "{storage.name}" not found')
    return storage


def remove_unit(model: Model, name: str, now: float, *, force: bool = False) -> Model:
    """The model with a unit on its way out; `force` does not wait for failing hooks.

    Raises:
        ChangeError: there is none, or it is a subordinate, which goes with its principal.
    """
    unit = model.units.get(name)
    if unit is None:
        raise ChangeError(f'unit "{name}" not found')
    if unit.principal:
        raise ChangeError(f'unit "{name}" is a subordinate: remove its principal or the relation')
    for gone in [unit, *model.subordinates_of(name)] if force else ():
        model = model.with_unit(replace(gone, forced=True))
    return settle(model.with_unit(replace(model.units[name], life=Life.DYING)), now)


def remove_relation(model: Model, ends: tuple[str, str], now: float) -> Model:
    """The model with a relation on its way out; its ends are `application[:endpoint]`.

    Raises:
        ChangeError: there is no such relation, or more than one.
    """
    found = [r for r in model.relations.values() if not r.peer and _between(r, *ends)]
    if not found:
        raise ChangeError(f'relation "{ends[0]} {ends[1]}" not found')
    if len(found) > 1:
        which = "; ".join(str(relation) for relation in found)
        raise ChangeError(f'"{ends[0]} {ends[1]}" could refer to {which}')
    return settle(model.with_relation(replace(found[0], life=Life.DYING)), now)


def offer(model: Model, application: str, endpoints: Sequence[str], name: str) -> Model:
    """The model with endpoints of an application offered to other models.

    Raises:
        ChangeError: no such application or endpoint, or the name stands for another application.
    """
    for problem in not_offered(_application(model, application).charm, application, endpoints):
        raise ChangeError(problem)
    before = model.offers.get(name)
    if before and before.application != application:
        raise ChangeError(f'offer "{name}" already exists, of application {before.application}')
    made = Offer(name, application, tuple(endpoints))
    return replace(model, offers={**model.offers, name: made})


def not_offered(charm: CharmMetadata, application: str, endpoints: Iterable[str]) -> Iterator[str]:
    """Why endpoints of an application cannot be offered to other models."""
    for endpoint in endpoints:
        declared = charm.endpoints.get(endpoint)
        if declared is None or declared.role == "peer":
            yield f'application "{application}" has no endpoint "{endpoint}" to offer'
        elif declared.scope == "container":
            yield f'"{application}:{endpoint}": units of other models cannot be hosts'


def _between(relation: Relation, first: str, second: str) -> bool:
    one, other = ({e.application, str(e)} for e in relation.endpoints)
    return (first in one and second in other) or (first in other and second in one)
