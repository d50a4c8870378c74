"""Durations as Go writes them, which is how Juju takes them."""

from __future__ import annotations

import functools
import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


@functools.lru_cache(maxsize=64)
def seconds(text: str) -> float:
    """Seconds of a duration such as `90s`, `1m30s` or `0`.

    Raises:
        ValueError: it is none.
    """
    parts = _PART.findall(text)
    if text != "0" and (not parts or text != "".join(number + unit for number, unit in parts)):
        raise ValueError(f'invalid duration "{text}": expected for example 90s or 1m30s')
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
