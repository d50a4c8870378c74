#!/usr/bin/env python3
"""OVN's northbound and southbound databases, and northd."""

from __future__ import annotations

import ops

from charmbase import (
    All,
    ComponentCharm,
    Computed,
    Constant,
    Option,
    Provides,
    Services,
    UnixSocket,
)
from interfaces import ovsdb, ovsdb_cms
from workload.config.ovn_central import OvnCentralConfig

NB_PORT = 6641
SB_PORT = 6642


class OvnCentralCharm(ComponentCharm[OvnCentralConfig]):
    """Operate OVN's databases and northd."""

    component = "ovn-central"

    ovsdb_cms = Provides("ovsdb-cms", ovsdb_cms.Provider)
    ovsdb = Provides("ovsdb", ovsdb.Provider)

    probe = All(
        (
            UnixSocket("run/ovn/nb.sock"),
            UnixSocket("run/ovn/sb.sock"),
            Services(("ovn-northd",)),
        )
    )
    mapping = {
        "debug": Option("debug"),
        "enabled": Constant(True),
        "remote-address": Computed(
            lambda charm: charm.remote_address,
            "address of binding ovsdb, with option remote-access",
            wanted=False,
        ),
    }

    @property
    def remote_address(self) -> str | None:
        """Address that other machines are served at, where that is wanted."""
        return self.address("ovsdb") if self.config["remote-access"] else None

    def publish(self, config: OvnCentralConfig) -> None:
        """Tell where the databases are."""
        northbound, southbound = "unix:nb.sock", "unix:sb.sock"
        if config.remote_address:
            northbound = f"tcp:{config.remote_address}:{NB_PORT}"
            southbound = f"tcp:{config.remote_address}:{SB_PORT}"
        self.ovsdb_cms.publish(
            ovsdb_cms.ProviderData(
                db_nb_connection_str=northbound, db_sb_connection_str=southbound
            )
        )
        self.ovsdb.publish(
            ovsdb.ProviderData(db_nb_connection_str=northbound, db_sb_connection_str=southbound)
        )


if __name__ == "__main__":
    ops.main(OvnCentralCharm)
