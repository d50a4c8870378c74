"""Which lines of which rendered files a snap config key decides, without showing a secret.

A file is rendered twice from the live config, with every secret replaced: once as it is, once
with another value under the key. The lines that differ are the key's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import SecretStr

if TYPE_CHECKING:
    from workload.component import Component
    from workload.config import Component as ComponentConfig
    from workload.layout import Layout
    from workload.render import Rendered

HIDDEN = "hidden"
NOT_WRITTEN = "(would stand here)"


@dataclass(frozen=True)
class Place:
    """Lines of a file, or a whole directory of keys.

    Attributes:
        lines: line number -> its text, with secrets replaced.
        services: what reads the file.
    """

    path: Path
    lines: Mapping[int, str]
    services: tuple[str, ...]


class Tracks:
    """Finds where the keys of one component's live config end up."""

    def __init__(self, component: Component, config: ComponentConfig, layout: Layout) -> None:
        from workload.render import Renderer

        self._component = component
        self._config = hide(config)
        self._renderer = Renderer(layout)
        self._files = self._renderer.render(component, self._config)

    def places(self, key: str) -> list[Place]:
        """Return where a dotted key of the component ends up."""
        return list(_differences(self._files, self._changed(key)))

    def _changed(self, key: str) -> list[Rendered]:
        """Render with another value under the key, the first that the templates accept."""
        path = [part.replace("-", "_") for part in key.split(".")]
        for other in _others(_get(self._config, path)):
            try:
                return self._renderer.render(self._component, _put(self._config, path, other))
            except Exception:  # noqa: S112 - a template or a parser of the value refuses this one
                continue
        return self._files


def _others(value: Any) -> tuple[Any, ...]:
    """Return other values of about the same type, likeliest to be accepted first."""
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int | float):
        return (value + 1,)
    if isinstance(value, SecretStr):
        return (SecretStr("other"), None)
    if isinstance(value, dict):
        return ({"other": SecretStr("other")}, None)
    if isinstance(value, str):
        return ("192.0.2.1/24", "other:1", "http://other/", f"{value}0", None)
    return ("192.0.2.1/24", "other:1", SecretStr("other"), 1, True)


def _differences(before: list[Rendered], after: list[Rendered]) -> Iterator[Place]:
    for old, new in zip(before, after, strict=True):
        if old.contents == new.contents:
            continue
        lines: dict[int, str] = {}
        if not old.is_directory:
            lines = _changed_lines(old.contents[""].decode(), new.contents[""].decode())
        yield Place(old.path, lines, old.services)


def _changed_lines(old: str, new: str) -> dict[int, str]:
    import difflib

    ours = old.splitlines()
    matcher = difflib.SequenceMatcher(a=ours, b=new.splitlines(), autojunk=False)
    lines: dict[int, str] = {}
    for tag, start, end, _, _ in matcher.get_opcodes():
        if tag == "insert":
            lines[start + 1] = NOT_WRITTEN
        elif tag != "equal":
            lines |= {index + 1: ours[index].strip() for index in range(start, end)}
    return {number: _section(ours, number) + text for number, text in lines.items() if text}


def _section(lines: list[str], number: int) -> str:
    """Return the section that a line of an INI file is in, with a blank; else nothing."""
    above = (line for line in reversed(lines[: number - 1]) if re.fullmatch(r"\[[\w-]+\]", line))
    section = next(above, None)
    return f"{section} " if section else ""


def hide(value: Any) -> Any:
    """Return the same config with every secret replaced by the same word."""
    from pydantic import BaseModel

    if isinstance(value, SecretStr):
        return SecretStr(HIDDEN)
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return value.model_copy(update={name: hide(getattr(value, name)) for name in fields})
    if isinstance(value, dict):
        return {key: hide(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, tuple):
        return tuple(hide(item) for item in cast("tuple[Any, ...]", value))
    return value


def _get(config: Any, path: list[str]) -> Any:
    for name in path:
        config = getattr(config, name)
    return config


def _put(config: Any, path: list[str], value: Any) -> Any:
    name, *rest = path
    inner = _put(getattr(config, name), rest, value) if rest else value
    return config.model_copy(update={name: inner})
