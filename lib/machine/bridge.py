"""Relations between models of one agent: pure functions on the two models of an offer.

Each side has a relation of its own, in which an application of the other model stands for the
one there (`model.Remote`). Whatever one side writes is copied to the other: units in scope,
databags, secrets that were granted, and the end. That is repeated after each change, and
changes nothing where both are equal; so a kill between the two sides' commits is made up for.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import replace

from machine.changes import ChangeError
from machine.charm import CharmMetadata
from machine.life import Life
from machine.model import Model
from machine.relation import Endpoint, Offer, Relation, Remote, Role, Scope
from machine.secret import Consumer, Grant, Secret
from machine.settle import settle
from machine.status import application_status
from machine.version import CONTROLLER, USER


def remove_offer(model: Model, name: str, now: float, *, force: bool) -> Model:
    """The model without an offer; `force` ends the relations by it.

    Raises:
        ChangeError: there is none, or it is in use.
    """
    if name not in model.offers:
        raise ChangeError(f'offer "{name}" not found')
    users = [r for r in model.remotes.values() if r.offer == name and r.relation is not None]
    if users and not force:
        raise ChangeError(
            f'cannot delete application offer "{name}": offer has {len(users)} '
            f"relation{'s' * (len(users) > 1)}"
        )
    for user in users:
        model = model.with_remote(replace(user, life=Life.DYING))
    offers = {key: known for key, known in model.offers.items() if key != name}
    return settle(replace(model, offers=offers), now)


def consume(consumer: Model, provider: Model, name: str, alias: str) -> Model:
    """The consuming model with the application that another one offers.

    Raises:
        ChangeError: there is no such offer, or the name is taken.
    """
    known = provider.offers.get(name)
    url = offer_url(provider, name)
    if known is None:
        raise ChangeError(f'application offer "{url}" not found')
    if alias in consumer.applications:
        raise ChangeError(f'application "{alias}" already exists')
    before = consumer.remotes.get(alias)
    if before is not None:
        if (before.model, before.offer) != (provider.uuid, name):
            raise ChangeError(f'saas application "{alias}" already exists')
        return consumer
    endpoints = offered(provider, known, alias)
    remote = Remote(alias, provider.uuid, name, endpoints, f"{CONTROLLER}:{url}")
    return consumer.with_remote(remote)


def as_charm(remote: Remote) -> CharmMetadata:
    """What an application of another model can be related by."""
    ends = remote.endpoints.values()
    provides = {e.name: {"interface": e.interface} for e in ends if e.role is Role.PROVIDER}
    requires = {e.name: {"interface": e.interface} for e in ends if e.role is Role.REQUIRER}
    raw = {"name": remote.name, "provides": provides, "requires": requires}
    return CharmMetadata.model_validate(raw)


def offered(provider: Model, known: Offer, alias: str) -> dict[str, Endpoint]:
    """The endpoints of an offer, as those of an application of another name."""
    charm = provider.applications[known.application].charm
    return {
        name: Endpoint(
            alias, name, charm.endpoints[name].interface, Role(charm.endpoints[name].role)
        )
        for name in known.endpoints
    }


def offer_url(model: Model, name: str) -> str:
    """What an offer is called from other models."""
    return f"{USER}/{model.name}.{name}"


def remove_saas(consumer: Model, alias: str, now: float) -> Model:
    """The consuming model without an application that it consumed; its relations end first.

    Raises:
        ChangeError: there is none.
    """
    remote = consumer.remotes.get(alias)
    if remote is None or remote.relation is not None:
        raise ChangeError(f'saas application "{alias}" not found')
    return settle(consumer.with_remote(replace(remote, life=Life.DYING)), now)


# ---- keeping both sides equal


def bridged(provider: Model, consumer: Model, now: float) -> tuple[Model, Model]:
    """The two models after each has what the other wrote; the same objects if they had."""
    for remote in tuple(consumer.remotes.values()):
        if remote.relation is None and remote.model == provider.uuid:
            consumer = _with_status(consumer, remote, provider)
            for relation in consumer.relations_of(remote.name):
                provider, consumer = _both(provider, consumer, remote, relation, now)
    for proxy in tuple(provider.remotes.values()):
        if proxy.model == consumer.uuid and proxy.relation not in (None, *consumer.relations):
            provider = settle(provider.with_remote(replace(proxy, life=Life.DYING)), now)
    return provider, consumer


def orphaned(consumer: Model, models: Collection[str], now: float) -> Model:
    """The model with an end to its relations to models that are gone, those not in `models`."""
    for remote in tuple(consumer.remotes.values()):
        if remote.model not in models and remote.life is Life.ALIVE:
            consumer = consumer.with_remote(replace(remote, life=Life.DYING))
    return settle(consumer, now)


def _with_status(consumer: Model, remote: Remote, provider: Model) -> Model:
    known = provider.offers.get(remote.offer)
    if known is None:
        return consumer
    status = application_status(provider, provider.applications[known.application])
    if status == remote.status:
        return consumer
    return consumer.with_remote(replace(remote, status=status))


def _both(
    provider: Model, consumer: Model, remote: Remote, relation: Relation, now: float
) -> tuple[Model, Model]:
    name = f"remote-{uuid.uuid5(uuid.UUID(consumer.uuid), str(relation.id)).hex}"
    there = next(iter(provider.relations_of(name)), None)
    if relation.life is Life.DYING:
        return _ended(provider, there, now), consumer
    known = provider.offers.get(remote.offer)
    if there is None and (name in provider.remotes or known is None):
        return provider, _ended(consumer, relation, now)
    if there is None and known is not None:
        provider = _accepted(provider, consumer, known, remote, relation, name, now)
        there = next(iter(provider.relations_of(name)))
    if there is None or there.life is Life.DYING:
        return provider, _ended(consumer, relation, now)
    offering, consuming = there.remote(name).application, relation.remote(remote.name).application
    provider = _with(provider, _copied(there, relation, consuming, name))
    consumer = _with(consumer, _copied(relation, there, offering, remote.name))
    return _with_secrets(provider, consumer, (there, name), (relation, remote.name), now)


def _ended(model: Model, relation: Relation | None, now: float) -> Model:
    if relation is None or relation.life is Life.DYING:
        return model
    return settle(model.with_relation(replace(relation, life=Life.DYING)), now)


def _accepted(
    provider: Model,
    consumer: Model,
    known: Offer,
    remote: Remote,
    relation: Relation,
    name: str,
    now: float,
) -> Model:
    """The offering model with a relation to the one that consumes."""
    far = relation.remote(remote.name)
    here = relation.local(remote.name)
    near = Endpoint(known.application, here.name, here.interface, here.role)
    end = Endpoint(name, far.name, far.interface, far.role)
    ends = (near, end) if near.role is Role.PROVIDER else (end, near)
    proxy = Remote(name, consumer.uuid, known.name, {far.name: end}, relation=relation.id)
    made = Relation(provider.next_relation, ends, Scope.GLOBAL, since=now)
    provider = replace(provider, next_relation=provider.next_relation + 1)
    return settle(provider.with_remote(proxy).with_relation(made), now)


def _copied(target: Relation, source: Relation, application: str, name: str) -> Relation:
    """A relation with what an application has in the other model's, under its name here."""

    def here(owner: str) -> str:
        return name + owner.removeprefix(application)

    units = {here(member) for member in source.members_of(application)}
    members = target.members - {*target.members_of(name)} | units
    bags = {
        here(owner): bag
        for owner, bag in source.databags.items()
        if owner == application or owner.rpartition("/")[0] == application
    }
    # The databag of a unit that left stays until all here were told.
    return replace(target, members=members, databags={**target.databags, **bags})


def _with(model: Model, relation: Relation) -> Model:
    return model if model.relations[relation.id] == relation else model.with_relation(relation)


# ---- secrets


def _with_secrets(
    provider: Model,
    consumer: Model,
    there: tuple[Relation, str],
    here: tuple[Relation, str],
    now: float,
) -> tuple[Model, Model]:
    """Secrets that one side granted to the other are readable there, under the same id."""
    provider, consumer = _granted(provider, consumer, there, here)
    consumer, provider = _granted(consumer, provider, here, there)
    return settle(provider, now), settle(consumer, now)


def _granted(
    owner: Model, reader: Model, source: tuple[Relation, str], target: tuple[Relation, str]
) -> tuple[Model, Model]:
    """The two models where the reader has the secrets that the owner granted it.

    `source` is the owner's relation with the name that the reader has there; `target` the
    reader's with the owner's.
    """
    (theirs, proxy), (ours, alias) = source, target
    application = ours.remote(alias).application
    granted = {
        secret.id: secret
        for secret in owner.secrets.values()
        if secret.owner not in owner.remotes
        and any(
            g.relation == theirs.id and g.subject.partition("/")[0] == proxy for g in secret.grants
        )
    }
    for secret in granted.values():
        known = reader.secrets.get(secret.id)
        consumers = known.consumers if known else dict[str, Consumer]()
        others = [g for g in known.grants if g.relation != ours.id] if known else []
        grants = sorted([*others, Grant(application, ours.id)], key=lambda g: g.relation or 0)
        copy = Secret(
            secret.id,
            known.owner if known else alias,
            secret.revisions,
            grants=tuple(grants),
            consumers=consumers,
        )
        if copy != known:
            reader = reader.with_secret(copy)
        owner = _tracked(owner, secret, proxy, application, consumers)
    for secret in tuple(reader.secrets.values()):
        if secret.owner in reader.remotes and secret.id not in granted:
            reader = _without_grant(reader, secret, ours.id)
    return owner, reader


def _without_grant(reader: Model, secret: Secret, relation: int) -> Model:
    """The reader without leave by one relation, and without the secret if it was the last."""
    grants = tuple(g for g in secret.grants if g.relation != relation)
    if grants == secret.grants:
        return reader
    if grants:
        return reader.with_secret(replace(secret, grants=grants))
    kept = {i: s for i, s in reader.secrets.items() if i != secret.id}
    return replace(reader, secrets=kept)


def _tracked(
    owner: Model,
    secret: Secret,
    proxy: str,
    application: str,
    consumers: Mapping[str, Consumer],
) -> Model:
    """The owner knows which revisions are read in the other model, and so which are obsolete."""
    far = {proxy + unit.removeprefix(application): c for unit, c in consumers.items()}
    own = {u: c for u, c in secret.consumers.items() if u.rpartition("/")[0] != proxy}
    if {**own, **far} == dict(secret.consumers):
        return owner
    return owner.with_secret(replace(secret, consumers={**own, **far}))
