"""Repositories of Fernet keys, as Keystone names their files.

`0` is the staged key, the highest number signs, the ones between still open older tokens.
See https://docs.openstack.org/keystone/latest/admin/fernet-token-faq.html.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping

MAX_ACTIVE_KEYS = 3
"""As `[fernet_tokens] max_active_keys`."""


def new_key() -> str:
    """Return a new Fernet key."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def new_repository() -> dict[str, str]:
    """Return a repository with a staged and a signing key, as the content of a secret."""
    return {"key-0": new_key(), "key-1": new_key()}


def rotate(content: Mapping[str, str]) -> dict[str, str]:
    """Return the repository after a rotation: the staged key signs, a new one is staged."""
    keys = {int(name.removeprefix("key-")): key for name, key in content.items()}
    keys[max(keys) + 1] = keys.pop(0)
    kept = sorted(keys)[-(MAX_ACTIVE_KEYS - 1) :]
    return {"key-0": new_key(), **{f"key-{number}": keys[number] for number in kept}}


def files(content: Mapping[str, str]) -> dict[str, str]:
    """Return file name -> key."""
    return {name.removeprefix("key-"): key for name, key in content.items()}
