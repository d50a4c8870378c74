"""How a component declares itself to the workload plane: config model, files, services.

A component is data. The engine (`workload.configure`) parses its section of snap config, gates
its services, renders its files and restarts what changed; how a service is started stands in
`snap/snapcraft.yaml` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workload.config import Component as ComponentConfig


@dataclass(frozen=True)
class File:
    """A file rendered from snap config.

    Attributes:
        path: where it goes, relative to `$SNAP_COMMON/etc` (e.g. `nova/nova.conf`).
        template: the Jinja2 template in `lib/workload/templates`.
        owner: system account that must read it besides root; mode is 0600, or 0640 with an owner.
        services: apps of snapcraft.yaml to restart when its content changes.
    """

    path: str
    template: str
    services: tuple[str, ...]
    owner: str | None = None


@dataclass(frozen=True)
class KeyDirectory:
    """A folder with one file for each entry of a mapping in config (Fernet key repositories)."""

    path: str
    key: str
    services: tuple[str, ...]


@dataclass(frozen=True)
class Service:
    """The gate of one app of snapcraft.yaml: it runs once every key in `requires` has a value.

    Attributes:
        name: the app's name in snapcraft.yaml.
        requires: dotted kebab-case keys below the component, e.g. `database.password`. A key
            counts as set when it is neither None, False nor empty.
    """

    name: str
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class Component:
    """One component of the cloud as the snap knows it.

    Attributes:
        name: its top-level key in snap config.
        config: the model of that key.
        files: what is rendered.
        services: what is run, and what each needs first.
        derive: further template variables, computed from the config and the host (detected
            datapath, free memory); pure apart from reading the host.
        directories: folders below `$SNAP_COMMON` that its services expect, mode 0700, with owner.
    """

    name: str
    config: type[ComponentConfig]
    files: tuple[File | KeyDirectory, ...] = ()
    services: tuple[Service, ...] = ()
    derive: Callable[[Any], Mapping[str, Any]] | None = None
    directories: tuple[tuple[str, str | None], ...] = field(default=())
