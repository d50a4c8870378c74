"""`keystone-admin`: an administrator's account in Keystone, e.g. for tests that make users.

The account has the role admin in a project of its own and nothing else, and goes with the
relation. Field names are those of `keystone-credentials`.
"""

from __future__ import annotations

from interfaces import base
from interfaces.keystone_credentials import Account


class RequirerData(base.Databag):
    """Nothing: who is related gets an account, named by Keystone."""


class ProviderData(Account):
    """The account, and where Keystone is; the project is the account's own."""


class Requirer(base.Requirer[ProviderData]):
    """Who administers the cloud from outside."""

    interface = "keystone-admin"
    offer = ProviderData


class Provider(base.Provider[RequirerData, ProviderData]):
    """Keystone."""

    interface = "keystone-admin"
    request = RequirerData
