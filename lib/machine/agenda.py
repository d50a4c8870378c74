"""What is due for every unit, asked after each change and computed only for whom it concerns."""

from __future__ import annotations

from dataclasses import dataclass

from machine import resolver
from machine.model import Application, Model
from machine.unit import Hook, Unit

_Inputs = tuple[object, ...]


@dataclass(frozen=True)
class _Known:
    """What was computed for a unit, and from what: the same objects give the same answer.

    Attributes:
        inputs: what all units of the application depend on.
        wakes: when it changes without any change of the model.
    """

    unit: Unit
    inputs: _Inputs
    hook: Hook | None
    wakes: float | None

    def holds(self, unit: Unit, inputs: _Inputs, now: float) -> bool:
        """Whether it is of these objects, and no timer has run out since."""
        same = self.unit is unit and self.inputs is inputs
        return same and (self.wakes is None or now < self.wakes)


class Agenda:
    """The resolver's answers, remembered.

    With hundreds of units in one peer relation the resolver is most of what a hook costs the
    agent; but one hook mostly changes one unit.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._model: Model | None = None
        self._inputs: dict[str, _Inputs] = {}

    def next_hook(self, model: Model, unit: Unit, now: float) -> Hook | None:
        """The hook that is due, as `resolver.next_hook` says."""
        return self._of(model, unit, now).hook

    def wake_at(self, model: Model, unit: Unit, now: float) -> float | None:
        """When a hook comes due without any change, as `resolver.wake_at` says."""
        return self._of(model, unit, now).wakes

    def _of(self, model: Model, unit: Unit, now: float) -> _Known:
        if model is not self._model:
            self._look_at(model)
        inputs = self._inputs[unit.application]
        known = self._known.get(unit.name)
        if known is None or not known.holds(unit, inputs, now):
            hook = resolver.next_hook(model, unit, now)
            known = _Known(unit, inputs, hook, resolver.wake_at(model, unit, now))
            self._known[unit.name] = known
        return known

    def _look_at(self, model: Model) -> None:
        """Find the applications whose units are concerned by what changed."""
        if self._model is None or model.roster != self._model.roster:
            self._known.clear()
        before, self._model = self._inputs, model
        self._inputs = {}
        for application in model.applications.values():
            now = _inputs(model, application)
            old = before.get(application.name, ())
            self._inputs[application.name] = old if _same(old, now) else now


def _inputs(model: Model, application: Application) -> _Inputs:
    """What a unit's next hook depends on beside the unit, and who else is there."""
    shared = (model.config, model.secrets, model.storages, model.actions)
    return (application, *shared, *model.relations_of(application.name))


def _same(before: _Inputs, after: _Inputs) -> bool:
    return len(before) == len(after) and all(a is b for a, b in zip(before, after, strict=True))
