"""Secrets of the model, which its operator makes and grants: pure functions, and Juju's views.

The shapes are those of cmd/juju/secrets/list.go.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from machine import answers
from machine.changes import ChangeError
from machine.context import SecretFields, new_secret_id, updated_secret
from machine.model import Model
from machine.secret import MODEL_OWNER, Grant, Secret, SecretRevision
from machine.settle import settle


def add(
    model: Model, name: str, content: Mapping[str, str], info: str, now: float
) -> tuple[Model, str]:
    """The model with one more secret of its own, and the secret's id.

    Raises:
        ChangeError: one of this name is there.
    """
    _check_free(model, name)
    revision = SecretRevision(dict(content), now)
    secret = Secret(new_secret_id(), MODEL_OWNER, {1: revision}, name, info)
    return model.with_secret(secret), secret.id


def update(
    model: Model,
    identifier: str,
    content: Mapping[str, str],
    info: str | None,
    name: str | None,
    auto_prune: bool | None,
    now: float,
) -> Model:
    """The model with another content, description, name or way of keeping old revisions.

    Raises:
        ChangeError: no such secret of the model, or the name is taken.
    """
    secret = _owned(model, identifier)
    if name is not None and name != secret.label:
        _check_free(model, name)
    secret = updated_secret(secret, SecretFields(content or None, name, info), now)
    if auto_prune is not None:
        secret = replace(secret, auto_prune=auto_prune)
    return settle(model.with_secret(secret), now)


def remove(model: Model, identifier: str, revision: int | None) -> Model:
    """The model without a secret of its own, or without one revision of it.

    Raises:
        ChangeError: no such secret or revision.
    """
    secret = _owned(model, identifier)
    if revision is not None:
        _revision(secret, revision)
    rest = {n: r for n, r in secret.revisions.items() if revision not in (None, n)}
    if rest:
        return model.with_secret(replace(secret, revisions=rest))
    return replace(model, secrets={i: s for i, s in model.secrets.items() if i != secret.id})


def grant(model: Model, identifier: str, applications: Sequence[str], granted: bool) -> Model:
    """The model with applications that may read a secret of its own, or may no longer.

    Raises:
        ChangeError: no such secret or application.
    """
    secret = _owned(model, identifier)
    for application in applications:
        if application not in model.applications:
            raise ChangeError(f'application "{application}" not found')
    others = tuple(g for g in secret.grants if g.subject not in applications)
    new = tuple(Grant(application, None) for application in applications if granted)
    return model.with_secret(replace(secret, grants=(*others, *new)))


def described(model: Model) -> dict[str, Any]:
    """The model's secrets without their content, as `juju secrets --format json` has them.

    What other models granted is not among them.
    """
    own = (s for s in model.secrets.values() if s.owner not in model.remotes)
    return {s.id: _described(model, s) for s in sorted(own, key=lambda s: s.id)}


def shown(
    model: Model, identifier: str, revision: int | None, *, reveal: bool, revisions: bool
) -> dict[str, Any]:
    """One secret, as `juju show-secret --format json` has it; content only if revealed.

    Raises:
        ChangeError: no such secret or revision.
    """
    secret = _found(model, identifier)
    view = _described(model, secret)
    wanted = _revision(secret, secret.latest if revision is None else revision)
    if revision is not None:
        view["revision"] = revision
    if reveal:
        view["content"] = {"Data": dict(wanted.content)}
        view["checksum"] = _checksum(wanted.content)
    if revisions:
        view["revisions"] = [_of_revision(n, r) for n, r in secret.revisions.items()]
    return {secret.id: view}


def _described(model: Model, secret: Secret) -> dict[str, Any]:
    latest = secret.revisions[secret.latest]
    own = secret.owner == MODEL_OWNER
    access = [_access(model, g) for g in secret.grants]
    return {
        "revision": secret.latest,
        **({"expires": answers.timestamp(latest.expires)} if latest.expires else {}),
        **({"rotation": secret.rotate} if secret.rotate != "never" else {}),
        **({"rotates": answers.timestamp(secret.rotates)} if secret.rotates else {}),
        "owner": secret.owner,
        **({"description": secret.description} if secret.description else {}),
        **({"name" if own else "label": secret.label} if secret.label else {}),
        "created": answers.timestamp(min(r.created for r in secret.revisions.values())),
        "updated": answers.timestamp(latest.created),
        **({"access": access} if access else {}),
    }


def _access(model: Model, grant: Grant) -> dict[str, str]:
    kind = "unit" if "/" in grant.subject else "application"
    scope = f"model-{model.uuid}"
    if grant.relation is not None:
        ends = str(model.relations[grant.relation]).replace(":", ".").replace(" ", "#")
        scope = f"relation-{ends}"
    return {
        "target": f"{kind}-{grant.subject.replace('/', '-')}",
        "scope": scope,
        "role": "view",
    }


def _of_revision(number: int, revision: SecretRevision) -> dict[str, Any]:
    made = answers.timestamp(revision.created)
    expires = {"expires": answers.timestamp(revision.expires)} if revision.expires else {}
    return {"revision": number, "backend": "internal", "created": made, "updated": made, **expires}


def _checksum(content: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(content), sort_keys=True).encode()).hexdigest()


def _found(model: Model, identifier: str) -> Secret:
    """A secret by its URI, its id, or, one of the model, by its name."""
    number = identifier.removeprefix("secret:").rpartition("/")[2]
    if number in model.secrets:
        return model.secrets[number]
    for secret in model.secrets.values():
        if secret.owner == MODEL_OWNER and secret.label == identifier:
            return secret
    raise ChangeError(f'secret "{identifier}" not found')


def _owned(model: Model, identifier: str) -> Secret:
    secret = _found(model, identifier)
    if secret.owner != MODEL_OWNER:
        raise ChangeError(f'secret "{identifier}" is owned by {secret.owner}, not by the model')
    return secret


def _revision(secret: Secret, number: int) -> SecretRevision:
    if number not in secret.revisions:
        raise ChangeError(f'secret "{secret.id}" revision {number} not found')
    return secret.revisions[number]


def _check_free(model: Model, name: str) -> None:
    if any(s.owner == MODEL_OWNER and s.label == name for s in model.secrets.values()):
        raise ChangeError(f'secret with name "{name}" already exists')
