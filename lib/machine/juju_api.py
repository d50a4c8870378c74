"""What the Juju-compatible command line needs beyond `client`: Juju's own views of the model."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from machine import changes, describe
from machine.changes import ChangeError
from machine.model import Model
from machine.relate import RelationError, relate
from machine.status import this_host
from machine.store import Store


def methods(store: Store, address: str) -> Mapping[str, Callable[..., object]]:
    """The agent's answers, by method."""
    host = this_host(address)

    def juju_config(application: str) -> dict[str, Any]:
        if (known := store.model.applications.get(application)) is None:
            raise ChangeError(f'application "{application}" not found')
        return describe.config(known)

    def juju_unit(unit: str) -> dict[str, Any]:
        if unit not in store.model.units:
            raise ChangeError(f'unit "{unit}" not found')
        return describe.unit(store.model, unit, host)

    def juju_model() -> dict[str, Any]:
        return describe.model(store.model, os.cpu_count() or 1)

    def integrate(first: str, second: str) -> str:
        model, relation = _integrated(store.model, (first, second))
        store.commit(model)
        return relation

    answers = (juju_config, juju_unit, juju_model, integrate)
    return {answer.__name__: answer for answer in answers}


def _integrated(model: Model, ends: tuple[str, str]) -> tuple[Model, str]:
    charms = {a.name: a.charm for a in model.applications.values() if a.life == "alive"}
    try:
        change = relate(ends, charms)
    except RelationError as e:
        raise ChangeError(str(e)) from None
    endpoints = (change.provider, change.requirer)
    if any(relation.endpoints == endpoints for relation in model.relations.values()):
        raise ChangeError(f'relation "{change.provider} {change.requirer}" already exists')
    return changes.applied(model, [change], time.time()), str(change)
