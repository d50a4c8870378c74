"""What is due for every unit, asked after each change and computed only for whom it concerns."""

from __future__ import annotations

from dataclasses import dataclass

from machine import resolver
from machine.model import Hook, Model, Unit


@dataclass(frozen=True)
class _Known:
    """What was computed for a unit, and from what: the same objects give the same answer.

    Attributes:
        wakes: when it changes without any change of the model.
    """

    inputs: tuple[object, ...]
    hook: Hook | None
    wakes: float | None

    def holds(self, now: float) -> bool:
        """Whether no timer has run out since."""
        return self.wakes is None or now < self.wakes


class Agenda:
    """The resolver's answers, remembered.

    With hundreds of units in one peer relation the resolver is most of what a hook costs; but one
    hook mostly changes one unit.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._roster: object = None

    def next_hook(self, model: Model, unit: Unit, now: float) -> Hook | None:
        """The hook that is due, as `resolver.next_hook` says."""
        return self._of(model, unit, now).hook

    def wake_at(self, model: Model, unit: Unit, now: float) -> float | None:
        """When a hook comes due without any change, as `resolver.wake_at` says."""
        return self._of(model, unit, now).wakes

    def _of(self, model: Model, unit: Unit, now: float) -> _Known:
        if model.roster is not self._roster:
            if model.roster != self._roster:
                self._known.clear()
            self._roster = model.roster
        inputs = (
            unit,
            model.applications[unit.application],
            model.config,
            model.secrets,
            model.storages,
            model.actions,
            *model.relations_of(unit.application),
        )
        known = self._known.get(unit.name)
        if known is not None and _same(known.inputs, inputs) and known.holds(now):
            return known
        hook = resolver.next_hook(model, unit, now)
        known = _Known(inputs, hook, resolver.wake_at(model, unit, now))
        self._known[unit.name] = known
        return known


def _same(before: tuple[object, ...], after: tuple[object, ...]) -> bool:
    return len(before) == len(after) and all(a is b for a, b in zip(before, after, strict=True))
