"""What the agent answers that is not about one model: which models there are, and which to use."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from machine import describe
from machine.controller import Controller, Hosted
from machine.model_config import Value

Answers = AsyncIterator[dict[str, object]]


class ControllerApi:
    """The methods of the controller."""

    def __init__(self, controller: Controller, stop: Callable[[], None]) -> None:
        self._controller = controller
        self._plain: Mapping[str, Callable[..., object]] = {
            "add_model": self._add_model,
            "consume": controller.consume,
            "current_model": self._current_model,
            "find_offers": self._find_offers,
            "models": self._models,
            "shutdown": stop,
            "switch": controller.switch,
        }

    def has(self, method: str) -> bool:
        """Whether it is a method of the controller."""
        return method in self._plain or method == "destroy_model"

    async def answer(self, method: str, params: Mapping[str, Any]) -> Answers:
        """Answer one request.

        Raises:
            ChangeError: it cannot be done.
        """
        if method in self._plain:
            yield {"result": self._plain[method](**params)}
            return
        async for applications in self._controller.destroy(
            params["name"], force=params["force"], timeout=params["timeout"]
        ):
            yield {"item": applications}
        yield {"result": None}

    def _add_model(self, name: str, config: dict[str, Value]) -> dict[str, Any]:
        return self._described(self._controller.add(name, config))

    def _current_model(self) -> str | None:
        current = self._controller.current
        return current and current.model.name

    def _find_offers(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for hosted in self._controller.models:
            found |= describe.offers(hosted.model)
        return found

    def _models(self) -> list[dict[str, Any]]:
        return [self._described(hosted) for hosted in self._controller.models]

    def _described(self, hosted: Hosted) -> dict[str, Any]:
        home = self._controller.home.model.uuid
        return describe.model(hosted.model, home, os.cpu_count() or 1)
