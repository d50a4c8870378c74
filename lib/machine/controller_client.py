"""The agent's client for what is not about one model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from machine.client import Client


class ControllerClient(Client):
    """Which models there are, and which one is current."""

    def models(self) -> list[dict[str, Any]]:
        """All models as `juju models --format json` has them, the agent's own first."""
        return self._call("models")

    def current_model(self) -> str | None:
        """Name of the model that is meant where none is named."""
        return self._call("current_model")

    def switch(self, name: str) -> None:
        """Make a model the current one.

        Raises:
            ChangeError: there is none of this name.
        """
        self._call("switch", name=name)

    def find_offers(self) -> dict[str, Any]:
        """The offers of all models by URL, as `juju show-offer --format json` has them."""
        return self._call("find_offers")

    def consume(self, name: str, provider: str, offer: str, alias: str) -> None:
        """Let a model have the application that another one offers.

        Raises:
            ChangeError: there is no such model or offer, or the alias is taken.
        """
        self._call("consume", name=name, provider=provider, offer=offer, alias=alias)

    def add_model(self, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Make an empty model.

        Raises:
            ChangeError: the name is taken or is none, or a setting does not fit.
        """
        return self._call("add_model", name=name, config=dict(config))

    def destroy_model(self, name: str, force: bool, timeout: float | None) -> Iterator[int]:
        """Destroy a model; yields how many applications are left, after each change.

        Raises:
            ChangeError: there is none, or it is the agent's own.
        """
        return self._stream("destroy_model", name=name, force=force, timeout=timeout)
