"""Keystone's API, with its policy."""
# pyright: basic, reportMissingImports=false

from keystone.common.rbac_enforcer.enforcer import RBACEnforcer
from keystone.wsgi.api import application

__all__ = ["application"]

_rbac = RBACEnforcer()
# Keystone tells of deprecated rules in one line then, at the first request; else of each of them.
_rbac.suppress_deprecation_warnings = True
_rbac._enforcer.load_rules()
