"""The engine: from a charm's declared mapping to its typed snap config, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args

import ops
from pydantic import ValidationError

from charmbase.sources import Absence, Source, attribute
from interfaces.base import DatabagError
from workload.config import Component, Section

if TYPE_CHECKING:
    from charmbase.charm import ComponentCharm

C = TypeVar("C", bound=Component)

Table = Mapping[str, "Source | Mapping[str, Source]"]
"""A charm's mapping: snap config keys, or sections of keys, and the source of each."""


@dataclass(frozen=True)
class Missing:
    """A key that the charm waits for, and why it has no value."""

    key: str
    absence: Absence


@dataclass(frozen=True)
class Built(Generic[C]):
    """What can be built now.

    Attributes:
        config: the model; keys without a value have their default.
        present: the mapped keys that have a value.
        missing: the required ones that have none.
        invalid: what was refused and why, as sentences without values.
    """

    config: C
    present: frozenset[str]
    missing: tuple[Missing, ...]
    invalid: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing or refused."""
        return not self.missing and not self.invalid

    def lacks(self, needs: tuple[str, ...]) -> bool:
        """Whether one of these keys, or a key of these sections, is missing."""
        return bool(self.invalid) or any(
            missing.key == need or missing.key.startswith(f"{need}.")
            for missing in self.missing
            for need in needs
        )


def flatten(table: Table, prefix: str = "") -> dict[str, Source]:
    """Return a mapping with dotted keys only: `{"database": {"host": s}}` -> `database.host`."""
    flat: dict[str, Source] = {}
    for key, entry in table.items():
        if isinstance(entry, Source):
            flat[f"{prefix}{key}"] = entry
        else:
            flat.update(flatten(entry, f"{prefix}{key}."))
    return flat


def check_keys(model: type[Section], keys: Iterator[str] | list[str], charm: str) -> None:
    """Make sure that every dotted key stands in a model.

    Raises:
        TypeError: one doesn't.
    """
    for key in keys:
        at: type[Section] | None = model
        for part in key.split("."):
            field = at.model_fields.get(attribute(part)) if at else None
            if field is None:
                raise TypeError(f"{charm}: snap config has no key {key}")
            at = section_of(field.annotation)


def section_of(annotation: Any) -> type[Section] | None:
    """Return the section a field holds, or None where it holds a value."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, Section):
            return candidate
    return None


def build(charm: ComponentCharm[C], table: Mapping[str, Source], model: type[C]) -> Built[C]:
    """Ask every source and build the model of what there is."""
    values: dict[str, Any] = {}
    missing: list[Missing] = []
    invalid: list[str] = []
    for key, source in table.items():
        try:
            value = source.value(charm)
        except DatabagError as error:
            invalid.append(str(error))
            continue
        if value is not None:
            values[key] = value
        elif source.required:
            missing.append(Missing(key, source.absence(charm)))
    config = _validate(values, table, model, invalid)
    unique = tuple(dict.fromkeys(invalid))
    return Built(config, frozenset(values), tuple(missing), unique)


def leaves(config: Section, prefix: str = "") -> dict[str, Any]:
    """Return a model as dotted kebab-case keys and JSON values, secrets in clear; None: unset.

    Mappings and lists are one value each, because snapd replaces them whole.
    """
    found: dict[str, Any] = {}
    dumped = config.model_dump(mode="json", by_alias=True)
    for name in type(config).model_fields:
        key = name.replace("_", "-")
        value = getattr(config, name)
        if isinstance(value, Section):
            found.update(leaves(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = dumped[key]
    return found


def statuses(missing: tuple[Missing, ...], invalid: tuple[str, ...]) -> list[ops.StatusBase]:
    """Return what to tell the user about it, one status for each cause."""
    absences = list(dict.fromkeys(item.absence for item in missing))
    found: list[ops.StatusBase] = [ops.BlockedStatus(reason) for reason in invalid]
    unrelated = [absence.subject for absence in absences if absence.reason == "relation"]
    if unrelated:
        word = "relation" if len(unrelated) == 1 else "relations"
        found.append(ops.BlockedStatus(f"{word} {', '.join(unrelated)} missing"))
    unsent: dict[str, list[str]] = {}
    for absence in absences:
        if absence.reason == "data":
            unsent.setdefault(absence.subject, []).append(absence.what)
    for subject, what in unsent.items():
        parts = ", ".join(dict.fromkeys(what))
        found.append(ops.WaitingStatus(f"{subject} has not sent {parts}"))
    # Of several waiting statuses the first is shown: what others have to do comes first.
    found += [ops.WaitingStatus(item.subject) for item in absences if item.reason == "own"]
    return found


def _validate(
    values: dict[str, Any], table: Mapping[str, Source], model: type[C], invalid: list[str]
) -> C:
    try:
        return model.model_validate(_nest(values))
    except ValidationError as error:
        # Leave out what was refused, so that the rest still is the config.
        for detail in error.errors(include_input=False, include_url=False):
            key = _refused(detail["loc"], values)
            if key is None:
                raise
            origin = table[key].origin()
            where = f"{origin.kind} {origin.name or origin.endpoint or ''}".strip()
            invalid.append(f"{where}: {detail['msg']} (snap key {key})")
            values.pop(key)
        return model.model_validate(_nest(values))


def _refused(location: tuple[Any, ...], values: Mapping[str, Any]) -> str | None:
    path = ".".join(str(part).replace("_", "-") for part in location)
    return next((key for key in values if path == key or path.startswith(f"{key}.")), None)


def _nest(values: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *parents, last = key.split(".")
        at = nested
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = value
    return nested
