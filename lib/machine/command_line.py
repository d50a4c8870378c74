"""The words of a command line as Go's flags allow them, put as typer reads them.

Juju's flags are those of gnuflag: what every command takes may come before its name, and a switch
may have a value, as in `--force=false`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from typer.core import TyperCommand
from typer.exceptions import TyperException

from machine.console import UsageError
from machine.gnuflag import boolean
from machine.log_options import TAKES_VALUE

_EXTRA = re.compile(r"Got unexpected extra argument(?:\(s\)|s)? \((.*)\)", re.DOTALL)


def command_first(words: Sequence[str]) -> list[str]:
    """The words with the options that every command takes after the command's name."""
    options, rest = list[str](), list(words)
    while rest and (name := rest[0].partition("=")[0]) in TAKES_VALUE:
        count = 2 if TAKES_VALUE[name] and name == rest[0] else 1
        options += rest[:count]
        del rest[:count]
    return [*rest[:1], *options, *rest[1:]]


class Command(TyperCommand):
    """A command whose switches may have a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command's arguments."""
        options = [p for p in self.params if p.param_type_name == "option"]
        names = {n: o for o in options for n in (*o.opts, *o.secondary_opts)}
        words = _without_values(args, names, interspersed=ctx.allow_interspersed_args)
        return super().parse_args(ctx, list(words))


def _without_values(
    words: Sequence[str], options: Mapping[str, Any], *, interspersed: bool
) -> Iterator[str]:
    """Words in which a switch that is on has no value, and one that is off is not there."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, has_value, value = word.partition("=")
        option = options.get(name)
        if word == "--" or not (interspersed or word.startswith("-")):
            yield from (word, *rest)
            return
        if option is None or not (option.is_flag and has_value):
            yield word
            if option is not None and not option.is_flag and not has_value:
                yield from rest[:1]
                del rest[:1]
        elif _on(name, value):
            yield name
        else:
            yield from option.secondary_opts[:1]


def _on(name: str, value: str) -> bool:
    try:
        return boolean(value)
    except ValueError as e:
        raise UsageError(f'invalid boolean value "{value}" for option {name}: {e}') from None


def complaint(wrong: TyperException) -> str:
    """What is wrong with the arguments of a command, in the words of Juju where it has any."""
    message = wrong.format_message().replace(": Value error, ", ": ")
    option = getattr(wrong, "option_name", None)
    if option and message.startswith("No such option"):
        return f"option provided but not defined: {option}"
    if option and "requires an argument" in message:
        return f"option needs an argument: {option}"
    if extra := _EXTRA.fullmatch(message):
        quoted = " ".join(f'"{word}"' for word in extra[1].split())
        return f"unrecognized args: [{quoted}]"
    return message
