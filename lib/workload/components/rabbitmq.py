"""RabbitMQ: the message bus. Its accounts change while it runs, by the job rabbitmq-import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workload.component import Component, File, Service
from workload.config.rabbitmq import RabbitmqConfig

OWNER = "rabbitmq"


def derive(config: RabbitmqConfig) -> Mapping[str, Any]:
    """Build the definitions the broker loads (https://www.rabbitmq.com/docs/definitions)."""
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    definitions = {
        "vhosts": [{"name": name} for name in sorted({user.vhost for user in config.users})],
        "users": [
            {"name": user.username, "password": user.password, "tags": ""} for user in config.users
        ],
        "permissions": [
            {"user": user.username, "vhost": user.vhost, **everything} for user in config.users
        ],
    }
    return {"definitions": definitions}


def _file(name: str, *services: str) -> File:
    return File(f"rabbitmq/{name}", f"rabbitmq/{name}.j2", services, owner=OWNER)


COMPONENT = Component(
    name="rabbitmq",
    config=RabbitmqConfig,
    files=(
        _file("rabbitmq.conf", "rabbitmq"),
        _file("rabbitmq-env.conf", "rabbitmq"),
        _file("enabled_plugins", "rabbitmq"),
        _file("erlang.cookie", "rabbitmq"),
        _file("definitions.json"),
    ),
    services=(Service("rabbitmq", ("erlang-cookie",)),),
    derive=derive,
    directories=(("lib/rabbitmq", OWNER), ("run/rabbitmq", OWNER)),
)
