#!/usr/bin/env python3
"""RabbitMQ: an account for each related application."""

from __future__ import annotations

import hashlib

import ops

from charmbase import (
    Binding,
    ComponentCharm,
    Computed,
    Generated,
    Option,
    Provides,
    Tcp,
    new_password,
)
from interfaces import rabbitmq
from interfaces.base import Asked
from workload.config.rabbitmq import RabbitmqConfig, RabbitmqUser

DEFAULT_VHOST = "openstack"


class RabbitmqCharm(ComponentCharm[RabbitmqConfig]):
    """Operate RabbitMQ."""

    component = "rabbitmq"

    amqp = Provides("amqp", rabbitmq.Provider)

    probe = Tcp()
    mapping = {
        "debug": Option("debug"),
        "bind-address": Binding("amqp"),
        "port": Option("port"),
        "erlang-cookie": Generated("erlang-cookie"),
        "users": Computed(lambda charm: charm.users(), "one account for each relation"),
    }

    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        framework.observe(self.on["rotate-passwords"].action, self._on_rotate_passwords)

    def users(self) -> tuple[RabbitmqUser, ...] | None:
        """Return the accounts; None while the leader has not made one of them.

        An account needs nothing from the other side, so the broker's first configuration already
        has those of all relations.
        """
        users: list[RabbitmqUser] = []
        for asked in self.amqp.requests():
            content = self.vault.ensure(_name(asked), lambda asked=asked: _new_account(asked))
            if content is None:
                return None
            vhost = asked.data.vhost or DEFAULT_VHOST
            users.append(RabbitmqUser.model_validate({**content, "vhost": vhost}))
        return tuple(users)

    def publish(self, config: RabbitmqConfig) -> None:
        """Let the broker know its accounts, then tell each application where it is."""
        if not self.peers.writable:
            return
        self._import(config)
        for asked in self.amqp.requests():
            offer = rabbitmq.ProviderData(
                hostname=config.bind_address,
                port=config.port,
                vhost=asked.data.vhost or DEFAULT_VHOST,
                secret_user=self.vault.share(_name(asked), asked.relation),
            )
            self.amqp.publish(offer, asked.relation)
        self.vault.keep("account-", {_name(asked) for asked in self.amqp.requests()})

    def _import(self, config: RabbitmqConfig) -> None:
        """Import the accounts into the running broker, unless it started with these."""
        accounts = [
            (user.username, user.vhost, self.vault.generation(_name(asked)))
            for user, asked in zip(config.users, self.amqp.requests(), strict=True)
        ]
        digest = hashlib.sha256(repr(accounts).encode()).hexdigest()
        known = self.peers.data.marks.get("accounts")
        if known == digest:
            return
        if known is not None or not self.first_configuration:
            self.run_job("rabbitmq-import")
        self.peers.mark("accounts", digest)

    def _on_rotate_passwords(self, event: ops.ActionEvent) -> None:
        if not self.peers.writable:
            event.fail("run this on the leader")
            return
        requests = self.amqp.requests()
        for asked in requests:
            self.vault.replace(_name(asked), _new_account(asked))
        self.reconcile()
        event.set_results({"rotated": ",".join(asked.app for asked in requests)})


def _name(asked: Asked[rabbitmq.RequirerData]) -> str:
    return f"account-{asked.relation.id}"


def _new_account(asked: Asked[rabbitmq.RequirerData]) -> dict[str, str]:
    return {"username": f"{asked.app}-{asked.relation.id}", "password": new_password()}


if __name__ == "__main__":
    ops.main(RabbitmqCharm)
