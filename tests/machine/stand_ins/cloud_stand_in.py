"""Stands in for snap, Keystone, Cinder and MariaDB: notes what it's told in `$STAND_IN`, as files.

Preloaded into the process that hooks are forked from, so charms run as they are with no cloud.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from charmbase import identity, probes, snap
from charmbase.mapping import leaves

CHARMS = Path(__file__).parents[3] / "charms"


def note(*words: str) -> None:
    with (Path(os.environ["STAND_IN"]) / "notes").open("a") as notes:
        notes.write(" ".join(words) + "\n")


def current(component: str) -> dict[str, Any]:
    path = Path(os.environ["STAND_IN"]) / f"{component}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def configure(component: str, config: Any, held: frozenset[str] = frozenset()) -> frozenset[str]:
    path = Path(os.environ["STAND_IN"]) / f"{component}.json"
    before = current(component)
    after = {key: value for key, value in leaves(config).items() if value is not None}
    after = {key: value for key, value in after.items() if key in before or key not in held}
    path.write_text(json.dumps(after))
    return frozenset(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))


class Identity:
    def __init__(self, auth_url: str, password: str) -> None:
        note("login", auth_url)

    def ensure_account(self, username: str, password: str, place: object) -> None:
        note("account", username)

    def ensure_service(self, service: Any) -> None:
        note("service", service.type, service.urls[0])


class VolumeTypes:
    def __init__(self, url: str, account: object) -> None:
        note("login", url)

    def ensure(self, name: str, backend: str) -> None:
        note("volume-type", name, backend)


def part_of(charm: str, module: str) -> Any:
    sys.path.insert(0, str(CHARMS / charm / "src"))
    try:
        return importlib.import_module(module)
    finally:
        sys.path.pop(0)


snap.install = lambda channel, archive=None: None
snap.configure = configure
snap.current = current
snap.inactive = lambda services: []
snap.run_job = lambda job, document=None: note("job", job) or []
probes.wait = lambda *_: True

identity.Identity = Identity
part_of("cinder", "volume_types").VolumeTypes = VolumeTypes

server = part_of("mariadb", "server").Server
server.ensure = lambda self, accounts: (
    [note("schema", account.schema) for account in accounts] and "11.8"
)
server.drop_accounts = lambda self, keep: None
