"""Constraints of machines, `cores=2 mem=4G`, as Juju reads them (core/constraints)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Value = str | int | bool | list[str]

_SIZE = re.compile(r"(\d+(?:\.\d+)?)([MGTPEZY]?)(?:i?B)?", re.I)
_FACTORS = {"": 1, **{unit: 1024**n for n, unit in enumerate("MGTPEZY")}}


class ConstraintError(Exception):
    """What is no constraint; the message is one line."""


def parse(text: str) -> dict[str, Value]:
    """Constraints by name; sizes in MiB.

    Raises:
        ConstraintError: one is malformed, unknown, or given twice.
    """
    found: dict[str, Value] = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if not equals:
            raise ConstraintError(f'malformed constraint "{word}"')
        name = {"cpu-cores": "cores"}.get(key, key)
        if name not in _KINDS:
            raise ConstraintError(f'unknown constraint "{key}"')
        if name in found:
            raise ConstraintError(f'bad "{name}" constraint: already set')
        found[name] = _KINDS[name](name, value)
    return found


def _size(name: str, value: str) -> int:
    match = _SIZE.fullmatch(value)
    if match is None:
        raise ConstraintError(
            f'bad "{name}" constraint: must be a non-negative float with optional M/G/T/P suffix'
        )
    return int(float(match[1]) * _FACTORS[match[2].upper()])


def _count(name: str, value: str) -> int:
    if not value.isdigit():
        raise ConstraintError(f'bad "{name}" constraint: must be a non-negative integer')
    return int(value)


def _text(_: str, value: str) -> str:
    return value


def _flag(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise ConstraintError(f"bad \"{name}\" constraint: must be 'true' or 'false'")
    return value == "true"


def _list(_: str, value: str) -> list[str]:
    return value.split(",")


_KINDS: Mapping[str, Callable[[str, str], Value]] = {
    "allocate-public-ip": _flag,
    "arch": _text,
    "container": _text,
    "cores": _count,
    "cpu-power": _count,
    "image-id": _text,
    "instance-role": _text,
    "instance-type": _text,
    "mem": _size,
    "root-disk": _size,
    "root-disk-source": _text,
    "spaces": _list,
    "tags": _list,
    "virt-type": _text,
    "zones": _list,
}
