"""What a secret holds, as commands and hook tools are given it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping

from machine import answers
from machine.context import ToolError

_KEY = re.compile(r"[a-z](?:-?[a-z0-9]){2,}")
"""As core/secrets/createsecret.go has it: three characters at least."""


def content(words: Iterable[str], given: Mapping[str, str]) -> dict[str, str]:
    """Over a mapping, `key=value`, `key#base64=...` and `key#file=path`.

    Raises:
        ToolError: a word is none of these, or a key or value is not valid.
    """
    found = dict(given)
    for word in words:
        key, separator, value = word.partition("=")
        if not separator:
            raise ToolError("a secret's content is given as key=value")
        key, _, form = key.partition("#")
        found[key] = _value(key, form, value)
    for key in found:
        if not _KEY.fullmatch(key):
            raise ToolError(f'key "{key}" not valid')
    return found


def _value(key: str, form: str, value: str) -> str:
    if form == "file":
        return answers.file_text(value)
    if form != "base64":
        return value
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise ToolError(f'value of secret key "{key}" is not base64 of text') from None
