"""What follows by itself from a change of the model: a pure function applied after each.

Units of a dying application die, subordinates live and die with their principal, what is dead
leaves the model and takes its databags, grants and secrets along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from machine.life import Life, Status
from machine.model import Application, Model, Storage
from machine.relation import Relation, Scope
from machine.secret import MODEL_OWNER, Grant, Secret
from machine.unit import Unit

K = TypeVar("K")
V = TypeVar("V")


def settle(model: Model, now: float) -> Model:
    """The model with all consequences drawn; the same object if there are none."""
    while True:
        before = model
        for step in _STEPS:
            model = step(model, now)
        if model is before:
            return model


def new_unit(
    model: Model,
    application: str,
    now: float,
    principal: str | None = None,
    attached: Sequence[str] = (),
) -> Model:
    """The model with one more unit of the application, and the storage its charm asks for.

    Storage that was detached and is named in `attached` counts as some of that.
    """
    owner = model.applications[application]
    unit = Unit(
        f"{application}/{owner.next_unit}",
        workload=Status("waiting", "installing agent", now),
        agent=Status("allocating", "", now),
        principal=principal,
        last_hook=now,
    )
    model = model.with_application(replace(owner, next_unit=owner.next_unit + 1)).with_unit(unit)
    given = [replace(model.storages[i], unit=unit.name) for i in attached]
    for storage in given:
        model = model.with_storage(storage)
    for declared in owner.charm.storage.values():
        wanted = owner.storage.get(declared.name, declared.least)
        for _ in range(wanted - sum(s.name == declared.name for s in given)):
            model = new_storage(model, unit.name, declared.name)
    return model


def new_storage(model: Model, unit: str, name: str, size: int = 0) -> Model:
    """The model with one more storage instance for the unit; its location is made by the agent.

    Numbers are not used twice.
    """
    used = (int(s.partition("/")[2]) + 1 for s in model.storages)
    number = max((model.next_storage, *used))
    application = model.applications[unit.rpartition("/")[0]]
    declared = application.charm.storage[name]
    storage_id = f"{name}/{number}"
    wanted = declared.location
    if wanted and declared.most != 1:
        wanted = f"{wanted}/{storage_id}"
    size = size or application.storage_sizes.get(name, 0) or declared.minimum
    storage = Storage(storage_id, unit, declared.type, wanted=wanted, size=size)
    return replace(model, next_storage=number + 1).with_storage(storage)


# ---- the steps


def _dying_model(model: Model, _: float) -> Model:
    for application in model.applications.values():
        if model.life is Life.DYING and application.life is Life.ALIVE:
            model = model.with_application(replace(application, life=Life.DYING))
    return model


def _dying_applications(model: Model, _: float) -> Model:
    dying = {a.name for a in model.applications.values() if a.life is Life.DYING}
    for unit in model.units.values():
        if unit.application in dying and unit.life is Life.ALIVE:
            model = model.with_unit(replace(unit, life=Life.DYING))
    for relation in model.relations.values():
        if relation.life is Life.ALIVE and any(relation.involves(a) for a in dying):
            model = model.with_relation(replace(relation, life=Life.DYING))
    return model


def _remotes(model: Model, _: float) -> Model:
    """Relations go with a remote application; offers with their application."""
    for remote in tuple(model.remotes.values()):
        if remote.life is not Life.DYING:
            continue
        for relation in model.relations_of(remote.name):
            if relation.life is Life.ALIVE:
                model = model.with_relation(replace(relation, life=Life.DYING))
        if not model.relations_of(remote.name):
            model = replace(model, remotes=_except(model.remotes, [remote.name]))
    gone = [o.name for o in model.offers.values() if o.application not in model.applications]
    return replace(model, offers=_except(model.offers, gone)) if gone else model


def _new_subordinates(model: Model, now: float) -> Model:
    for relation in tuple(model.relations.values()):
        if relation.scope is Scope.CONTAINER and relation.life is Life.ALIVE:
            for subordinate, principal in _lodgings(model, relation):
                model = new_unit(model, subordinate, now, principal)
    return model


def _lodgings(model: Model, relation: Relation) -> list[tuple[str, str]]:
    """Subordinate applications and the principal units in scope that lack a unit of them."""
    wanted: list[tuple[str, str]] = []
    for end in relation.endpoints:
        if not model.applications[end.application].charm.subordinate:
            continue
        remote = relation.remote(end.application).application
        for name in sorted(relation.members):
            unit = model.units.get(name)
            if unit is None or unit.application != remote or unit.principal is not None:
                continue
            lodgers = {u.application for u in model.subordinates_of(name)}
            if unit.life is Life.ALIVE and end.application not in lodgers:
                wanted.append((end.application, name))
    return wanted


def _dying_subordinates(model: Model, _: float) -> Model:
    for unit in model.units.values():
        if unit.principal and unit.life is Life.ALIVE and not _lodges(model, unit, unit.principal):
            model = model.with_unit(replace(unit, life=Life.DYING))
    return model


def _lodges(model: Model, unit: Unit, principal_name: str) -> bool:
    """Whether a living principal and a living container relation still hold a subordinate."""
    principal = model.units.get(principal_name)
    if principal is None or principal.life is Life.DYING:
        return False
    return any(
        relation.scope is Scope.CONTAINER
        and relation.life is Life.ALIVE
        and relation.involves(principal.application)
        for relation in model.relations_of(unit.application)
    )


def _dead_units(model: Model, _: float) -> Model:
    """Dying units that have nothing to undo, or could not be and are not waited for."""
    dead = [
        unit.name
        for unit in model.units.values()
        if unit.life is Life.DYING and (not unit.installed or (unit.forced and unit.pending))
        if unit.pending is None or unit.pending.failures
        if not model.subordinates_of(unit.name)
    ]
    return replace(model, units=_except(model.units, dead)) if dead else model


def _departures(model: Model, _: float) -> Model:
    """Units that are gone, or leave a peer relation on their way out, are out of scope."""
    leaving = any(unit.life is Life.DYING for unit in model.units.values())
    for relation in model.relations.values():
        if model.units.keys() >= relation.members and not (relation.peer and leaving):
            continue
        staying = frozenset(m for m in relation.members if _stays(model, relation, m))
        if staying != relation.members:
            model = model.with_relation(replace(relation, members=staying))
    return model


def _stays(model: Model, relation: Relation, member: str) -> bool:
    if member.rpartition("/")[0] in model.remotes:
        return True
    unit = model.units.get(member)
    return unit is not None and not (relation.peer and unit.life is Life.DYING)


def _dead_relations(model: Model, _: float) -> Model:
    watched = {i for u in model.units.values() for i in u.views}
    dead = [r.id for r in model.relations.values() if r.life is Life.DYING and r.id not in watched]
    return replace(model, relations=_except(model.relations, dead)) if dead else model


def _stray_databags(model: Model, _: float) -> Model:
    """Databags of units that are gone, once everyone who knew them was told."""
    for relation in model.relations.values():
        gone = {
            o
            for o in relation.databags
            if "/" in o and o not in model.units and o not in relation.members
        }
        if gone and (stray := gone - _known_members(model, relation.id)):
            databags = _except(relation.databags, list(stray))
            model = model.with_relation(replace(relation, databags=databags))
    return model


def _known_members(model: Model, relation: int) -> set[str]:
    views = (unit.views.get(relation) for unit in model.units.values())
    return {member for view in views if view for member in view.members}


def _dead_applications(model: Model, _: float) -> Model:
    def empty(application: Application) -> bool:
        related = model.relations_of(application.name) or model.units_of(application.name)
        return not related

    dying = [a for a in model.applications.values() if a.life is Life.DYING]
    dead = [a.name for a in dying if empty(a)]
    return replace(model, applications=_except(model.applications, dead)) if dead else model


def _orphans(model: Model, _: float) -> Model:
    """Secrets without owner, grants without relation, consumers and storage without unit."""
    owners = {*model.applications, *model.units, *model.remotes, MODEL_OWNER}
    secrets = {
        i: _trimmed(model, secret) for i, secret in model.secrets.items() if secret.owner in owners
    }
    if secrets != model.secrets:
        model = replace(model, secrets=secrets)
    if any(s.unit and s.unit not in model.units for s in model.storages.values()):
        kept = {i: s for i, s in model.storages.items() if not s.unit or s.unit in model.units}
        model = replace(model, storages=kept)
    return model


def _untold_storage(model: Model, _: float) -> Model:
    """Storage that goes before its charm was told of it."""
    for storage in model.storages.values():
        if storage.life is Life.DYING and not storage.attached:
            model = detached(model, storage)
    return model


def detached(model: Model, storage: Storage) -> Model:
    """The model after a storage instance has gone from its unit."""
    if not storage.kept:
        return replace(model, storages=_except(model.storages, [storage.id]))
    free = replace(storage, unit="", attached=False, life=Life.ALIVE, kept=False)
    return model.with_storage(free)


def _trimmed(model: Model, secret: Secret) -> Secret:
    grants = tuple(g for g in secret.grants if _holds(model, g))
    consumers = {
        u: c
        for u, c in secret.consumers.items()
        if u in model.units or u.rpartition("/")[0] in model.remotes
    }
    tracked = {secret.latest, *(c.revision for c in consumers.values())}
    kept = tracked if secret.auto_prune else secret.revisions.keys()
    revisions = {n: r for n, r in secret.revisions.items() if n in kept}
    trimmed = replace(secret, grants=grants, consumers=consumers, revisions=revisions)
    return secret if trimmed == secret else trimmed


def _holds(model: Model, grant: Grant) -> bool:
    if grant.relation is None:
        return grant.subject in model.applications
    return grant.relation in model.relations


def _orphaned_actions(model: Model, now: float) -> Model:
    for action in model.actions.values():
        if action.status == "pending" and action.unit not in model.units:
            ended = replace(action, status="aborted", message="the unit is gone", completed=now)
            model = model.with_action(ended)
    return model


def _leadership(model: Model, _: float) -> Model:
    """A unit that no longer leads will be told again when it does."""
    for unit in model.units.values():
        if unit.leader and model.leader_of(unit.application) != unit.name:
            model = model.with_unit(replace(unit, leader=False))
    return model


_STEPS: tuple[Callable[[Model, float], Model], ...] = (
    _dying_model,
    _dying_applications,
    _remotes,
    _dying_subordinates,
    _new_subordinates,
    _dead_units,
    _departures,
    _dead_relations,
    _stray_databags,
    _dead_applications,
    _orphans,
    _untold_storage,
    _orphaned_actions,
    _leadership,
)


def _except(mapping: Mapping[K, V], keys: list[K]) -> dict[K, V]:
    return {k: v for k, v in mapping.items() if k not in keys}
