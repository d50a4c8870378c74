"""Migrate the schema of the service that the first argument names, by its own program."""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass

from workload.jobs.first_migration import migrating, url_of
from workload.jobs.job import LONG, SHORT, etc, give_way, run


@dataclass(frozen=True)
class Program:
    """A service's own program for its database.

    Attributes:
        module: has the program's `main`.
        files: its configuration; the first says where the database is.
        arguments: what migrates the schema.
        section: of the first file, that has the database's URL.
        niceness: of the migration.
    """

    module: str
    files: tuple[str, ...]
    arguments: tuple[str, ...]
    section: str = "database"
    niceness: int = SHORT


PROGRAMS = {
    "cinder": Program("cinder.cmd.manage", ("cinder/cinder.conf",), ("db", "sync")),
    "glance": Program("glance.cmd.manage", ("glance/glance-api.conf",), ("db_sync",)),
    "neutron": Program(
        "neutron.db.migration.cli",
        ("neutron/neutron.conf", "neutron/ml2_conf.ini"),
        ("upgrade", "heads"),
        niceness=LONG,
    ),
    "placement": Program(
        "placement.cmd.manage",
        ("placement/placement.conf",),
        ("db", "sync"),
        "placement_database",
    ),
}


def main() -> None:
    """Bring one service's schema to this release."""
    service = sys.argv[1]
    program = PROGRAMS[service]
    give_way(program.niceness)
    files = [etc(file) for file in program.files]
    options = [word for file in files for word in ("--config-file", str(file))]
    sys.argv = [f"{service}-db-sync", *options, *program.arguments]
    with migrating(url_of(files[0], program.section)):
        _check(importlib.import_module(program.module).main)


def _check(call) -> None:
    """Call a program's `main`, which tells of failures as programs do."""
    try:
        code = call()
    except SystemExit as end:
        code = end.code
    if code:
        raise RuntimeError(f"it ended with {code}")


if __name__ == "__main__":
    run(main)
