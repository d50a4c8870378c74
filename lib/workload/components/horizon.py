"""Horizon: the dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workload.component import Component, File, Service
from workload.config.horizon import HorizonConfig

THEMES = [("default", "Default", "themes/default")]
"""What may be chosen to have the dashboard look like: compiled with its static files."""


def derive(config: HorizonConfig) -> Mapping[str, Any]:
    """Split the names browsers may use; name the themes there are."""
    names = [name.strip() for name in config.allowed_hosts.split(",")]
    return {"allowed_hosts": [name for name in names if name], "themes": THEMES}


COMPONENT = Component(
    name="horizon",
    config=HorizonConfig,
    files=(
        File("horizon/horizon_settings.py", "horizon/horizon_settings.py.j2", ("horizon",)),
        File("horizon/uwsgi.ini", "horizon/uwsgi.ini.j2", ("horizon",)),
    ),
    services=(Service("horizon", ("auth-url", "secret-key")),),
    derive=derive,
    directories=(("lib/horizon", None),),
)
