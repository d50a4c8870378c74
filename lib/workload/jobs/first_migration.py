"""Make a schema for the first time so that a run that was cut off can begin anew.

MariaDB has no transactions for a schema: a migration that dies leaves half of one, on which no
next run succeeds. So the first migration of an empty database is marked in the database itself.
Where the mark is found, no service has ever been let at the database (its gate opens once the job
has succeeded), and what is there is dropped. A database without the mark holds data: there
nothing is ever dropped.
"""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import sqlalchemy
from oslo_config import cfg

MARK = "microstack_first_migration"
COMMENT = "no service has used this database yet: it is dropped when its migration is run again"


class MigrationError(Exception):
    """The schema of a database that holds data could not be migrated."""


def url_of(file: Path, section: str = "database") -> str:
    """Return the URL of the database that a service's rendered configuration names."""
    config = cfg.ConfigOpts()
    config.register_opt(cfg.StrOpt("connection", required=True), group=section)
    config(["--config-file", str(file)], default_config_dirs=[])
    return config[section].connection


@contextmanager
def migrating(*urls: str) -> Generator[None]:
    """Migrate these databases inside; each is empty, or holds a whole schema, at the beginning.

    Raises:
        MigrationError: what was raised inside, where a database holds data; with what to do.
    """
    with ExitStack() as stack:
        connections = [stack.enter_context(_connected(url)) for url in urls]
        first = [connection for connection in connections if _begin(connection)]
        held = [str(c.engine.url.database) for c in connections if c not in first]
        try:
            yield
        except Exception as error:
            if not held:
                raise
            raise MigrationError(_what_to_do(held, error)) from error
        for connection in first:
            _end(connection)


@contextmanager
def _connected(url: str) -> Generator[sqlalchemy.Connection]:
    engine = sqlalchemy.create_engine(
        url, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool
    )
    with engine.connect() as connection:
        yield connection


def _begin(connection: sqlalchemy.Connection) -> bool:
    """Empty and mark a database, unless it holds data; return whether it is marked now."""
    tables = sqlalchemy.inspect(connection).get_table_names()
    if not tables:
        connection.exec_driver_sql(
            f"CREATE TABLE {MARK} (began DATETIME DEFAULT NOW()) COMMENT '{COMMENT}'"
        )
    elif MARK not in tables:
        return False
    connection.exec_driver_sql("SET SESSION foreign_key_checks = 0")
    quote = connection.dialect.identifier_preparer.quote
    for table in tables:
        if table != MARK:
            connection.exec_driver_sql(f"DROP TABLE {quote(table)}")
    return True


def _end(connection: sqlalchemy.Connection) -> None:
    # A change of a table is on disk when it returns, and all that came before it with it. So a
    # power cut cannot take the last rows of the migration away and leave the mark's removal.
    connection.exec_driver_sql(f"ALTER TABLE {MARK} COMMENT 'done'")
    connection.exec_driver_sql(f"DROP TABLE {MARK}")


def _what_to_do(databases: list[str], error: Exception) -> str:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return (
        f"{reason}; the schema in {', '.join(databases)} holds data and was left as it is: mend "
        "what hinders the migration, or restore a backup, and run the action migrate-database"
    )
