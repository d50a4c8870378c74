"""The Juju that the substrate stands in for, and what it is called towards Juju's clients."""

from __future__ import annotations

JUJU_VERSION = "3.6.9"
"""The Juju whose contract is kept; ops chooses its behaviour by it."""

CONTROLLER = "machine"
"""Name of the controller; there is this one."""

CLOUD = "localhost"
"""Name of the cloud that all models are on: this host."""

USER = "admin"
"""Owner of all models."""

SPACE = "alpha"
"""Name of the network space; there is this one, as in each of Juju's models."""
