"""Write values of snap config into other programs' languages: the filters of the templates.

A value comes from a relation or from a user, so each language's own rules are applied where it
is written; a value that cannot be written is refused and never reaches a file half-quoted.
Templates see: `config` (the component's model), `snap`, `snap_data`, `snap_common` (paths without
a trailing slash) and what the component's `derive` returns.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr


def reveal(value: Any) -> Any:
    """Return a secret's clear text, and anything else as it is."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def url(value: Any) -> str:
    """Quote a part of a URL, such as a user name or a password (RFC 3986)."""
    return quote(str(reveal(value)), safe="")


def broker(value: Any) -> str:
    """Quote a user name or password of oslo.messaging's transport URL.

    Raises:
        ValueError: a slash, which oslo.messaging leaves bare in the URL it makes from this one.
    """
    if "/" in str(reveal(value)):
        raise ValueError("a slash cannot be part of a message broker's user name or password")
    return url(value)


def oslo(value: Any) -> str:
    """Quote a value of an oslo.config file.

    oslo.config substitutes `$name`, strips one pair of quotes and the blanks around a value.

    Raises:
        ValueError: control characters, or a backslash before a dollar sign, which
            oslo.config has no way to write.
    """
    text = _one_line(value)
    if "\\$" in text:
        raise ValueError("a backslash before a dollar sign cannot be written to an ini file")
    text = text.replace("$", "$$")
    bare = text == text.strip() and text[:1] not in ("'", '"')
    return text if bare else f'"{text}"'


def sql(value: Any) -> str:
    """Return an SQL string literal, as MariaDB reads it with backslash escapes on.

    Raises:
        ValueError: control characters.
    """
    return "'" + _one_line(value).replace("\\", "\\\\").replace("'", "''") + "'"


def python(value: Any) -> str:
    """Return a Python literal."""
    return repr(reveal(value))


def to_json(value: Any) -> str:
    """Return a JSON document."""
    return json.dumps(value, default=reveal, indent=2, sort_keys=True)


def plain(value: Any) -> str:
    """Pass a word for a file whose language has no quoting.

    Raises:
        ValueError: blanks, quotes or control characters.
    """
    text = _one_line(value)
    if not text or any(character.isspace() or character in "'\"#;" for character in text):
        raise ValueError("blanks, quotes, '#' and ';' cannot be written here")
    return text


def _one_line(value: Any) -> str:
    text = str(reveal(value))
    if not text.isprintable():
        raise ValueError("line breaks and control characters cannot be written to a file")
    return text


FILTERS: dict[str, Callable[[Any], Any]] = {
    "url": url,
    "broker": broker,
    "oslo": oslo,
    "sql": sql,
    "python": python,
    "json": to_json,
    "plain": plain,
}
"""Jinja2 filters by the names that templates use."""
