"""Where a component's snap config keys come from, as data."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from charmbase.sources import Origin

if TYPE_CHECKING:
    from charmbase.charm import ComponentCharm

__all__ = ["Origin", "explain", "load_charm"]


def explain(charm_class: type[ComponentCharm[Any]], key: str) -> Origin:
    """Return where a snap config key comes from.

    Args:
        charm_class: the component's charm.
        key: dotted key below the component, e.g. `database.host`.

    Raises:
        KeyError: the charm doesn't map the key; the message says which it maps.
    """
    source = charm_class.sources.get(key)
    if source is None:
        known = ", ".join(sorted(charm_class.sources))
        raise KeyError(f"{charm_class.component} does not set {key}; it sets {known}")
    return source.origin()


def load_charm(folder: Path) -> type[ComponentCharm[Any]]:
    """Import the charm in a folder of `charms/` and return its class.

    The module gets a name of its own, so that several charms can be imported in one process.

    Raises:
        FileNotFoundError: there is no `src/charm.py`.
        TypeError: no class in it is a component's charm.
    """
    from charmbase.charm import ComponentCharm

    source = folder / "src"
    name = f"charm_of_{folder.name.replace('-', '_')}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, source / "charm.py")
        assert spec is not None and spec.loader is not None  # noqa: S101 - it's a .py file
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        sys.path.insert(0, str(source))
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        finally:
            sys.path.remove(str(source))
    for value in vars(sys.modules[name]).values():
        if isinstance(value, type) and value.__module__ == name:
            found = cast("type[Any]", value)
            if issubclass(found, ComponentCharm):
                return cast("type[ComponentCharm[Any]]", found)
    raise TypeError(f"{source / 'charm.py'}: no class of ComponentCharm")
