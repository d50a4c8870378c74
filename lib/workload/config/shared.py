"""Sections that several components have in common."""

from __future__ import annotations

from pydantic import Field

from workload.config.base import Secret, Section


class Database(Section):
    """Where a component's MariaDB schema is, and as whom to reach it."""

    host: str | None = None
    port: int = Field(default=3306, ge=1, le=65535)
    name: str | None = Field(default=None, description="schema name")
    username: str | None = None
    password: Secret | None = None


class Messaging(Section):
    """Where the RabbitMQ broker is, and as whom to reach it."""

    host: str | None = None
    port: int = Field(default=5672, ge=1, le=65535)
    vhost: str = "openstack"
    username: str | None = None
    password: Secret | None = None


class Identity(Section):
    """The Keystone account a service authenticates with."""

    auth_url: str | None = Field(
        default=None, description="base URL, e.g. http://127.0.0.1:5000/v3"
    )
    region: str | None = None
    username: str | None = None
    password: Secret | None = None
    project_name: str | None = None
    project_domain_name: str | None = None
    user_domain_name: str | None = None


class Cache(Section):
    """memcached, for token validation and Horizon's sessions."""

    servers: str | None = Field(
        default=None, description="comma-separated host:port or unix:NAME.sock (see memcached)"
    )


class Component(Section):
    """What every component's config begins with."""

    debug: bool = Field(default=False, description="log at level DEBUG")


class ApiComponent(Component):
    """A component with an HTTP API."""

    bind_address: str = Field(default="127.0.0.1", description="address the API listens on")
    schema_release: str | None = Field(
        default=None, description="release the database was migrated to; gates the services"
    )
