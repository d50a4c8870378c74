"""The Juju that the substrate stands in for."""

from __future__ import annotations

JUJU_VERSION = "3.6.9"
"""The Juju whose contract is kept; ops chooses its behaviour by it."""
