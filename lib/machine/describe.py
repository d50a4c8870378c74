"""Parts of the model in the shapes of Juju's `config`, `show-unit` and `models`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from machine import bridge
from machine.charm import CharmMetadata
from machine.model import Application, Exposure, Model
from machine.relation import Relation
from machine.status import MACHINE, Host, model_status, status
from machine.unit import Unit
from machine.version import CLOUD, CONTROLLER, JUJU_VERSION, USER


def config(application: Application) -> dict[str, Any]:
    """An application's options, as `juju config --format json APP` has them."""
    settings = {
        name: _setting(
            option.type, option.description, option.default, application.options.get(name)
        )
        for name, option in sorted(application.charm.options.items())
    }
    trust = _setting(
        "bool",
        "Does this application have access to trusted credentials",
        False,
        application.trust or None,
    )
    return {
        "application": application.name,
        "application-config": {"trust": trust},
        "charm": application.charm.name,
        "settings": settings,
    }


def actions(charm: CharmMetadata) -> dict[str, Any]:
    """A charm's actions, as `juju actions --schema --format json` has them."""
    return {
        name: {
            "additionalProperties": action.additional_properties,
            "description": action.description or "No description",
            "properties": action.params,
            **({"required": list(action.required)} if action.required else {}),
            "title": name,
            "type": "object",
        }
        for name, action in sorted(charm.actions.items())
    }


def _setting(kind: str, description: str, default: object, value: object) -> dict[str, Any]:
    """One option; an option without default and value has neither key, as in Juju."""
    source = "user" if value is not None else "unset" if default is None else "default"
    described = {"description": description, "source": source, "type": kind}
    effective = default if value is None else value
    return {
        **({} if default is None else {"default": default}),
        **described,
        **({} if effective is None else {"value": effective}),
    }


def application(model: Model, shown: Application, host: Host) -> dict[str, Any]:
    """An application, as `juju show-application --format json` has each."""
    found = status(model, host, 0.0)["applications"][shown.name]
    units = {
        name: {"machine": unit["machine"], "public-address": unit["public-address"]}
        for name, unit in found.get("units", {}).items()
    }
    exposed = {name: exposure(of) for name, of in shown.exposures.items()}
    return {
        "charm": found["charm-name"],
        "base": "@".join(host.base),
        "principal": not shown.charm.subordinate,
        "exposed": shown.exposed,
        **({"exposed-endpoints": exposed} if exposed else {}),
        "remote": False,
        "life": str(shown.life),
        "endpoint-bindings": found["endpoint-bindings"],
        **({"units": units} if units else {}),
    }


def exposure(shown: Exposure) -> dict[str, list[str]]:
    """Whom an endpoint's open ports are meant for, as in `show-application` and bundles."""
    named = {"expose-to-spaces": shown.spaces, "expose-to-cidrs": shown.cidrs}
    return {key: list(names) for key, names in named.items() if names}


def unit(model: Model, name: str, host: Host) -> dict[str, Any]:
    """A unit and its relations, as `juju show-unit --format json` has them.

    Databags hold what charms put there; secrets are in them by id only.
    """
    shown = model.units[name]
    application = model.applications[shown.application]
    return {
        name: {
            **({"workload-version": application.version} if application.version else {}),
            "machine": shown.machine,
            "opened-ports": sorted(str(port) for port in shown.ports),
            "public-address": host.address,
            "charm": f"local:{application.charm.name}-{application.charm_revision}",
            "leader": model.leader_of(application.name) == name,
            "life": str(shown.life),
            "relation-info": [
                _relation(model, relation, shown)
                for relation in model.relations_of(application.name)
            ],
            "address": host.address,
        }
    }


def _relation(model: Model, relation: Relation, own: Unit) -> dict[str, Any]:
    local, remote = relation.local(own.application), relation.remote(own.application)
    others = {member: _bag(relation, member) for member in model.counterparts(relation, own)}
    return {
        "relation-id": relation.id,
        "endpoint": local.name,
        **({"cross-model": True} if remote.application in model.remotes else {}),
        "related-endpoint": remote.name,
        "application-data": dict(relation.databag(remote.application).values),
        **({"local-unit": _bag(relation, own.name)} if relation.peer else {}),
        **({"related-units": others} if others else {}),
    }


def _bag(relation: Relation, unit: str) -> dict[str, Any]:
    data: Mapping[str, str] = relation.databag(unit).values
    return {"in-scope": unit in relation.members, "data": dict(data)}


def offers(shown: Model) -> dict[str, Any]:
    """A model's offers by URL, as `juju show-offer --format json` has them."""
    return {
        f"{CONTROLLER}:{bridge.offer_url(shown, offer.name)}": {
            "description": shown.applications[offer.application].charm.description,
            "access": "admin",
            "endpoints": {
                name: {"interface": end.interface, "role": str(end.role)}
                for name, end in bridge.offered(shown, offer, offer.name).items()
            },
            "users": {USER: {"display-name": USER, "access": "admin"}},
        }
        for offer in shown.offers.values()
    }


def connections(shown: Model, host: Host) -> dict[str, list[dict[str, Any]]]:
    """Who uses each of a model's offers, as `juju offers --format json` has it."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in shown.offers}
    users = (r for r in shown.remotes.values() if r.relation is not None and r.offer in found)
    for user in users:
        application = shown.offers[user.offer].application
        for relation in shown.relations_of(user.name):
            joined = "joined" if relation.members_of(user.name) else "joining"
            connection = {
                "source-model-uuid": user.model,
                "username": USER,
                "relation-id": relation.id,
                "endpoint": relation.local(application).name,
                "status": {"current": joined},
                "ingress-subnets": [f"{host.address}/32"],
            }
            found[user.offer].append(connection)
    return found


def model(shown: Model, controller: str, cores: int) -> dict[str, Any]:
    """The model itself, as `juju models --format json` has it.

    Args:
        shown: the model.
        controller: id of the agent's own model, which stands for the controller.
        cores: of this host.
    """
    return {
        "name": f"{USER}/{shown.name}",
        "short-name": shown.name,
        "model-uuid": shown.uuid,
        "model-type": "iaas",
        "controller-uuid": controller,
        "controller-name": CONTROLLER,
        "is-controller": shown.uuid == controller,
        "owner": USER,
        "cloud": CLOUD,
        "type": "manual",
        "life": str(shown.life),
        "status": model_status(shown),
        "users": {USER: {"access": "admin", "last-connection": "never connected"}},
        "machines": {MACHINE: {"cores": cores}},
        "unit-count": len(shown.units),
        "agent-version": JUJU_VERSION,
    }
