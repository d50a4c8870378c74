"""Migrate Keystone's schema, make the administrator, and what services' accounts need.

All in one process: most of the time of `keystone-manage` is its imports.
"""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import json
import uuid

import keystone.conf
from keystone.cmd import bootstrap
from keystone.common import provider_api, sql
from keystone.common.sql import upgrades

from workload.jobs.first_migration import migrating
from workload.jobs.job import etc, run

SERVICE_PROJECT = "service"
DOMAIN = "default"
CONF = keystone.conf.CONF


def main() -> None:
    """Bring the database to where every service can be registered."""
    _configure()
    with migrating(CONF.database.connection):
        upgrades.offline_sync_database_to_version()
        _bootstrap()
        _make_service_project()


def _configure() -> None:
    keystone.conf.configure()
    sql.initialize()
    keystone.conf.set_default_for_default_log_levels()
    CONF(["--config-file", str(etc("keystone", "keystone.conf"))], project="keystone")
    keystone.conf.setup_logging()
    # What this process writes, another must not find cached as absent.
    CONF.set_override("enabled", False, "cache")


def _bootstrap() -> None:
    values = json.loads(etc("keystone", "bootstrap.json").read_text())
    bootstrapper = bootstrap.Bootstrapper()
    bootstrapper.admin_username = "admin"
    bootstrapper.admin_password = values["admin_password"]
    bootstrapper.project_name = "admin"
    bootstrapper.admin_role_name = "admin"
    bootstrapper.service_name = "keystone"
    bootstrapper.region_id = values["region"]
    bootstrapper.public_url = values["public_url"]
    bootstrapper.internal_url = values["public_url"]
    bootstrapper.admin_url = values["public_url"]
    bootstrapper.bootstrap()


def _make_service_project() -> None:
    projects = provider_api.ProviderAPIs.resource_api
    if any(project["name"] == SERVICE_PROJECT for project in projects.list_projects()):
        return
    project = {
        "id": uuid.uuid4().hex,
        "name": SERVICE_PROJECT,
        "domain_id": DOMAIN,
        "parent_id": DOMAIN,
        "enabled": True,
        "is_domain": False,
        "description": "Accounts of services",
        "tags": [],
        "options": {},
    }
    projects.create_project(project["id"], project)


if __name__ == "__main__":
    run(main)
