"""MariaDB: every service's schema, and the account the operator administers it with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workload.component import Component, File, Service
from workload.config.mariadb import MariadbConfig

ANY_ADDRESS = ("0.0.0.0", "::", "*")  # noqa: S104  compared with, never bound to


def derive(config: MariadbConfig) -> Mapping[str, Any]:
    """Say from which host the administrator may come: from this one only, where one is bound."""
    bound = config.bind_address
    return {"admin_host": "%" if bound in ANY_ADDRESS else bound}


COMPONENT = Component(
    name="mariadb",
    config=MariadbConfig,
    files=(
        File("mariadb/my.cnf", "mariadb/my.cnf.j2", ("mariadb",), owner="mysql"),
        File("mariadb/init.sql", "mariadb/init.sql.j2", ("mariadb",), owner="mysql"),
    ),
    services=(Service("mariadb", ("admin-password",)),),
    derive=derive,
    directories=(("lib/mariadb", "mysql"), ("run/mariadb", "mysql")),
)
