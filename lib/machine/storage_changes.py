"""What an operator may do to storage: pure functions of the model, and the directive they take."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from machine.changes import ChangeError, attachable
from machine.charm import size_mib
from machine.life import Life
from machine.model import Model, Storage
from machine.settle import new_storage, settle
from machine.storage import POOLS, offered
from machine.unit import Unit

_POOL = re.compile(r"[a-zA-Z][\w.-]*")


@dataclass(frozen=True)
class Directive:
    """How much storage of what kind is asked for; no pool and no size are any."""

    pool: str = ""
    count: int = 1
    size: int = 0


def parse_directive(text: str) -> Directive | None:
    """Read a directive `pool,count,size`, each part optional; None if it is none.

    The parts stand in any order: a number is the count, a number with a unit of size the size.
    """
    found = Directive()
    for part in filter(None, (part.strip() for part in text.split(","))):
        if part.isdecimal():
            found = replace(found, count=int(part))
        elif (size := size_mib(part)) is not None:
            found = replace(found, size=size)
        elif _POOL.fullmatch(part):
            found = replace(found, pool=part)
        else:
            return None
    return found


def add_storage(model: Model, unit: str, name: str, directive: str, now: float) -> Model:
    """The model with more storage for a unit; the directive is `pool,count,size`, or less of it.

    Raises:
        ChangeError: no such unit or storage, or it cannot have so much of it.
    """
    owner = _storage_owner(model, unit)
    declared = model.applications[owner.application].charm.storage.get(name)
    if declared is None:
        raise ChangeError(f'charm storage "{name}" not found')
    wanted = parse_directive(directive)
    if wanted is None:
        raise ChangeError(f'invalid storage "{directive}": expected pool,count,size')
    if wanted.pool not in ("", POOLS[declared.type]):
        raise ChangeError(
            f'pool "{wanted.pool}" not found: {declared.type} storage is of pool '
            f'"{POOLS[declared.type]}" on this host'
        )
    if not offered(declared.type):
        raise ChangeError(f'storage "{name}" is a block device: this kernel has no loop')
    have = sum(s.unit == unit and s.name == name for s in model.storages.values())
    if declared.most is not None and have + wanted.count > declared.most:
        raise ChangeError(
            f'charm "{owner.application}" store "{name}": at most {declared.most} instances '
            f"supported, {have + wanted.count} specified"
        )
    for _ in range(wanted.count):
        model = new_storage(model, unit, name, wanted.size)
    return settle(model, now)


def detach_storage(model: Model, storage_id: str, *, kept: bool, now: float) -> Model:
    """The model with storage on its way from its unit; it is removed unless it is kept.

    Raises:
        ChangeError: there is none, or none that is attached.
    """
    storage = _storage(model, storage_id)
    if not storage.unit:
        if kept:
            raise ChangeError(f'storage "{storage_id}" is not attached')
        kept_storages = {i: s for i, s in model.storages.items() if i != storage_id}
        return replace(model, storages=kept_storages)
    return settle(model.with_storage(replace(storage, life=Life.DYING, kept=kept)), now)


def attach_storage(model: Model, unit: str, storage_id: str, now: float) -> Model:
    """The model with storage that was detached given to a unit.

    Raises:
        ChangeError: no such unit or storage, it is attached, or the unit has no use for it.
    """
    storage = attachable(model, _storage_owner(model, unit).application, storage_id)
    return settle(model.with_storage(replace(storage, unit=unit)), now)


def _storage_owner(model: Model, name: str) -> Unit:
    unit = model.units.get(name)
    if unit is None or unit.life is Life.DYING:
        raise ChangeError(f'unit "{name}" not found')
    return unit


def _storage(model: Model, storage_id: str) -> Storage:
    if storage_id not in model.storages:
        raise ChangeError(f'storage "{storage_id}" not found')
    return model.storages[storage_id]
