"""What is due for every unit, asked after each change and computed only for whom it concerns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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


@dataclass(frozen=True)
class Due:
    """What is due at a time.

    Attributes:
        hooks: by unit.
        wakes: when the next one comes due without any change of the model; None for never.
    """

    hooks: Mapping[str, Hook]
    wakes: float | None


class Agenda:
    """The resolver's answers, remembered.

    With hundreds of units in one peer relation the resolver is most of what a hook costs the
    agent; but one hook mostly changes one unit. All the others are passed over in one loop.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._model: Model | None = None
        self._inputs: dict[str, _Inputs] = {}

    def due(self, model: Model, now: float, but: Collection[str] = ()) -> Due:
        """What `resolver.next_hook` and `resolver.wake_at` say of all units but these."""
        if model is not self._model:
            self._look_at(model)
        hooks: dict[str, Hook] = {}
        wakes: float | None = None
        for name, unit in model.units.items():
            if name in but:
                continue
            inputs = self._inputs[unit.application]
            known = self._known.get(name)
            if known is None or not known.holds(unit, inputs, now):
                known = self._known[name] = _asked(model, unit, inputs, now)
            if known.hook is not None:
                hooks[name] = known.hook
            if known.wakes is not None and (wakes is None or known.wakes < wakes):
                wakes = known.wakes
        return Due(hooks, wakes)

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


def _asked(model: Model, unit: Unit, inputs: _Inputs, now: float) -> _Known:
    hook = resolver.next_hook(model, unit, now)
    return _Known(unit, inputs, hook, resolver.wake_at(model, unit, now))


def _inputs(model: Model, application: Application) -> _Inputs:
    """What a unit's next hook depends on beside the unit, and who else is there."""
    shared = (model.config, model.secrets, model.storages, model.actions)
    return (application, *shared, *model.relations_of(application.name))


def _same(before: _Inputs, after: _Inputs) -> bool:
    return len(before) == len(after) and all(a is b for a, b in zip(before, after, strict=True))
