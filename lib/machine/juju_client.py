"""The agent's client with Juju's own views of the model, for the Juju-compatible command line."""

from __future__ import annotations

from typing import Any

from machine.client import Client


class JujuClient(Client):
    """The agent's client with Juju's views."""

    def juju_config(self, application: str) -> dict[str, Any]:
        """An application's options as `juju config --format json` has them."""
        return self._call("juju_config", application=application)

    def juju_unit(self, unit: str) -> dict[str, Any]:
        """A unit as `juju show-unit --format json` has it."""
        return self._call("juju_unit", unit=unit)

    def juju_model(self) -> dict[str, Any]:
        """The model as `juju show-model --format json` has it."""
        return self._call("juju_model")

    def integrate(self, first: str, second: str) -> str:
        """Relate two applications, each `application` or `application:endpoint`.

        Raises:
            ChangeError: there is no such relation, more than one, or it is there already.
        """
        return self._call("integrate", first=first, second=second)
