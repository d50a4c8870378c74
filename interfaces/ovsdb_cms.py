"""`ovsdb-cms`: connections to OVN's databases, for the cloud management system."""

from __future__ import annotations

from pydantic import Field

from interfaces import base


class RequirerData(base.Databag):
    """The client asks for nothing."""


class ProviderData(base.Databag):
    """Connection methods as in ovsdb(7), e.g. `tcp:10.0.0.1:6642`; `unix:NAME` on one machine."""

    db_nb_connection_str: str | None = Field(default=None, description="the northbound database")
    db_sb_connection_str: str | None = Field(default=None, description="the southbound database")


class Requirer(base.Requirer[ProviderData]):
    """The cloud management system: Neutron."""

    interface = "ovsdb-cms"
    offer = ProviderData


class Provider(base.Provider[RequirerData, ProviderData]):
    """The databases."""

    interface = "ovsdb-cms"
    request = RequirerData
