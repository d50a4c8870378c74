"""What one hook sees of the model, and what it writes, as one transaction.

A hook is shown the model as of its start, with its own writes on top. Each write is a pure change
of the model: it is applied to the draft at once, and to the real model when the hook exited 0.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from machine.charm import Value
from machine.model import Model
from machine.progress import ROTATION, without
from machine.relation import Databag, Relation, Scope
from machine.secret import Consumer, Grant, Secret, SecretRevision
from machine.settle import new_storage
from machine.unit import Hook, Port, Unit

Change = Callable[[Model], Model]


class ToolError(Exception):
    """A hook tool refuses; the message is what the tool prints to stderr after ERROR."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class SecretFields:
    """What `secret-add` and `secret-set` can set; None leaves it as it is."""

    content: Mapping[str, str] | None = None
    label: str | None = None
    description: str | None = None
    expires: float | None = None
    rotate: str | None = None


class Reboot(Enum):
    """When a charm asked for this host to be rebooted."""

    NOW = "at once: the hook is killed and runs again"
    AFTER = "after the hook"


class Context:
    """The transaction of one hook of one unit.

    Attributes:
        seen: the model as of the start of the hook.
        draft: the same with the hook's writes.
    """

    def __init__(self, model: Model, unit: str, hook: Hook, now: float) -> None:
        self.seen = model
        self.draft = model
        self.hook = hook
        self.now = now
        self._name = unit
        self._changes: list[Change] = []
        # An action's results count even if it fails, so they are no part of the transaction.
        self.results: dict[str, object] = {}
        self.failure: str | None = None
        # So does a reboot that was asked for.
        self.reboot: Reboot | None = None

    def apply(self, model: Model) -> Model:
        """The model with all that the hook wrote."""
        before = model
        for change in self._changes:
            model = change(model)
        return _once_each(before, model)

    def _write(self, change: Change) -> None:
        self.draft = change(self.draft)
        self._changes.append(change)

    # ---- who and where

    @property
    def unit(self) -> Unit:
        """The unit that runs the hook."""
        return self.draft.units[self._name]

    @property
    def application(self) -> str:
        """Name of the unit's application."""
        return self.unit.application

    @property
    def leader(self) -> bool:
        """Whether the unit leads its application."""
        return self.draft.leader_of(self.application) == self._name

    def config(self) -> dict[str, Value]:
        """The options that have a value or a default."""
        application = self.draft.applications[self.application]
        return {**application.charm.defaults, **application.options}

    # ---- relations

    def relations(self, endpoint: str) -> list[Relation]:
        """The relations of one endpoint that the unit takes part in."""
        ours = self.draft.relations_of(self.application)
        return [
            r
            for r in ours
            if r.local(self.application).name == endpoint and r.id in self.unit.views
        ]

    def relation(self, relation_id: int, endpoint: str = "") -> Relation | None:
        """A relation of the unit by id, and by endpoint if it is given; None if there is none."""
        relation = self.draft.relations.get(relation_id)
        if relation is None or relation_id not in self.unit.views:
            return None
        wrong_end = endpoint and relation.local(self.application).name != endpoint
        return None if wrong_end else relation

    def members(self, relation: Relation) -> list[str]:
        """The remote units; one whose joined is still owed is not yet among them."""
        leaves = self.hook.remote_unit if self.hook.name.endswith("-relation-departed") else ""
        known = self._known_members(relation)
        return [m for m in known if m != leaves or self.hook.relation != relation.id]

    def _known_members(self, relation: Relation) -> list[str]:
        view = self.unit.views.get(relation.id)
        joined = set(view.members) if view else set[str]()
        if self.hook.relation == relation.id and self.hook.remote_unit:
            joined.add(self.hook.remote_unit)
        return sorted(joined, key=lambda m: (m.rpartition("/")[0], int(m.rpartition("/")[2])))

    def read(self, relation: Relation, owner: str) -> Mapping[str, str]:
        """A databag.

        Raises:
            ToolError: it is not for this unit to read.
        """
        if not self._may_see(relation, owner):
            raise ToolError("permission denied")
        return relation.databag(owner).values

    def _may_see(self, relation: Relation, owner: str) -> bool:
        if owner == self.application:
            return relation.peer or self.leader
        remote = relation.remote(self.application).application
        if owner in (self._name, remote, *self._known_members(relation)):
            return True
        return relation.scope is Scope.GLOBAL and owner in relation.databags

    def write(self, relation: Relation, values: Mapping[str, str], *, app: bool) -> None:
        """Write to the unit's or the application's databag; an empty value deletes its key.

        Raises:
            ToolError: the unit does not lead its application.
        """
        if app and not self.leader:
            raise ToolError("cannot write relation settings")
        owner = self.application if app else self._name
        self._write(lambda model: _written(model, relation.id, owner, values))

    # ---- secrets

    def new_secret(self, fields: SecretFields, *, unit_owned: bool) -> str:
        """Make a secret and return its id.

        Raises:
            ToolError: the application's secrets are made by its leader alone.
        """
        if not unit_owned and not self.leader:
            raise ToolError("this unit is not the leader")
        owner = self._name if unit_owned else self.application
        if fields.label and any(
            s.label == fields.label and s.owner == owner for s in self.draft.secrets.values()
        ):
            raise ToolError(f'secret with label "{fields.label}" already exists')
        revision = SecretRevision(dict(fields.content or {}), self.now, fields.expires)
        secret = Secret(new_secret_id(), owner, {1: revision})
        secret = updated_secret(secret, replace(fields, content=None), self.now)
        self._write(lambda model: model.with_secret(secret))
        return secret.id

    def owned_secret(self, secret_id: str | None, label: str | None) -> Secret:
        """A secret that the unit may change, by id or by its owner's label.

        Raises:
            ToolError: there is none.
        """
        for secret in self.owned_secrets():
            if secret.id == secret_id or (secret_id is None and secret.label == label):
                return secret
        raise _not_found(secret_id, label)

    def owned_secrets(self) -> list[Secret]:
        """The secrets that the unit may change."""
        secrets = self.draft.secrets.values()
        return [s for s in secrets if self.draft.manages(self.unit, s)]

    def update_secret(self, secret: Secret, fields: SecretFields) -> None:
        """Change a secret's fields; other content makes a new revision."""

        def change(model: Model) -> Model:
            now = model.secrets.get(secret.id)
            return model.with_secret(updated_secret(now, fields, self.now)) if now else model

        self._write(change)

    def remove_secret(self, secret: Secret, revision: int | None) -> None:
        """Remove a revision, or the whole secret; so does removing the last revision."""

        def change(model: Model) -> Model:
            now = model.secrets.get(secret.id)
            if now is None:
                return model
            rest = without(now.revisions, revision) if revision is not None else {}
            if not rest:
                return replace(model, secrets=without(model.secrets, secret.id))
            return model.with_secret(replace(now, revisions=rest))

        self._write(change)

    def grant(self, secret: Secret, relation: Relation, unit: str | None) -> None:
        """Let the remote application, or one unit of it, read a secret."""
        subject = unit or relation.remote(self.application).application
        grant = Grant(subject, relation.id)
        self._regrant(secret, lambda grants: (*(g for g in grants if g != grant), grant))

    def revoke(self, secret: Secret, relation: int | None, subject: str | None) -> None:
        """Take back grants: those of the relation, of the subject, or both."""

        def kept(grants: tuple[Grant, ...]) -> tuple[Grant, ...]:
            return tuple(
                g
                for g in grants
                if (relation is not None and g.relation != relation)
                or (subject is not None and g.subject != subject)
            )

        self._regrant(secret, kept)

    def _regrant(
        self, secret: Secret, grants: Callable[[tuple[Grant, ...]], tuple[Grant, ...]]
    ) -> None:
        def change(model: Model) -> Model:
            now = model.secrets.get(secret.id)
            return model.with_secret(replace(now, grants=grants(now.grants))) if now else model

        self._write(change)

    def secret_content(
        self, secret_id: str | None, label: str | None, *, refresh: bool, peek: bool
    ) -> Mapping[str, str]:
        """The content of a secret that the unit may read.

        With an id, the label becomes the unit's for it. Without `refresh` or `peek` it is the
        content of the revision the unit tracks; that is the latest when it reads for the first
        time.

        Raises:
            ToolError: there is no such secret, or no leave to read it.
        """
        secret = self._readable(secret_id, label)
        if not self.draft.may_read(self.unit, secret):
            raise ToolError("permission denied")
        consumer = secret.consumers.get(self._name)
        tracked = consumer.revision if consumer else secret.latest
        renewed = refresh or tracked not in secret.revisions
        revision = secret.latest if renewed else tracked
        new_label = label if secret_id else None
        if consumer or new_label or not peek:
            self._track(secret, revision, new_label)
        return secret.revisions[secret.latest if peek else revision].content

    def _readable(self, secret_id: str | None, label: str | None) -> Secret:
        secrets = self.draft.secrets
        if secret_id is not None:
            if secret_id in secrets:
                return secrets[secret_id]
            raise _not_found(secret_id, label)
        for secret in secrets.values():
            consumer = secret.consumers.get(self._name)
            own = secret.owner in (self._name, self.application)
            if (consumer and consumer.label == label) or (own and secret.label == label):
                return secret
        raise _not_found(secret_id, label)

    def _track(self, secret: Secret, revision: int, label: str | None) -> None:
        consumer = secret.consumers.get(self._name, Consumer(0))
        own = secret.owner in (self._name, self.application)
        kept = consumer.label if label is None or (own and label == secret.label) else label
        tracked = replace(consumer, revision=revision, label=kept)
        if tracked == consumer:
            return

        def change(model: Model) -> Model:
            now = model.secrets.get(secret.id)
            if now is None:
                return model
            return model.with_secret(
                replace(now, consumers={**now.consumers, self._name: tracked})
            )

        self._write(change)

    # ---- ports, state, storage

    def open_port(self, port: Port) -> None:
        """Open a port."""
        self._with_unit(lambda u: replace(u, ports=(*(p for p in u.ports if p != port), port)))

    def close_port(self, port: Port) -> None:
        """Close a port."""
        self._with_unit(lambda u: replace(u, ports=tuple(p for p in u.ports if p != port)))

    def set_state(self, values: Mapping[str, str]) -> None:
        """Keep values for the charm."""
        self._with_unit(lambda u: replace(u, state={**u.state, **values}))

    def delete_state(self, key: str) -> None:
        """Forget a value."""
        self._with_unit(lambda u: replace(u, state=without(u.state, key)))

    def add_storage(self, name: str, count: int) -> None:
        """Ask for more instances of a storage.

        Raises:
            ToolError: the charm has no such storage, or no more of it.
        """
        declared = self.draft.applications[self.application].charm.storage.get(name)
        if declared is None:
            raise ToolError(f'charm storage "{name}" not found')
        have = sum(
            s.unit == self._name and s.id.partition("/")[0] == name
            for s in self.draft.storages.values()
        )
        if declared.most is not None and have + count > declared.most:
            raise ToolError(f'storage "{name}": at most {declared.most} instances are allowed')
        for _ in range(count):
            self._write(lambda model: new_storage(model, self._name, name))

    def _with_unit(self, changed: Callable[[Unit], Unit]) -> None:
        self._write(lambda model: model.with_unit(changed(model.units[self._name])))


def _not_found(secret_id: str | None, label: str | None) -> ToolError:
    if secret_id is not None:
        return ToolError(f'secret "{secret_id}" not found')
    return ToolError(f'secret with label "{label}" not found')


def new_secret_id() -> str:
    """20 digits of base 32, as Juju's secret URIs have."""
    return base64.b32hexencode(os.urandom(13)).decode().lower()[:20]


def updated_secret(secret: Secret, fields: SecretFields, now: float) -> Secret:
    """The secret with what the fields set; other content is a new revision."""
    latest = secret.revisions[secret.latest]
    if fields.content and dict(fields.content) != dict(latest.content):
        revision = SecretRevision(dict(fields.content), now, fields.expires)
        secret = replace(secret, revisions={**secret.revisions, secret.latest + 1: revision})
    elif fields.expires is not None:
        latest = replace(latest, expires=fields.expires)
        secret = replace(secret, revisions={**secret.revisions, secret.latest: latest})
    if fields.rotate is not None and fields.rotate != secret.rotate:
        every = ROTATION.get(fields.rotate)
        rotates = now + every if every else None
        secret = replace(secret, rotate=fields.rotate, rotates=rotates)
    if fields.label is not None:
        secret = replace(secret, label=fields.label)
    if fields.description is not None:
        secret = replace(secret, description=fields.description)
    return secret


def _written(model: Model, relation_id: int, owner: str, values: Mapping[str, str]) -> Model:
    relation = model.relations.get(relation_id)
    if relation is None:
        return model
    databag = relation.databag(owner)
    after = {**databag.values, **values}
    databag = Databag({k: v for k, v in after.items() if v}, databag.version + 1)
    return model.with_relation(replace(relation, databags={**relation.databags, owner: databag}))


def _once_each(before: Model, after: Model) -> Model:
    """Count a databag's changes in one hook as one, and as none if its values came out equal."""
    for relation in after.relations.values():
        earlier = before.relations.get(relation.id)
        if earlier is None or earlier is relation:
            continue
        databags = {
            owner: _counted(earlier.databag(owner), databag)
            for owner, databag in relation.databags.items()
        }
        after = after.with_relation(replace(relation, databags=databags))
    return after


def _counted(before: Databag, after: Databag) -> Databag:
    if dict(before.values) == dict(after.values):
        return before
    return Databag(after.values, before.version + 1)
