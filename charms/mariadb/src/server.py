"""Schemas and accounts on a live MariaDB server, over TCP. No part of this knows of Juju."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

CONNECT_TIMEOUT = 10
"""Seconds."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What is taken as a schema's name, so that quoting it is safe."""

_ACCOUNT = re.compile(r".+-\d+")
"""Accounts for relations end in the relation's number; the server's own don't."""


@dataclass(frozen=True)
class Account:
    """An account with all rights on one schema and none elsewhere.

    Attributes:
        username: `<application>-<relation number>`.
        password: in clear.
        schema: name of the schema.
    """

    username: str
    password: str
    schema: str

    def __repr__(self) -> str:
        return f"Account({self.username!r}, schema={self.schema!r})"


@dataclass(frozen=True)
class Server:
    """The server, and the administrator's account on it."""

    host: str
    port: int
    username: str
    password: str

    def __repr__(self) -> str:
        return f"Server({self.host}:{self.port})"

    def ensure(self, accounts: list[Account]) -> str:
        """Make these schemas and accounts, with these passwords; return the server's version.

        Raises:
            ValueError: a schema's name is not `allowed`.
        """
        with self._cursor() as cursor:
            for account in accounts:
                _ensure(cursor, account)
            cursor.execute("SELECT VERSION()")
            return str(cursor.fetchone()[0]).partition("-")[0]

    def drop_accounts(self, keep: set[str]) -> None:
        """Drop the accounts of relations that are no more. Schemas stay: they hold data."""
        with self._cursor() as cursor:
            cursor.execute("SELECT User FROM mysql.user")
            for (username,) in cursor.fetchall():
                if _ACCOUNT.fullmatch(username) and username not in keep:
                    cursor.execute("DROP USER IF EXISTS %s@'%%'", (username,))

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        # Imported here because most hooks have nothing to say to the server.
        import pymysql

        connection = pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.username,
            password=self.password,
            connect_timeout=CONNECT_TIMEOUT,
            autocommit=True,
        )
        with connection, connection.cursor() as cursor:
            yield cursor


def _ensure(cursor: Any, account: Account) -> None:
    # A schema's name cannot be a parameter of a statement, so it's checked.
    if not allowed(account.schema):
        raise ValueError(f"{account.schema!r} cannot name a schema")
    cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{account.schema}` CHARACTER SET utf8mb3")
    who = (account.username, account.password)
    cursor.execute("CREATE USER IF NOT EXISTS %s@'%%' IDENTIFIED BY %s", who)
    cursor.execute("ALTER USER %s@'%%' IDENTIFIED BY %s", who)
    # `_` stands for any letter in the name of a GRANT, unless it's escaped.
    pattern = account.schema.replace("_", r"\_")
    cursor.execute(f"GRANT ALL PRIVILEGES ON `{pattern}`.* TO %s@'%%'", (account.username,))


def allowed(name: str) -> bool:
    """Return whether this may name a schema: letters, digits, `_` and `-`, at most 64."""
    return _NAME.fullmatch(name) is not None
