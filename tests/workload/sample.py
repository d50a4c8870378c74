"""A small component, its templates and its table of services, for tests of the engine."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from workload.component import Component, File, KeyDirectory, Service
from workload.config import Secret, Section
from workload.config.shared import ApiComponent, Database


class Limits(Section):
    workers: int = Field(1, ge=1)


class WebConfig(ApiComponent):
    port: int = Field(8000, ge=1, le=65535)
    database: Database = Database()
    limits: Limits = Limits()
    keys: dict[str, Secret] | None = None


class CacheConfig(ApiComponent):
    memory: int = 32


WEB = Component(
    name="web",
    config=WebConfig,
    files=(
        File("web/web.conf", "web.conf.j2", services=("web", "worker")),
        File("web/worker.conf", "worker.conf.j2", services=("worker",)),
        KeyDirectory("web/keys", "keys", services=("web",)),
    ),
    services=(
        Service("web", requires=("database.password", "schema-release")),
        Service("worker", requires=("database.password",)),
    ),
    derive=lambda config: {"threads": config.limits.workers * 2},
    directories=(("run/web", None),),
)
CACHE = Component(
    name="cache",
    config=CacheConfig,
    files=(File("cache/cache.conf", "cache.conf.j2", services=("cache",)),),
    services=(Service("cache"),),
)
HOST = Component(name="host", config=ApiComponent, services=(Service("setup"),))
ALL = {component.name: component for component in (WEB, CACHE, HOST)}

TEMPLATES = {
    "web.conf.j2": """\
{% if config.database.password %}
connection = mysql://{{ config.database.username }}:{{ config.database.password | url }}@db
{% endif %}
port = {{ config.port }}
threads = {{ threads }}
""",
    "worker.conf.j2": "debug = {{ config.debug }}\n",
    "cache.conf.j2": "memory = {{ config.memory }}\nsocket = {{ snap_common }}/run/cache.sock\n",
}


def write_templates(folder: Path) -> Path:
    folder.mkdir()
    for name, text in TEMPLATES.items():
        (folder / name).write_text(text)
    return folder
