#!/usr/bin/env python3
"""Asks for an account in Keystone; is active once Keystone has issued a token to it."""

from __future__ import annotations

import ops
from keystoneauth1 import session
from keystoneauth1.exceptions import ClientException
from keystoneauth1.identity import v3

from interfaces import keystone_credentials
from interfaces.base import Credentials

ENDPOINT = "identity-credentials"


class ClientCharm(ops.CharmBase):
    """Ask for an account of the application's name; use it."""

    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        for event in (self.on[ENDPOINT].relation_created, self.on[ENDPOINT].relation_changed):
            framework.observe(event, self._on_relation)

    def _on_relation(self, _: ops.EventBase) -> None:
        requirer = keystone_credentials.Requirer(self, ENDPOINT)
        requirer.publish(keystone_credentials.RequirerData(username=self.app.name))
        offer = requirer.get()
        account = requirer.secret(offer.credentials, Credentials) if offer else None
        if offer is None or account is None:
            self.unit.status = ops.WaitingStatus("waiting for an account")
            return
        password = v3.Password(
            auth_url=offer.internal_endpoint,
            username=account.username,
            password=account.password.get_secret_value(),
            user_domain_name=offer.user_domain_name,
            project_name=offer.project_name,
            project_domain_name=offer.project_domain_name,
        )
        try:
            session.Session(password).get_token()
        except ClientException as error:
            self.unit.status = ops.BlockedStatus(str(error))
        else:
            self.unit.status = ops.ActiveStatus(f"{account.username} has a token")


if __name__ == "__main__":
    ops.main(ClientCharm)
