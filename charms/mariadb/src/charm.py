#!/usr/bin/env python3
"""MariaDB: a schema and an account for each related application."""

from __future__ import annotations

import ops

from charmbase import (
    Binding,
    ComponentCharm,
    Generated,
    Option,
    Provides,
    Tcp,
    new_password,
)
from interfaces import mysql_client
from interfaces.base import Asked
from server import Account, Server, allowed
from workload.config.mariadb import MariadbConfig

Request = Asked[mysql_client.RequirerData]


class MariadbCharm(ComponentCharm[MariadbConfig]):
    """Operate MariaDB."""

    component = "mariadb"

    database = Provides("database", mysql_client.Provider)

    probe = Tcp()
    mapping = {
        "debug": Option("debug"),
        "bind-address": Binding("database"),
        "port": Option("port"),
        "admin-password": Generated("admin-password"),
        "buffer-pool-size": Option("buffer-pool-size"),
        "max-connections": Option("max-connections"),
    }

    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        framework.observe(self.on["rotate-passwords"].action, self._on_rotate_passwords)

    def publish(self, config: MariadbConfig) -> None:
        """Make what the related applications ask for, and tell each where it is."""
        if not self.peers.writable:
            return
        requests = self._requests()
        version = self._ensure(config, requests)
        for asked in requests:
            offer = mysql_client.ProviderData(
                database=asked.data.database,
                endpoints=f"{config.bind_address}:{config.port}",
                secret_user=self.vault.share(_name(asked), asked.relation),
                version=version,
            )
            self.database.publish(offer, asked.relation)

    def problems(self) -> list[str]:
        """Name the applications that ask for a schema with an impossible name."""
        return [
            f"{asked.app} asks for a schema with an impossible name: letters, digits, _ and -"
            for asked in self.database.requests()
            if asked.data.database and not allowed(asked.data.database)
        ]

    def _requests(self) -> list[Request]:
        return [asked for asked in self.database.requests() if allowed(asked.data.database or "")]

    def _ensure(self, config: MariadbConfig, requests: list[Request]) -> str:
        """Tell the server of new accounts, new passwords and relations that ended."""
        for asked in requests:
            self.vault.create(_name(asked), lambda asked=asked: _new_account(asked))
        wanted = {_name(asked): self._registration(asked) for asked in requests}
        known = {k: v for k, v in self.peers.data.marks.items() if k.startswith("account-")}
        due = [asked for asked in requests if known.get(_name(asked)) != wanted[_name(asked)]]
        if due or known.keys() - wanted.keys():
            server = self._server(config)
            self.peers.mark("version", server.ensure([self._account(asked) for asked in due]))
            server.drop_accounts(keep={_username(asked) for asked in requests})
            self.peers.note("account-", wanted)
            self.vault.keep("account-", {f"account-{r.id}" for r in self.database.relations})
        return self.peers.data.marks.get("version", "")

    def _registration(self, asked: Request) -> str:
        """Return what is noted once the server knows an account: its schema and password."""
        return f"{asked.data.database} {self.vault.generation(_name(asked))}"

    def _account(self, asked: Request) -> Account:
        content = self.vault.get(_name(asked)) or {}
        return Account(_username(asked), content["password"], asked.data.database or "")

    def _server(self, config: MariadbConfig) -> Server:
        password = config.admin_password
        assert password is not None  # noqa: S101 - a required key
        return Server(
            config.bind_address, config.port, config.admin_username, password.get_secret_value()
        )

    def _on_rotate_passwords(self, event: ops.ActionEvent) -> None:
        if not self.peers.writable:
            event.fail("run this on the leader")
            return
        asked = self._requests()
        for request in asked:
            self.vault.replace(_name(request), _new_account(request))
        self.reconcile()
        event.set_results({"rotated": ",".join(request.app for request in asked)})


def _name(asked: Request) -> str:
    return f"account-{asked.relation.id}"


def _username(asked: Request) -> str:
    return f"{asked.app}-{asked.relation.id}"


def _new_account(asked: Request) -> dict[str, str]:
    return {"username": _username(asked), "password": new_password()}


if __name__ == "__main__":
    ops.main(MariadbCharm)
