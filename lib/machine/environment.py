"""The environment of a hook: built from nothing, as Juju builds it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from machine.model import Model, Storage
from machine.model_config import DEFAULTS
from machine.unit import Hook
from machine.version import JUJU_VERSION

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Surroundings:
    """What is the same for all hooks.

    Attributes:
        tools: folder of the hook tools.
        socket: where the hook tools reach the agent.
        extra: variables that the operator of the agent adds.
        path: folders on PATH between the hook tools and the system's.
    """

    tools: Path
    socket: Path
    address: str
    extra: Mapping[str, str]
    path: Sequence[str]


def environment(
    around: Surroundings, model: Model, name: str, hook: Hook, charm: Path, token: str
) -> dict[str, str]:
    """The environment in which a unit's hook runs."""
    unit = model.units[name]
    event = "" if hook.action else hook.name
    dispatch = f"actions/{hook.name}" if hook.action else f"hooks/{hook.name}"
    env = {
        **around.extra,
        "PATH": os.pathsep.join((str(around.tools), *around.path, _PATH)),
        "LANG": "C.UTF-8",
        "TERM": "tmux-256color",
        "DEBIAN_FRONTEND": "noninteractive",
        "APT_LISTCHANGES_FRONTEND": "none",
        "CHARM_DIR": str(charm),
        "CLOUD_API_VERSION": "",
        "JUJU_AGENT_SOCKET_ADDRESS": str(around.socket),
        "JUJU_AGENT_SOCKET_NETWORK": "unix",
        "JUJU_API_ADDRESSES": around.address,
        "JUJU_AVAILABILITY_ZONE": "",
        **_proxies(model),
        "JUJU_CHARM_DIR": str(charm),
        "JUJU_CONTEXT_ID": token,
        "JUJU_DISPATCH_PATH": dispatch,
        "JUJU_HOOK_NAME": event,
        "JUJU_MACHINE_ID": unit.machine,
        "JUJU_METER_INFO": "not set",
        "JUJU_METER_STATUS": "AMBER",
        "JUJU_MODEL_NAME": model.name,
        "JUJU_MODEL_UUID": model.uuid,
        "JUJU_PRINCIPAL_UNIT": unit.principal or "",
        "JUJU_SLA": "unsupported",
        "JUJU_UNIT_NAME": name,
        "JUJU_VERSION": JUJU_VERSION,
    }
    return {**env, **_of_relation(model, hook, unit.application), **_of_others(model, hook, name)}


def _proxies(model: Model) -> dict[str, str]:
    """What the model's settings say of proxies for charms."""
    settings = {**DEFAULTS, **model.config}
    kinds = ("http", "https", "ftp")
    names = {kind: f"JUJU_CHARM_{kind.upper()}_PROXY" for kind in kinds}
    proxies = {name: str(settings[f"juju-{kind}-proxy"]) for kind, name in names.items()}
    return {**proxies, "JUJU_CHARM_NO_PROXY": str(settings["juju-no-proxy"])}


def _of_relation(model: Model, hook: Hook, application: str) -> dict[str, str]:
    if hook.relation is None:
        return {}
    endpoint = model.relations[hook.relation].local(application).name
    env = {
        "JUJU_RELATION": endpoint,
        "JUJU_RELATION_ID": f"{endpoint}:{hook.relation}",
        "JUJU_REMOTE_APP": hook.remote_app,
        "JUJU_REMOTE_UNIT": hook.remote_unit,
    }
    return {**env, "JUJU_DEPARTING_UNIT": hook.departing_unit} if hook.departing_unit else env


def _of_others(model: Model, hook: Hook, unit: str) -> dict[str, str]:
    if hook.action:
        return {
            "JUJU_ACTION_NAME": hook.name,
            "JUJU_ACTION_TAG": f"action-{hook.action}",
            "JUJU_ACTION_UUID": hook.action,
        }
    if hook.secret:
        return _of_secret(model, hook, unit)
    return _of_storage(model.storages[hook.storage]) if hook.storage else {}


def _of_secret(model: Model, hook: Hook, unit: str) -> dict[str, str]:
    secret = model.secrets[hook.secret]
    consumer = secret.consumers.get(unit)
    consumed = hook.name == "secret-changed"
    label = consumer.label if consumed and consumer else secret.label
    env = {"JUJU_SECRET_ID": f"secret:{secret.id}", "JUJU_SECRET_LABEL": label}
    return {**env, "JUJU_SECRET_REVISION": str(hook.revision)} if hook.revision else env


def _of_storage(storage: Storage) -> dict[str, str]:
    return {
        "JUJU_STORAGE_ID": storage.id,
        "JUJU_STORAGE_KIND": storage.kind,
        "JUJU_STORAGE_LOCATION": storage.location,
    }
