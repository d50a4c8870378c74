"""Migrate Nova's schemas and map its cells, in one process.

Cell 1 is mapped by templates that Nova fills from its own configuration, so that a rotated
password needs no change there, and none is kept in the database. Cell 0 has an account of its
own, so its mapping is brought up to date each time.
"""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import os

os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "1"

# First, and its own imports after it: Nova refuses to start once anything has loaded eventlet.
from nova.cmd import manage
from oslo_utils import uuidutils

from workload.jobs.first_migration import migrating
from workload.jobs.job import etc, run

CELL1 = "cell1"
DATABASE = "{scheme}://{username}:{password}@{hostname}:{port}/{path}?{query}"
TRANSPORT = "{scheme}://{username}:{password}@{hostname}:{port}/{path}"


def main() -> None:
    """Bring all three databases and both mappings to this release."""
    manage.config.parse_args(["nova-manage", "--config-file", str(etc("nova", "nova.conf"))])
    manage.objects.register_all()
    cell0 = etc("nova", "cell0.url").read_text().strip()
    config = manage.CONF
    with migrating(config.api_database.connection, cell0, config.database.connection):
        _check("api database", manage.ApiDbCommands().sync())
        _map_cell0(cell0)
        _check("cell databases", manage.DbCommands().sync())
        _map_cell1()


def _map_cell0(url: str) -> None:
    cells = manage.CellV2Commands()
    _check("map_cell0", cells.map_cell0(url))
    mapping = manage.objects.CellMapping.get_by_uuid(
        manage.context.get_admin_context(), manage.objects.CellMapping.CELL0_UUID
    )
    if mapping.database_connection != url:
        mapping.database_connection = url
        mapping.save()


def _map_cell1() -> None:
    context = manage.context.get_admin_context()
    mappings = manage.objects.CellMappingList.get_all(context)
    if any(mapping.name == CELL1 for mapping in mappings):
        return
    # `create_cell` would fill in the template to check it, and so want the broker's account.
    manage.objects.CellMapping(
        context,
        uuid=uuidutils.generate_uuid(),
        name=CELL1,
        transport_url=TRANSPORT,
        database_connection=DATABASE,
        disabled=False,
    ).create()


def _check(step: str, returned: int | None) -> None:
    if returned not in (0, None):
        raise RuntimeError(f"{step} returned {returned}")


if __name__ == "__main__":
    run(main)
