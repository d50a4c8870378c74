"""The home folder of services, in which they find nothing instead of what is the host's.

oslo.config reads a folder `<project>.conf.d` or `<program>.conf.d` where no argument names one:
the first that it finds in the home folder, then in /etc (oslo_config.cfg.find_config_dirs). Empty
ones in the home folder keep the host away. Under snapd, a snap does not see the host's /etc.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

from workload import render
from workload.layout import Layout
from workload.service_table import ServiceTable

PYTHON_PROGRAMS = "openstack/bin"
SUFFIXES = ("", "-api", "-manage")
"""What a project calls the programs that read its configuration in uWSGI and in jobs."""
UWSGI = "uwsgi"


def make(layout: Layout, table: ServiceTable) -> None:
    """Make the folders."""
    for name in sorted({UWSGI, *_names(table)}):
        render.make_directory(layout.snap_data / f"{name}.conf.d")


def _names(table: ServiceTable) -> Iterable[str]:
    for app in table.apps.values():
        project = app.name.partition("-")[0]
        yield app.name
        yield from (f"{project}{suffix}" for suffix in SUFFIXES)
        for word in app.command:
            path = PurePath(word)
            if path.parent.as_posix().endswith(PYTHON_PROGRAMS):
                yield path.name
