"""Which lines of the debug log are asked for, as `juju debug-log` has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from machine.records import LogLine

_LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True)
class LogFilter:
    """What a line has to be.

    Attributes:
        level: of this one or graver; of any, where it is none.
        include: about one of these, as `unit-mysql-0`, `mysql/0` or `mysql`; `*` is any text.
        exclude: about none of these.
        include_modules: from one of these modules, or below it.
        exclude_modules: from none of these.
    """

    level: str = "TRACE"
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    include_modules: Sequence[str] = ()
    exclude_modules: Sequence[str] = ()

    def takes(self, line: LogLine) -> bool:
        """Whether the line is wanted."""
        least = _LEVELS.index(self.level) if self.level in _LEVELS else 0
        grave = line.level not in _LEVELS or _LEVELS.index(line.level) >= least
        return (
            grave
            and (not self.include or _about(line.entity, self.include))
            and not _about(line.entity, self.exclude)
            and (not self.include_modules or _below(line.module, self.include_modules))
            and not _below(line.module, self.exclude_modules)
        )


def _about(entity: str, names: Sequence[str]) -> bool:
    unit = entity.removeprefix("unit-")
    application = unit.rpartition("-")[0]
    known = {entity, application, f"{application}/{unit.rpartition('-')[2]}"}
    return any(fnmatchcase(one, name) for name in names for one in known)


def _below(module: str, names: Sequence[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)
