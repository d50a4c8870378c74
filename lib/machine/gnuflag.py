"""Arguments as Juju's hook tools read them (Go's gnuflag).

Flags may follow positionals, `--` ends them, a switch may be written `--app` or `--app=true`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_TRUE = {"1", "t", "T", "true", "TRUE", "True"}
_FALSE = {"0", "f", "F", "false", "FALSE", "False"}


class UsageError(Exception):
    """Arguments that a tool does not understand; the tool exits with 2."""


@dataclass
class Arguments:
    """What a tool was called with: switches and values by the flags' long names."""

    switches: dict[str, bool] = field(default_factory=dict[str, bool])
    values: dict[str, str] = field(default_factory=dict[str, str])
    positionals: list[str] = field(default_factory=list[str])

    def switch(self, name: str) -> bool:
        """Whether a switch is on."""
        return self.switches.get(name, False)

    def value(self, name: str) -> str | None:
        """The value of a flag, or None."""
        return self.values.get(name)

    def first(self) -> str | None:
        """The first positional, or None."""
        return self.positionals[0] if self.positionals else None


@dataclass(frozen=True)
class Flags:
    """The flags of a tool: names of switches and of flags with a value, and short names."""

    switches: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()
    short: Mapping[str, str] = field(default_factory=dict[str, str])

    def parse(self, argv: Sequence[str]) -> Arguments:
        """Read a tool's arguments, without the tool's name.

        Raises:
            UsageError: an unknown flag, or a value that is missing or wrong.
        """
        found = Arguments()
        rest = list(argv)
        while rest:
            word = rest.pop(0)
            if word == "--":
                found.positionals += rest
                break
            if not word.startswith("-") or word == "-":
                found.positionals.append(word)
                continue
            self._flag(word, rest, found)
        return found

    def _flag(self, word: str, rest: list[str], found: Arguments) -> None:
        if word[1] != "-" and word[2:3] not in ("", "="):
            # After a letter comes its value, or the next letter.
            switch = self.short.get(word[1], word[1]) in self.switches
            rest.insert(0, f"-{word[2:]}" if switch else word[2:])
            word = word[:2]
        given, separator, value = word.lstrip("-").partition("=")
        name = self.short.get(given, given)
        if name in self.switches:
            found.switches[name] = _switch(given, value) if separator else True
        elif name not in self.values:
            raise UsageError(f"option provided but not defined: {word.partition('=')[0]}")
        elif separator:
            found.values[name] = value
        elif rest:
            found.values[name] = rest.pop(0)
        else:
            raise UsageError(f"option needs an argument: {word}")


def _switch(name: str, value: str) -> bool:
    try:
        return boolean(value)
    except ValueError as e:
        raise UsageError(f'invalid value "{value}" for option --{name}: {e}') from None


def boolean(value: str) -> bool:
    """A truth as Go reads it (strconv.ParseBool).

    Raises:
        ValueError: it is none.
    """
    if value not in _TRUE | _FALSE:
        raise ValueError("not a boolean")
    return value in _TRUE
