"""Neutron's API, with its policy."""
# pyright: basic, reportMissingImports=false

from neutron import policy
from neutron.wsgi.api import application

__all__ = ["application"]

policy.init(suppress_deprecation_warnings=True)
