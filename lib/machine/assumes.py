"""What a charm assumes of the substrate it runs on: `assumes` of its declaration.

Features: https://documentation.ubuntu.com/juju/3.6/reference/charm/ (assumes).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from machine.version import JUJU_VERSION

_FEATURE = re.compile(r"(?P<name>[a-z][a-z0-9-]*)(\s*(?P<compare>>=|<)\s*(?P<version>[\d.]+))?")
_COMPARE = {">=": operator.ge, "<": operator.lt}


def unmet(assumes: Iterable[str | Mapping[str, Any]]) -> Iterator[str]:
    """The assumptions that the substrate does not meet, as the charm writes them."""
    for assumption in assumes:
        if not _met(assumption):
            yield _text(assumption)


def _met(assumption: str | Mapping[str, Any]) -> bool:
    if isinstance(assumption, str):
        return _feature_met(assumption)
    (combination, parts), *_ = assumption.items()
    met = [_met(part) for part in cast("list[str | Mapping[str, Any]]", parts)]
    return any(met) if combination == "any-of" else all(met)


def _feature_met(feature: str) -> bool:
    match = _FEATURE.fullmatch(feature.strip())
    if match is None or match["name"] != "juju":
        return False
    if match["compare"] is None:
        return True
    ours, theirs = (
        tuple(map(int, v.strip(".").split("."))) for v in (JUJU_VERSION, match["version"])
    )
    width = max(len(ours), len(theirs))
    ours, theirs = (v + (0,) * (width - len(v)) for v in (ours, theirs))
    return _COMPARE[match["compare"]](ours, theirs)


def _text(assumption: str | Mapping[str, Any]) -> str:
    if isinstance(assumption, str):
        return assumption
    (combination, parts), *_ = assumption.items()
    return f"{combination}: {', '.join(_text(part) for part in parts)}"
