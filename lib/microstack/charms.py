"""The charms of this project as data: what each maps to snap config, and from where."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from charmbase.charm import ComponentCharm

CharmClass = type["ComponentCharm[Any]"]

PREFIX = "charm of "
"""Begins the names of the modules that charms are loaded as."""


@cache
def charm_class(folder: Path) -> CharmClass | None:
    """Return the component charm in a charm's folder, None where it is of another make."""
    from charmbase.charm import ComponentCharm

    source = folder / "src/charm.py"
    if not source.is_file():
        return None
    spec = importlib.util.spec_from_file_location(f"{PREFIX}{folder.name}", source)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    with _importing_from(source.parent):
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    for entry in vars(module).values():
        if isinstance(entry, type) and issubclass(entry, ComponentCharm):
            found = cast("CharmClass", entry)
            if hasattr(found, "component"):
                return found
    return None


@contextmanager
def _importing_from(folder: Path) -> Generator[None]:
    """Let a charm import its own modules, which other charms may have by the same names."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            origin = getattr(sys.modules[name], "__file__", None)
            if origin and Path(origin).parent == folder and not name.startswith(PREFIX):
                del sys.modules[name]
