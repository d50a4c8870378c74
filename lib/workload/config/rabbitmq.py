"""Snap config of RabbitMQ."""

from __future__ import annotations

from pydantic import Field

from workload.config.base import Secret, Section
from workload.config.shared import Component


class RabbitmqUser(Section):
    """One account of the broker, with full rights on one virtual host."""

    username: str
    password: Secret
    vhost: str = "openstack"


class RabbitmqConfig(Component):
    """Keys under `rabbitmq`."""

    bind_address: str = "127.0.0.1"
    port: int = Field(default=5672, ge=1, le=65535)
    erlang_cookie: Secret | None = None
    users: tuple[RabbitmqUser, ...] = ()
