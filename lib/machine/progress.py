"""What the model is before a hook, after it, and after it failed: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from machine import resolver
from machine.life import Life, Status
from machine.model import Model
from machine.relation import Databag, Relation
from machine.secret import Secret
from machine.settle import detached, settle
from machine.unit import Hook, Pending, Unit, View

RETRY_FIRST, RETRY_MOST = 5.0, 300.0
"""Seconds before a failed hook runs again: first, doubled with each failure, and at most."""

ROTATION: Mapping[str, float] = {
    "hourly": 3600.0,
    "daily": 86400.0,
    "weekly": 7 * 86400.0,
    "monthly": 30 * 86400.0,
    "quarterly": 91 * 86400.0,
    "yearly": 365 * 86400.0,
}
"""Seconds between two rotations, by policy; `never` is not among them."""

K = TypeVar("K")
V = TypeVar("V")


def begin(model: Model, name: str, hook: Hook, now: float, address: str) -> Model:
    """The model while the hook runs; before relation-created the unit enters its relations."""
    unit = model.units[name]
    if hook.action:
        action = replace(model.actions[hook.action], status="running", started=now)
        agent = Status("executing", f"running action {hook.name}", now)
        return model.with_action(action).with_unit(replace(unit, agent=agent))
    failures = unit.pending.failures if unit.pending else 0
    agent = Status("executing", f"running {hook.name} hook", now)
    unit = replace(unit, pending=Pending(hook, failures), agent=agent)
    announced = {"install": "installing charm software", "stop": "stopping charm software"}
    if hook.name in announced and not failures:
        unit = replace(unit, workload=Status("maintenance", announced[hook.name], now))
    model = model.with_unit(unit)
    if hook.relation is not None and hook.name.endswith("-relation-created"):
        for relation in resolver.unseen_relations(model, unit):
            if name not in relation.members:
                model = _entered(model, model.units[name], relation, address)
    return settle(model, now)


def _entered(model: Model, unit: Unit, relation: Relation, address: str) -> Model:
    own = {
        "egress-subnets": f"{address}/32",
        "ingress-address": address,
        "private-address": address,
    }
    relation = replace(
        relation,
        members=relation.members | {unit.name},
        databags={unit.name: Databag(own, 1), **relation.databags},
    )
    views = {relation.id: View(), **unit.views}
    return model.with_relation(relation).with_unit(replace(unit, views=views))


def failed(model: Model, name: str, now: float, jitter: float) -> Model:
    """The model after the unit's hook exited non-zero.

    `jitter` is a factor near 1 for the time to the next try.
    """
    unit = model.units[name]
    if unit.pending is None:
        return model
    failures = unit.pending.failures + 1
    wait = min(RETRY_MOST, RETRY_FIRST * 2 ** min(failures - 1, 10)) * jitter
    pending = Pending(unit.pending.hook, failures, now + wait)
    return model.with_unit(replace(unit, pending=pending, agent=_error(pending.hook, now)))


def _error(hook: Hook, now: float) -> Status:
    return Status("error", f'hook failed: "{hook.name}"', now)


def rebooted(model: Model, now: float) -> Model:
    """Return the model after a boot of the host: what was started has `start` to run again."""
    agent = Status("executing", "running start hook", now)
    started = {
        unit.name: replace(unit, started=False, agent=agent) if unit.started else unit
        for unit in model.units.values()
    }
    return replace(model, units={n: replace(u, rebooting=False) for n, u in started.items()})


def ended_action(model: Model, name: str, now: float) -> Model:
    """The model after the unit ran an action: the unit is what it was before."""
    unit = model.units[name]
    failing = unit.pending and unit.pending.failures
    agent = _error(unit.pending.hook, now) if unit.pending and failing else Status("idle", "", now)
    return model.with_unit(replace(unit, agent=agent))


def requeued(model: Model, name: str, now: float, delay: float) -> Model:
    """The model after the unit's hook was killed: the same hook is due again, after `delay`."""
    unit = model.units.get(name)
    if unit is None or unit.pending is None:
        return model
    pending = replace(unit.pending, retry_at=now + delay)
    return model.with_unit(replace(unit, pending=pending, agent=Status("idle", "", now)))


def skipped(model: Model, name: str, now: float) -> Model:
    """The model as if the unit's failed hook had run and written nothing."""
    pending = model.units[name].pending
    return delivered(model, model, name, pending.hook, now) if pending else model


def delivered(model: Model, seen: Model, name: str, hook: Hook, now: float) -> Model:
    """The model after the hook ran.

    `model` is the state now, with what the hook wrote; `seen` is the state that the hook was
    shown: what came later is still to be delivered.
    """
    agent = Status("idle", "", now)
    unit = replace(model.units[name], pending=None, agent=agent, last_hook=now)
    if hook.relation is not None:
        model = _delivered_relation(model, seen, unit, hook, hook.relation)
    elif hook.secret:
        model = _delivered_secret(model.with_unit(unit), seen, unit, hook, now)
    elif hook.storage:
        model = _delivered_storage(model.with_unit(unit), hook)
    else:
        model = _delivered_unit(model, seen, unit, hook, now)
    return settle(model, now)


def _delivered_unit(model: Model, seen: Model, unit: Unit, hook: Hook, now: float) -> Model:
    application = seen.applications[unit.application]
    match hook.name:
        case "install":
            revision = application.charm_revision
            unit = replace(unit, installed=True, charm_revision=revision)
        case "upgrade-charm":
            unit = replace(unit, charm_revision=application.charm_revision, config_digest="")
        case "config-changed":
            unit = replace(unit, config_digest=application.config_digest)
        case "start":
            unit = replace(unit, started=True)
            if unit.workload.message == "installing charm software":
                unit = replace(unit, workload=Status("unknown", "", now))
        case "leader-elected":
            unit = replace(unit, leader=True)
        case "stop":
            unit = replace(unit, stopped=True)
        case "remove":
            return replace(model, units=without(model.units, unit.name))
        case _:
            pass
    return model.with_unit(unit)


def _delivered_relation(
    model: Model, seen: Model, unit: Unit, hook: Hook, relation_id: int
) -> Model:
    relation = seen.relations.get(relation_id)
    view = unit.views.get(relation_id)
    if relation is None or view is None:
        return model.with_unit(unit)
    event = hook.name.rpartition("-relation-")[2]
    if event == "broken":
        left = replace(unit, views=without(unit.views, relation_id))
        return left_relation(model.with_unit(left), relation_id, unit.name)
    view = _told(view, relation, event, hook)
    return model.with_unit(replace(unit, views={**unit.views, relation_id: view}))


def _told(view: View, relation: Relation, event: str, hook: Hook) -> View:
    member = hook.remote_unit
    if event == "created":
        return replace(view, created=True)
    if event == "departed":
        return replace(view, members=without(view.members, member))
    if event == "joined":
        return replace(view, members={**view.members, member: -1})
    if not member:
        return replace(view, app_version=relation.databag(hook.remote_app).version)
    return replace(view, members={**view.members, member: relation.databag(member).version})


def left_relation(model: Model, relation_id: int, unit: str) -> Model:
    """The model without the unit in the relation's scope; its databag stays readable."""
    relation = model.relations.get(relation_id)
    if relation is None:
        return model
    return model.with_relation(replace(relation, members=relation.members - {unit}))


def _delivered_secret(model: Model, seen: Model, unit: Unit, hook: Hook, now: float) -> Model:
    secret = model.secrets.get(hook.secret)
    before = seen.secrets.get(hook.secret)
    if secret is None or before is None:
        return model
    match hook.name:
        case "secret-changed":
            consumer = secret.consumers.get(unit.name)
            if consumer is None:
                return model
            told = {unit.name: replace(consumer, told=before.latest)}
            secret = replace(secret, consumers={**secret.consumers, **told})
        case "secret-rotate":
            secret = replace(secret, rotates=now + ROTATION.get(secret.rotate, RETRY_MOST))
        case _:
            secret = _retired(secret, hook)
    return model.with_secret(secret)


def _retired(secret: Secret, hook: Hook) -> Secret:
    """The owner was told that a revision is obsolete, or has expired."""
    revision = secret.revisions.get(hook.revision)
    if revision is None:
        return secret
    expired = hook.name == "secret-expired"
    revision = replace(revision, expires=None) if expired else replace(revision, obsolete=True)
    return replace(secret, revisions={**secret.revisions, hook.revision: revision})


def _delivered_storage(model: Model, hook: Hook) -> Model:
    storage = model.storages[hook.storage]
    if storage.attached:
        return detached(model, storage)
    return model.with_storage(replace(storage, attached=True))


def without(mapping: Mapping[K, V], key: K) -> dict[K, V]:
    """The mapping without one key."""
    return {k: v for k, v in mapping.items() if k != key}


def pending_is_moot(model: Model, unit: Unit) -> bool:
    """Whether the unit's pending hook is about something that is gone from the model."""
    hook = unit.pending.hook if unit.pending else None
    if hook is None:
        return False
    if hook.relation is not None:
        gone = hook.relation not in model.relations
        return gone or (unit.life is Life.DYING and hook.name.endswith("-relation-created"))
    if hook.secret:
        return hook.secret not in model.secrets
    return bool(hook.storage) and hook.storage not in model.storages
