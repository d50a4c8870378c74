"""How long a command may wait: seconds, or a duration as Juju takes it."""

from __future__ import annotations

import typer


def parse(text: str | float) -> float:
    """Return the seconds of `90`, `90s` or `1m30s`.

    Raises:
        typer.BadParameter: it is neither.
    """
    from machine import duration

    try:
        return float(text)
    except ValueError:
        pass
    try:
        return duration.seconds(str(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
