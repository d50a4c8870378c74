"""Which hook a unit runs next: pure functions of the model.

The order is Juju's (worker/uniter/resolver.go and the resolvers it calls).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from random import Random

from machine.life import Life
from machine.model import Model
from machine.model_config import retries_hooks, update_status_interval
from machine.relation import Relation, Scope
from machine.unit import Hook, Pending, Unit, View


def next_hook(model: Model, unit: Unit, now: float) -> Hook | None:
    """The hook that is due, or None: the unit is idle, or waits before it tries again."""
    return next(legal_hooks(model, unit, now), None)


def legal_hooks(model: Model, unit: Unit, now: float) -> Iterator[Hook]:
    """The hooks any of which may come next; the first is the one that Juju's resolvers prefer.

    Juju learns of changes by watchers that race each other, and goes through a unit's relations in
    the order of a Go map: a charm that relies on one of these before another is wrong.
    """
    if unit.rebooting:
        return iter(())
    if unit.pending:
        return _retried(model, unit, unit.pending, now)
    return _leaving(model, unit) if unit.life is Life.DYING else _living(model, unit, now)


def shuffled(model: Model, now: float, seed: int) -> tuple[str, Hook] | None:
    """The one hook that is next where hooks come one at a time, in an order that `seed` chooses.

    It is a function of the seed and of what may come next, so an agent that was killed goes on as
    it would have. A hook that was killed runs again before any other.
    """
    units = sorted(model.units.values(), key=lambda u: u.name)
    killed = [u for u in units if u.pending and not u.pending.failures]
    choices = [(u.name, hook) for u in killed or units for hook in legal_hooks(model, u, now)]
    if not choices:
        return None
    urgent = [c for c in choices if c[1].name != "update-status"] or choices
    # Without the ids of secrets, which are random.
    told = [(u, h.name, h.relation, h.remote_unit, h.revision, h.action) for u, h in urgent]
    return Random(f"{seed} {told}").choice(urgent)  # noqa: S311


def wake_at(model: Model, unit: Unit, now: float) -> float | None:
    """When, after `now`, a hook comes due without any change of the model."""
    times = [unit.pending.retry_at] if unit.pending else _timers(model, unit)
    return min((t for t in times if t > now), default=None)


def _timers(model: Model, unit: Unit) -> list[float]:
    if not unit.started or unit.life is Life.DYING:
        return []
    owned = [s for s in model.secrets.values() if model.manages(unit, s)]
    expiries = (r.expires for s in owned for r in s.revisions.values())
    times = (_next_update_status(model, unit), *(s.rotates for s in owned), *expiries)
    return [t for t in times if t is not None]


def _next_update_status(model: Model, unit: Unit) -> float:
    """Juju's interval, give or take 20 % so that units do not all come at once."""
    spread = Random(f"{unit.name} {unit.last_hook}").uniform(0.8, 1.2)  # noqa: S311
    return unit.last_hook + update_status_interval(model) * spread


def _retried(model: Model, unit: Unit, pending: Pending, now: float) -> Iterator[Hook]:
    """The same hook again; actions go before it once it failed."""
    if pending.failures:
        yield from _actions(model, unit)
    waits = pending.failures and pending.retry_at and not retries_hooks(model)
    if not waits and now >= pending.retry_at:
        yield pending.hook


def _living(model: Model, unit: Unit, now: float) -> Iterator[Hook]:
    application = model.applications[unit.application]
    if not unit.installed:
        yield from tuple(_attaching(model, unit)) or (Hook("install"),)
        return
    if unit.config_digest and not unit.started:
        yield Hook("start")
        return
    created = _created(model, unit)
    first = next(created, None)
    if first is not None:
        yield first
        yield from created
    if not unit.leader and model.leader_of(unit.application) == unit.name:
        yield Hook("leader-elected")
    if unit.started:
        yield from _secrets(model, unit, now)
        yield from islice(_actions(model, unit), 1)
    elif first is not None:
        return
    yield from _attaching(model, unit)
    yield from _detaching(model, unit)
    if unit.charm_revision != application.charm_revision:
        yield Hook("upgrade-charm")
    elif unit.config_digest != application.config_digest:
        yield Hook("config-changed")
    if unit.started:
        yield from _relations(model, unit)
        if now >= _next_update_status(model, unit):
            yield Hook("update-status")


def _leaving(model: Model, unit: Unit) -> Iterator[Hook]:
    if not unit.installed:
        return
    if not unit.stopped:
        first = tuple(chain(_detaching(model, unit), _relations(model, unit)))
        yield from first
        if first or model.subordinates_of(unit.name):
            return
        yield Hook("stop")
        return
    yield Hook("remove")


def _attaching(model: Model, unit: Unit) -> Iterator[Hook]:
    for storage in model.storages.values():
        if storage.unit == unit.name and not storage.attached:
            yield Hook(f"{storage.name}-storage-attached", storage=storage.id)


def _detaching(model: Model, unit: Unit) -> Iterator[Hook]:
    for storage in model.storages.values():
        goes = Life.DYING in (storage.life, unit.life)
        if storage.unit == unit.name and storage.attached and goes:
            yield Hook(f"{storage.name}-storage-detaching", storage=storage.id)


def _actions(model: Model, unit: Unit) -> Iterator[Hook]:
    due = [a for a in model.actions.values() if a.unit == unit.name and a.status == "pending"]
    for action in sorted(due, key=lambda a: int(a.id)):
        yield Hook(action.name, action=action.id)


def _secrets(model: Model, unit: Unit, now: float) -> Iterator[Hook]:
    secrets = sorted(model.secrets.values(), key=lambda s: s.id)
    owned = [s for s in secrets if model.manages(unit, s)]
    for secret in owned:
        for number, revision in secret.revisions.items():
            if revision.expires is not None and revision.expires <= now:
                yield Hook("secret-expired", secret=secret.id, revision=number)
        if secret.rotates is not None and secret.rotates <= now:
            yield Hook("secret-rotate", secret=secret.id)
    for secret in secrets:
        consumer = secret.consumers.get(unit.name)
        outdated = consumer and secret.latest > max(consumer.revision, consumer.told)
        if outdated and secret not in owned and model.may_read(unit, secret):
            yield Hook("secret-changed", secret=secret.id)
    for secret in owned:
        tracked = {c.revision for c in secret.consumers.values()}
        for number, revision in secret.revisions.items():
            if number != secret.latest and number not in tracked and not revision.obsolete:
                yield Hook("secret-remove", secret=secret.id, revision=number)


# ---- relations


def _created(model: Model, unit: Unit) -> Iterator[Hook]:
    return (_about(relation, unit, "created") for relation in unseen_relations(model, unit))


def unseen_relations(model: Model, unit: Unit) -> Iterator[Relation]:
    """The relations of a unit whose relation-created it still has to get."""
    for relation in model.relations_of(unit.application):
        told = unit.views.get(relation.id, View()).created
        if relation.life is Life.ALIVE and not told and _shares(model, relation, unit):
            yield relation


def _shares(model: Model, relation: Relation, unit: Unit) -> bool:
    """Whether the unit takes part: a subordinate does so only with its principal's relation."""
    if relation.scope is not Scope.CONTAINER or unit.principal is None:
        return True
    remote = relation.remote(unit.application).application
    principal = model.units.get(unit.principal)
    return principal is not None and remote in (principal.application, *_lodgers(model, principal))


def _lodgers(model: Model, principal: Unit) -> set[str]:
    return {u.application for u in model.subordinates_of(principal.name)}


def _relations(model: Model, unit: Unit) -> Iterator[Hook]:
    for relation in model.relations_of(unit.application):
        view = unit.views.get(relation.id)
        if view is not None and view.created:
            yield from islice(_in_relation(model, unit, relation, view), 1)


def _in_relation(model: Model, unit: Unit, relation: Relation, view: View) -> Iterator[Hook]:
    ends = Life.DYING in (unit.life, relation.life)
    present = [] if ends else model.counterparts(relation, unit)
    for member, seen in sorted(view.members.items()):
        if seen < 0 and member in present:
            yield _about(relation, unit, "changed", member)
    for member in sorted(view.members):
        if member not in present:
            leaver = unit.name if unit.life is Life.DYING else member
            yield _about(relation, unit, "departed", member, departing_unit=leaver)
    if ends:
        if not view.members and not relation.peer:
            yield _about(relation, unit, "broken")
        return
    remote = relation.remote(unit.application).application
    version = relation.databag(remote).version
    if version not in (0, view.app_version):
        yield _about(relation, unit, "changed")
    for member in present:
        if member not in view.members:
            yield _about(relation, unit, "joined", member)
    for member in present:
        if view.members.get(member) != relation.databag(member).version:
            yield _about(relation, unit, "changed", member)


def _about(
    relation: Relation,
    unit: Unit,
    event: str,
    remote_unit: str = "",
    *,
    departing_unit: str = "",
) -> Hook:
    return Hook(
        f"{relation.local(unit.application).name}-relation-{event}",
        relation=relation.id,
        remote_app=relation.remote(unit.application).application,
        remote_unit=remote_unit,
        departing_unit=departing_unit,
    )
