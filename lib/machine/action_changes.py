"""What an operator may do with actions: queue them on units and take them back. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from machine.changes import ChangeError
from machine.model import EXEC, Action, Model

_ACTIONS_KEPT = 200
"""Actions that are remembered; the oldest are forgotten."""


@dataclass(frozen=True)
class Queued:
    """An operation that was queued.

    Attributes:
        operation: its id.
        tasks: id of the task of each unit.
        errors: why there is none, by what was given as unit.
    """

    operation: str
    tasks: Mapping[str, str]
    errors: Mapping[str, str]


def enqueue(
    model: Model, units: Iterable[str], name: str, params: Mapping[str, object], now: float
) -> tuple[Model, Queued]:
    """The model with an action to run on units, any of which may be `<app>/leader`.

    `EXEC` runs a command of the shell: Juju, too, runs it as an action of this name
    (core/actions/types.go).
    """
    operation = str(model.next_action)
    tasks: dict[str, str] = {}
    errors: dict[str, str] = {}
    after = replace(model, next_action=model.next_action + 1)
    for given in units:
        try:
            unit = _unit(after, given)
            fitting = params if name == EXEC else _fitting(after, unit, name, params)
        except ChangeError as e:
            errors[given] = str(e)
            continue
        action = Action(str(after.next_action), unit, name, fitting, operation, enqueued=now)
        kept = dict(list(after.actions.items())[-_ACTIONS_KEPT:])
        after = replace(after, next_action=after.next_action + 1, actions=kept)
        after = after.with_action(action)
        tasks[unit] = action.id
    return (after if tasks else model), Queued(operation, tasks, errors)


def _fitting(
    model: Model, unit: str, name: str, params: Mapping[str, object]
) -> Mapping[str, object]:
    """The parameters with defaults.

    Raises:
        ChangeError: there is no such action, or they do not fit.
    """
    declared = model.applications[model.units[unit].application].charm.actions.get(name)
    if declared is None:
        raise ChangeError(f'action "{name}" not defined for unit "{unit}"')
    given = {**_defaults(declared.params), **params}
    problems = [f'missing parameter "{p}"' for p in declared.required if p not in given]
    for key, value in given.items():
        if key in declared.params:
            problems += _misfit(key, declared.params[key], value)
        elif not declared.additional_properties:
            problems.append(f'unknown parameter "{key}"')
    if problems:
        raise ChangeError(f"action {name}: {'; '.join(problems)}")
    return given


def _unit(model: Model, name: str) -> str:
    """The name of a unit, which may be given as `<app>/leader`."""
    application, _, number = name.rpartition("/")
    if number == "leader":
        leader = model.leader_of(application)
        if leader is None:
            raise ChangeError(f'could not determine leader for "{application}"')
        return leader
    if name not in model.units:
        raise ChangeError(f'unit "{name}" not found')
    return name


def cancel(model: Model, number: str, now: float) -> Model:
    """The model where an action will not be run, or, where it runs, is to be ended.

    What has ended stays as it is, as in Juju (state/action.go, `Cancel`).

    Raises:
        ChangeError: there is none of this id.
    """
    action = model.actions.get(number)
    if action is None:
        raise ChangeError(f'task "{number}" not found')
    if action.status == "running":
        return model.with_action(replace(action, status="aborting"))
    if action.status != "pending":
        return model
    message = "action cancelled via the API"
    return model.with_action(replace(action, status="cancelled", message=message, completed=now))


def _defaults(params: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    return {name: schema["default"] for name, schema in params.items() if "default" in schema}


_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
    "null": (type(None),),
}


def _misfit(name: str, schema: Mapping[str, object], value: object) -> list[str]:
    """What of a parameter's schema its value does not keep: its type and its enumeration."""
    wanted = schema.get("type")
    names = [wanted] if isinstance(wanted, str) else []
    kinds = tuple(kind for n in names for kind in _TYPES.get(n, (object,)))
    number_wanted = isinstance(value, bool) and "boolean" not in names and bool(kinds)
    if kinds and (not isinstance(value, kinds) or (number_wanted and object not in kinds)):
        return [f'parameter "{name}" must be {wanted}']
    allowed = schema.get("enum")
    if isinstance(allowed, list) and value not in allowed:
        return [f'parameter "{name}" must be one of {allowed}']
    return []
