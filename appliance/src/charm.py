#!/usr/bin/env python3
"""MicroStack: a whole cloud on one machine, for a model that wants one to develop against."""

from __future__ import annotations

import logging

import ops

import appliance
from charmbase import new_password, snap
from charmbase.identity import SERVICE_PROJECT, Identity
from interfaces import keystone_credentials
from workload.config import RELEASE

logger = logging.getLogger(__name__)

ENDPOINT = "identity-credentials"


class MicrostackCharm(ops.CharmBase):
    """Install the snap, bring the cloud up, hand its options through, give accounts out."""

    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        self._problem = ""
        self._looked = False
        on = self.on
        for event in (on.install, on.upgrade_charm):
            framework.observe(event, self._on_install)
        for event in (on.config_changed, on.start, on.update_status, on.leader_elected):
            framework.observe(event, self._on_reconcile)
        for event in (on[ENDPOINT].relation_created, on[ENDPOINT].relation_changed):
            framework.observe(event, self._on_reconcile)
        framework.observe(on[ENDPOINT].relation_broken, self._on_credentials_broken)
        framework.observe(on.secret_remove, self._on_secret_remove)
        framework.observe(on.remove, self._on_remove)
        framework.observe(on.collect_unit_status, self._on_collect_unit_status)
        framework.observe(on["get-admin-account"].action, self._on_get_admin_account)

    def _on_install(self, _: ops.EventBase) -> None:
        self.unit.status = ops.MaintenanceStatus("installing the snap microstack")
        channel = str(self.config.get("snap-channel") or "") or None
        snap.install(channel, snap.attached(self.model))
        self.unit.set_workload_version(RELEASE)

    def _on_reconcile(self, _: ops.EventBase) -> None:
        self._looked = True
        try:
            appliance.set_options(appliance.parse(str(self.config["options"])))
            if not isinstance(self.unit.status, ops.ActiveStatus):
                self.unit.status = ops.MaintenanceStatus("bringing the cloud up")
            appliance.up()
            self._publish()
        except (appliance.ApplianceError, appliance.OptionsError) as error:
            self._problem = str(error)

    def _on_credentials_broken(self, event: ops.RelationBrokenEvent) -> None:
        if not self.unit.is_leader():
            return
        secret = self._secret(event.relation)
        if secret is None:
            return
        username = secret.peek_content()["username"]
        try:
            self._identity(appliance.administrator()).remove_account(username)
        except appliance.ApplianceError as error:
            # A cloud that is down must not keep a relation, or this unit, from going.
            logger.warning("the account %s stays in Keystone: %s", username, error)
        secret.remove_all_revisions()

    def _on_secret_remove(self, event: ops.SecretRemoveEvent) -> None:
        event.remove_revision()

    def _on_remove(self, _: ops.RemoveEvent) -> None:
        appliance.remove()

    def _on_collect_unit_status(self, event: ops.CollectStatusEvent) -> None:
        if self._problem:
            event.add_status(ops.BlockedStatus(self._problem))
        elif self._looked:
            event.add_status(ops.ActiveStatus())

    def _on_get_admin_account(self, event: ops.ActionEvent) -> None:
        try:
            event.set_results(appliance.administrator())
        except appliance.ApplianceError as error:
            event.fail(str(error))

    # Accounts.

    def _publish(self) -> None:
        """Give each related application the account it asks for."""
        provider = keystone_credentials.Provider(self, ENDPOINT)
        if not self.unit.is_leader() or not provider.relations:
            return
        account = appliance.administrator()
        for asked in provider.requests():
            secret_id = None
            if asked.data.username:
                secret_id = self._account(account, asked.relation, asked.data.username)
            provider.publish(_data(account, secret_id), asked.relation)

    def _account(self, admin: dict[str, str], relation: ops.Relation, username: str) -> str:
        """Make an account once; return the id of the secret with its password."""
        secret = self._secret(relation)
        if secret is None:
            content = {"username": username, "password": new_password()}
            self._identity(admin).ensure_account(username, content["password"])
            secret = self.app.add_secret(content, label=_label(relation))
        secret.grant(relation)
        return secret.get_info().id

    def _secret(self, relation: ops.Relation) -> ops.Secret | None:
        try:
            return self.model.get_secret(label=_label(relation))
        except ops.SecretNotFoundError:
            return None

    def _identity(self, account: dict[str, str]) -> Identity:
        return Identity(account["auth-url"], account["password"])


def _label(relation: ops.Relation) -> str:
    return f"account-{relation.id}"


def _data(account: dict[str, str], secret_id: str | None) -> keystone_credentials.ProviderData:
    return keystone_credentials.ProviderData(
        api_version="v3",
        region=account["region"],
        internal_endpoint=account["auth-url"],
        public_endpoint=account["auth-url"],
        user_domain_name=account["user-domain-name"],
        project_domain_name=account["project-domain-name"],
        project_name=SERVICE_PROJECT,
        admin_role="admin",
        credentials=secret_id,
    )


if __name__ == "__main__":
    ops.main(MicrostackCharm)
