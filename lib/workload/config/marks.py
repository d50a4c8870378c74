"""Marks: what stands in snap config for a secret that is kept elsewhere.

snapd would show a password to whoever may ask it for config. In the snap the workload plane puts
a mark in its place, which is its digest; a charm that compares what is set with what it wants
knows its own secrets again by their marks.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic import SecretStr

from workload.config import COMPONENTS
from workload.config.base import Section

MARK = "secret sha256:"


def mark(secret: str) -> str:
    """Return what stands for a secret; generated ones cannot be guessed from it."""
    return f"{MARK}{hashlib.sha256(secret.encode()).hexdigest()}"


def marked(document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a document with marks in place of secrets, and each mark's secret.

    Which values are secrets, the components' models say.

    Raises:
        pydantic.ValidationError: a section does not fit its model.
    """
    secrets: dict[str, str] = {}

    def hide(secret: str) -> str:
        secrets[mark(secret)] = secret
        return mark(secret)

    public = copy.deepcopy(dict(document))
    for name, section in public.items():
        if name in COMPONENTS:
            public[name] = _replaced(section, COMPONENTS[name].model_validate(section), hide)
    return public, secrets


def revealed(public: Any, secrets: Mapping[str, str]) -> Any:
    """Return a document with secrets in place of their marks.

    A mark whose secret is not known must not be taken for a password: its key counts as unset.
    """
    if isinstance(public, dict):
        entries = cast("dict[str, Any]", public).items()
        return {key: revealed(value, secrets) for key, value in entries if known(value, secrets)}
    if isinstance(public, list):
        return [revealed(value, secrets) for value in cast("list[Any]", public)]
    return secrets.get(public, public) if isinstance(public, str) else public


def known(value: Any, secrets: Mapping[str, str]) -> bool:
    """Whether a value is no mark, or one whose secret is there."""
    return not isinstance(value, str) or not value.startswith(MARK) or value in secrets


def _replaced(raw: Any, typed: Any, hide: Callable[[str], str]) -> Any:
    """Walk a section and its model side by side."""
    if isinstance(typed, SecretStr):
        return hide(str(raw))
    if isinstance(typed, Section):
        fields: Mapping[str, Any] = {
            name.replace("_", "-"): getattr(typed, name) for name in type(typed).model_fields
        }
        return {key: _replaced(value, fields.get(key), hide) for key, value in raw.items()}
    if isinstance(typed, dict):
        entries = cast("dict[str, Any]", typed)
        return {key: _replaced(value, entries.get(key), hide) for key, value in raw.items()}
    if isinstance(typed, tuple):
        pairs = zip(raw, cast("tuple[Any, ...]", typed), strict=True)
        return [_replaced(value, item, hide) for value, item in pairs]
    return raw
