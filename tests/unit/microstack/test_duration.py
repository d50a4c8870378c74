"""How long a command may wait."""

from __future__ import annotations

import pytest
import typer

from microstack import duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90.0), ("0.5", 0.5), ("90s", 90.0), ("1h30m", 5400.0)]
)
def test_is_in_seconds_or_as_juju_takes_it(text: str, seconds: float) -> None:
    assert duration.parse(text) == seconds


def test_anything_else_is_refused_with_an_example() -> None:
    with pytest.raises(typer.BadParameter, match='"soon": expected for example 90s or 1m30s'):
        duration.parse("soon")
