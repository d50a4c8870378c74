"""What the Juju-compatible command line needs beyond `client`: Juju's own views of the model."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from machine import (
    bridge,
    bundle_view,
    changes,
    describe,
    model_config,
    storage_changes,
    user_secrets,
)
from machine.changes import ChangeError
from machine.charm import CharmError, load_charm
from machine.model import Exposure, Model
from machine.model_config import ModelConfigError
from machine.plan import Change, Expose, SetTrust, Unexpose
from machine.relate import RelationError, relate
from machine.status import Host
from machine.store import Store
from machine.version import JUJU_VERSION


def methods(
    store: Store, host: Host, models: Callable[[], Sequence[Model]]
) -> Mapping[str, Callable[..., object]]:
    """The agent's answers about one model, by method; `models` are all that there are."""

    def juju_config(application: str) -> dict[str, Any]:
        if (known := store.model.applications.get(application)) is None:
            raise ChangeError(f'application "{application}" not found')
        return describe.config(known)

    def juju_application(application: str) -> dict[str, Any]:
        if (known := store.model.applications.get(application)) is None:
            raise ChangeError(f'application "{application}" not found')
        return describe.application(store.model, known, host)

    def juju_unit(unit: str) -> dict[str, Any]:
        if unit not in store.model.units:
            raise ChangeError(f'unit "{unit}" not found')
        return describe.unit(store.model, unit, host)

    def integrate(first: str, second: str) -> str:
        model, relation = _integrated(store.model, (first, second))
        store.commit(model)
        return relation

    def juju_bundle(defaults: bool) -> list[dict[str, Any]]:
        return bundle_view.exported(store.model, "@".join(host.base), defaults=defaults)

    def juju_difference(bundle_file: str, overlays: list[str]) -> dict[str, Any]:
        files = [Path(overlay) for overlay in overlays]
        return bundle_view.difference(Path(bundle_file), files, store.model, models())

    def offer(application: str, endpoints: list[str], name: str) -> str:
        store.commit(changes.offer(store.model, application, endpoints, name))
        return bridge.offer_url(store.model, name)

    def juju_connections() -> dict[str, list[dict[str, Any]]]:
        return describe.connections(store.model, host)

    def remove_offer(name: str, force: bool) -> None:
        store.commit(bridge.remove_offer(store.model, name, time.time(), force=force))

    def remove_saas(name: str) -> None:
        store.commit(bridge.remove_saas(store.model, name, time.time()))

    def expose(application: str, exposures: dict[str, dict[str, list[str]]]) -> None:
        said = {
            name: Exposure(tuple(to["spaces"]), tuple(to["cidrs"]))
            for name, to in exposures.items()
        }
        store.commit(_altered(store.model, Expose(application, said)))

    def unexpose(application: str, endpoints: list[str]) -> None:
        store.commit(_altered(store.model, Unexpose(application, tuple(endpoints))))

    def trust(application: str, trusted: bool) -> None:
        store.commit(_altered(store.model, SetTrust(application, trusted)))

    def refresh(
        application: str, path: str, options: dict[str, Any], resources: dict[str, str]
    ) -> str:
        model, name = _refreshed(store.model, application, Path(path))
        model = changes.set_options(model, application, options, (), time.time())
        model = changes.set_resources(model, application, resources, time.time())
        store.commit(model)
        return name

    def attach_resource(application: str, name: str, file: str) -> None:
        files = {name: file}
        store.commit(changes.set_resources(store.model, application, files, time.time()))

    def juju_model_config() -> dict[str, Any]:
        return model_config.described(store.model, JUJU_VERSION)

    def set_model_config(values: dict[str, Any], reset: list[str]) -> list[str]:
        try:
            store.commit(model_config.changed(store.model, values, reset))
        except ModelConfigError as e:
            raise ChangeError(str(e)) from None
        return model_config.unknown((*values, *reset))

    def juju_model_constraints() -> dict[str, Any]:
        return dict(store.model.constraints)

    def set_model_constraints(constraints: dict[str, Any]) -> None:
        store.commit(replace(store.model, constraints=constraints))

    def juju_charm_actions(application: str) -> dict[str, Any]:
        if (known := store.model.applications.get(application)) is None:
            raise ChangeError(f'application "{application}" not found')
        return describe.actions(known.charm)

    def juju_actions() -> dict[str, Any]:
        return {number: asdict(action) for number, action in store.model.actions.items()}

    plain = (
        juju_model_config,
        juju_model_constraints,
        set_model_config,
        set_model_constraints,
        juju_actions,
        juju_charm_actions,
        attach_resource,
        juju_config,
        juju_application,
        juju_unit,
        integrate,
        juju_bundle,
        juju_difference,
        offer,
        juju_connections,
        remove_offer,
        remove_saas,
        expose,
        unexpose,
        trust,
        refresh,
    )
    return {
        **{answer.__name__: answer for answer in plain},
        **_secret_methods(store),
        **_storage_methods(store),
    }


def _storage_methods(store: Store) -> Mapping[str, Callable[..., object]]:
    def add_storage(unit: str, name: str, directive: str) -> list[str]:
        before = store.model
        model = storage_changes.add_storage(before, unit, name, directive, time.time())
        store.commit(model)
        return sorted(model.storages.keys() - before.storages.keys())

    def detach_storage(storage: str, kept: bool) -> None:
        model = storage_changes.detach_storage(store.model, storage, kept=kept, now=time.time())
        store.commit(model)

    def attach_storage(unit: str, storage: str) -> None:
        store.commit(storage_changes.attach_storage(store.model, unit, storage, time.time()))

    plain = (add_storage, detach_storage, attach_storage)
    return {answer.__name__: answer for answer in plain}


def _secret_methods(store: Store) -> Mapping[str, Callable[..., object]]:
    def add_secret(name: str, content: dict[str, str], info: str) -> str:
        model, number = user_secrets.add(store.model, name, content, info, time.time())
        store.commit(model)
        return f"secret:{number}"

    def update_secret(
        secret: str,
        content: dict[str, str],
        info: str | None,
        name: str | None,
        auto_prune: bool | None,
    ) -> None:
        fields = (content, info, name, auto_prune)
        store.commit(user_secrets.update(store.model, secret, *fields, time.time()))

    def remove_secret(secret: str, revision: int | None) -> None:
        store.commit(user_secrets.remove(store.model, secret, revision))

    def grant_secret(secret: str, applications: list[str], granted: bool) -> None:
        store.commit(user_secrets.grant(store.model, secret, applications, granted))

    def juju_secrets() -> dict[str, Any]:
        return user_secrets.described(store.model)

    def juju_secret(
        secret: str, revision: int | None, reveal: bool, revisions: bool
    ) -> dict[str, Any]:
        return user_secrets.shown(
            store.model, secret, revision, reveal=reveal, revisions=revisions
        )

    plain = (add_secret, update_secret, remove_secret, grant_secret, juju_secrets, juju_secret)
    return {answer.__name__: answer for answer in plain}


def _altered(model: Model, change: Change) -> Model:
    return changes.applied(model, [change], time.time())


def _refreshed(model: Model, application: str, path: Path) -> tuple[Model, str]:
    try:
        charm = load_charm(path)
    except CharmError as e:
        raise ChangeError(str(e)) from None
    model = changes.refresh(model, application, charm, path, time.time())
    return model, f"local:{charm.name}-{model.applications[application].charm_revision}"


def _integrated(model: Model, ends: tuple[str, str]) -> tuple[Model, str]:
    charms = {a.name: a.charm for a in model.applications.values() if a.life == "alive"}
    charms |= {r.name: bridge.as_charm(r) for r in model.remotes.values() if r.life == "alive"}
    try:
        change = relate(ends, charms)
    except RelationError as e:
        raise ChangeError(str(e)) from None
    endpoints = (change.provider, change.requirer)
    if any(relation.endpoints == endpoints for relation in model.relations.values()):
        raise ChangeError(f'relation "{change.provider} {change.requirer}" already exists')
    return changes.applied(model, [change], time.time()), str(change)
