"""Collect and compress Horizon's static files: once for each build of the environment."""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import os
import shutil
import sys
import types
from pathlib import Path

from workload.components.horizon import THEMES
from workload.jobs.job import run

SETTINGS = "dashboard_static_settings"


def main() -> None:
    """Make the folder named by the first argument; it appears whole or not at all."""
    target = Path(sys.argv[1])
    building = target.with_name(f"{target.name}.new")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    _use_settings(building)

    import django
    from django.core.management import call_command

    django.setup()
    call_command("collectstatic", interactive=False, verbosity=0)
    call_command("compress", force=True, verbosity=0)
    _check_log_in_page()
    building.rename(target)


def _check_log_in_page() -> None:
    """Render a page from what was compressed: it raises where a block of it is missing.

    `compress` works in threads and loses what they raise (django-compressor's compress command).
    """
    from django.test import Client

    Client(SERVER_NAME="localhost").get("/auth/login/")


def _use_settings(static: Path) -> None:
    from openstack_dashboard import settings

    module = types.ModuleType(SETTINGS)
    vars(module).update({name: value for name, value in vars(settings).items() if name.isupper()})
    overrides = {
        "SECRET_KEY": "for building alone",
        "WEBROOT": "/",
        "STATIC_URL": "/static/",
        "STATIC_ROOT": str(static),
        "COMPRESS_ROOT": str(static),
        "COMPRESS_ENABLED": True,
        "COMPRESS_OFFLINE": True,
        "ALLOWED_HOSTS": ["localhost"],
        "AVAILABLE_THEMES": THEMES,
        "SELECTABLE_THEMES": THEMES,
        # Horizon's default asks a memcached on port 11211, which nothing says is there.
        "CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    }
    vars(module).update(overrides)
    sys.modules[SETTINGS] = module
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS


if __name__ == "__main__":
    run(main)
