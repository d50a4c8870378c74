"""Keystone: identity. Its key repositories come with config and are read at each use."""

from __future__ import annotations

from workload.component import Component, File, KeyDirectory, Service
from workload.components.requirements import SCHEMA, database
from workload.config.keystone import KeystoneConfig

COMPONENT = Component(
    name="keystone",
    config=KeystoneConfig,
    files=(
        File("keystone/keystone.conf", "keystone/keystone.conf.j2", ("keystone",)),
        File("keystone/uwsgi.ini", "keystone/uwsgi.ini.j2", ("keystone",)),
        File("keystone/bootstrap.json", "keystone/bootstrap.json.j2", ()),
        KeyDirectory("keystone/fernet-keys", "fernet-keys", ()),
        KeyDirectory("keystone/credential-keys", "credential-keys", ()),
    ),
    services=(Service("keystone", (*database(), "fernet-keys", "credential-keys", *SCHEMA)),),
)
