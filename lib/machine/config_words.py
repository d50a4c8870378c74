"""What the arguments of `config` and `model-config` ask for, which is the same for both."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from machine.console import CommandError, UsageError

ResetOption = Annotated[
    list[str] | None, typer.Option("--reset", metavar="KEY,...", help="To defaults.")
]
FileOption = Annotated[Path | None, typer.Option("--file", help="YAML file of values, or -.")]
ColorOption = Annotated[bool, typer.Option("--color/--no-color", help="Accepted.")]


def keys_to_reset(
    words: Sequence[str], reset: Sequence[str] | None, file: Path | None
) -> list[str]:
    """The keys to be reset; words are `KEY=VALUE` to set, or one `KEY` to show.

    Raises:
        UsageError: they ask for what does not go together (cmd/juju/config/config.go).
    """
    resets = [key for text in reset or () for key in text.split(",") if key]
    shown = [word for word in words if "=" not in word]
    changed = [word.partition("=")[0] for word in words if "=" in word]
    asked = {
        "use --file flag": file,
        "use --reset flag": resets,
        "get value": shown,
        "set key=value pairs": changed,
    }
    if shown and (file or resets or changed):
        *first, last = (what for what, given in asked.items() if given)
        raise UsageError(f"cannot {', '.join(first)} and {last} simultaneously")
    if len(shown) > 1:
        raise UsageError("cannot specify multiple keys to get")
    if "" in changed:
        raise UsageError('expected "key=value", got "="')
    for key in changed:
        if key in resets:
            raise UsageError(f'cannot set and reset key "{key}" simultaneously')
        if changed.count(key) > 1:
            raise UsageError(f'key "{key}" specified more than once')
    return resets


def text_of(path: Path) -> str:
    """What is in a file, or what is given on standard input, which `-` stands for.

    Raises:
        CommandError: it cannot be read, or is no text.
    """
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text()
    except (OSError, UnicodeDecodeError) as e:
        raise CommandError(f"cannot read {path}: {e}") from None
