"""Cinder's API, with its policy."""
# pyright: basic, reportMissingImports=false

from cinder import policy
from cinder.wsgi.api import application

__all__ = ["application"]

policy.init(suppress_deprecation_warnings=True)
