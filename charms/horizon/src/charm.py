#!/usr/bin/env python3
"""Horizon: the dashboard."""

from __future__ import annotations

import ops

from charmbase import Binding, ComponentCharm, Generated, Http, Option, Requires, sections
from interfaces import keystone_credentials, memcache
from workload.config.horizon import HorizonConfig


class HorizonCharm(ComponentCharm[HorizonConfig]):
    """Operate Horizon."""

    component = "horizon"

    # Users log in with their own accounts, so none is asked for.
    identity_credentials = Requires("identity-credentials", keystone_credentials.Requirer)
    cache = Requires("cache", memcache.Requirer)

    probe = Http(path="/auth/login/")
    ports = ("port",)
    mapping = {
        "debug": Option("debug"),
        "bind-address": Binding("identity-credentials"),
        "port": Option("port"),
        "auth-url": identity_credentials["internal-endpoint"],
        "region": identity_credentials["region"],
        "cache": sections.cache(cache),
        "secret-key": Generated("secret-key"),
        "allowed-hosts": Option("allowed-hosts"),
    }

    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        framework.observe(self.on["get-url"].action, self._on_get_url)
        framework.observe(self.on["rotate-secret-key"].action, self._on_rotate_secret_key)

    def message(self, config: HorizonConfig) -> str:
        """Say where the dashboard is."""
        return self.api_url or ""

    def _on_get_url(self, event: ops.ActionEvent) -> None:
        if self.api_url is None:
            event.fail("the dashboard has no address yet: see the unit's status")
            return
        event.set_results({"url": self.api_url})

    def _on_rotate_secret_key(self, event: ops.ActionEvent) -> None:
        if not self.peers.writable:
            event.fail("run this on the leader")
            return
        self.vault.regenerate("secret-key")
        self.reconcile()
        event.set_results({"rotated": "secret-key"})


if __name__ == "__main__":
    ops.main(HorizonCharm)
