"""Key repositories: a rotation never makes a token in use unreadable at once."""

from __future__ import annotations

import base64
import importlib.util
from pathlib import Path

_spec = importlib.util.spec_from_file_location(
    "fernet", Path(__file__).parents[2] / "src/fernet.py"
)
assert _spec is not None and _spec.loader is not None
fernet = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fernet)


def test_a_new_repository_has_a_staged_and_a_signing_key() -> None:
    files = fernet.files(fernet.new_repository())
    assert sorted(files) == ["0", "1"]
    assert all(len(base64.urlsafe_b64decode(key)) == 32 for key in files.values())


def test_the_staged_key_signs_next() -> None:
    before = fernet.files(fernet.new_repository())
    after = fernet.files(fernet.rotate(fernet.new_repository() | {"key-0": before["0"]}))
    assert after["2"] == before["0"]
    assert after["0"] not in before.values()


def test_old_keys_go_when_there_are_too_many() -> None:
    content = fernet.new_repository()
    signing = content["key-1"]
    once = fernet.rotate(content)
    assert signing in once.values()
    twice = fernet.rotate(once)
    assert sorted(fernet.files(twice)) == ["0", "2", "3"]
    assert signing not in twice.values()
