"""The hook tools for secrets."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from machine import answers
from machine.context import SecretFields, ToolError
from machine.gnuflag import Flags, UsageError
from machine.progress import ROTATION
from machine.secret import Secret
from machine.secret_content import content

if TYPE_CHECKING:
    from machine.hook_tools import Call

_DURATION = re.compile(r"(\d+)(h|m|s)")
_SECONDS = {"h": 3600, "m": 60, "s": 1}


def _id(text: str | None) -> str | None:
    """The bare id of a secret's URI: `secret:x`, `secret://<model>/x` or `x`."""
    return text and text.removeprefix("secret:").rpartition("/")[2]


def _wanted(call: Call) -> tuple[str | None, str | None]:
    secret_id, label = _id(call.arguments.first()), call.arguments.value("label")
    if secret_id is None and label is None:
        raise UsageError("require either a secret URI or label")
    return secret_id, label


def _named(call: Call) -> str:
    secret_id = _id(call.arguments.first())
    if secret_id is None:
        raise UsageError("missing secret URI")
    return secret_id


def _secret_add(call: Call) -> str:
    given = _content(call, call.arguments.positionals)
    if not given:
        raise UsageError("missing secret value or filename")
    owner = call.arguments.value("owner") or "application"
    if owner not in ("application", "unit"):
        raise UsageError(f'secret owner "{owner}" not valid')
    fields = _fields(call, given)
    return f"secret:{call.context.new_secret(fields, unit_owned=owner == 'unit')}"


def _secret_set(call: Call) -> None:
    secret = call.context.owned_secret(_named(call), None)
    given = _content(call, call.arguments.positionals[1:])
    call.context.update_secret(secret, _fields(call, given or None))


def _fields(call: Call, given: Mapping[str, str] | None) -> SecretFields:
    rotate = call.arguments.value("rotate")
    if rotate not in (None, "never", *ROTATION):
        raise UsageError(f'rotate policy "{rotate}" not valid')
    return SecretFields(
        given,
        call.arguments.value("label"),
        call.arguments.value("description"),
        _expiry(call),
        rotate,
    )


def _expiry(call: Call) -> float | None:
    """A duration such as `24h`, or a time in RFC 3339."""
    given = call.arguments.value("expire")
    if given is None:
        return None
    if re.fullmatch(rf"({_DURATION.pattern})+", given):
        length = sum(int(n) * _SECONDS[unit] for n, unit in _DURATION.findall(given))
        return call.context.now + length
    try:
        moment = datetime.datetime.fromisoformat(given)
    except ValueError:
        raise UsageError(f'expire time or duration "{given}" not valid') from None
    return moment.replace(tzinfo=moment.tzinfo or datetime.UTC).timestamp()


def _content(call: Call, words: list[str]) -> dict[str, str]:
    """`key=value`, `key#base64=...` and `key#file=path`, or a YAML mapping by `--file`."""
    given: dict[str, str] = {}
    if (path := call.arguments.value("file")) is not None:
        given = answers.mapping(call.stdin if path == "-" else answers.file_text(path))
    return content(words, given)


def _secret_get(call: Call) -> Any:
    positionals = call.arguments.positionals
    secret_id, label = _wanted(call)
    refresh, peek = call.arguments.switch("refresh"), call.arguments.switch("peek")
    if refresh and peek:
        raise UsageError("specify one of --refresh or --peek but not both")
    found = call.context.secret_content(secret_id, label, refresh=refresh, peek=peek)
    if len(positionals) < 2:
        return dict(found)
    key = positionals[1].partition("#")[0]
    if key not in found:
        raise ToolError(f'secret key value "{key}" not found')
    return found[key]


def _secret_info_get(call: Call) -> Any:
    secret = call.context.owned_secret(*_wanted(call))
    return {secret.id: _info(secret)}


def _info(secret: Secret) -> dict[str, Any]:
    info: dict[str, Any] = {
        "revision": secret.latest,
        "label": secret.label,
        "owner": "unit" if "/" in secret.owner else "application",
        "rotation": secret.rotate,
    }
    if secret.description:
        info["description"] = secret.description
    expires = secret.revisions[secret.latest].expires
    if expires is not None:
        info["expiry"] = answers.timestamp(expires)
    if secret.rotates is not None:
        info["rotates"] = answers.timestamp(secret.rotates)
    grants = [{"target": g.subject, "scope": f"relation-{g.relation}"} for g in secret.grants]
    return {**info, "access": grants} if grants else info


def _secret_grant(call: Call) -> None:
    secret = call.context.owned_secret(_named(call), None)
    if call.arguments.value("relation") is None:
        raise UsageError("missing relation id")
    relation = call.relation()
    call.context.grant(secret, relation, call.arguments.value("unit"))


def _secret_revoke(call: Call) -> None:
    secret = call.context.owned_secret(_named(call), None)
    relation = call.arguments.value("relation")
    subject = call.arguments.value("unit") or call.arguments.value("app")
    if relation is None and subject is None:
        raise UsageError("missing relation, application or unit")
    call.context.revoke(secret, call.relation().id if relation else None, subject)


def _secret_remove(call: Call) -> None:
    secret = call.context.owned_secret(_named(call), None)
    revision = call.arguments.value("revision")
    if revision is not None and (not revision.isdigit() or int(revision) not in secret.revisions):
        raise ToolError(f'secret "{secret.id}" revision {revision} not found')
    call.context.remove_secret(secret, int(revision) if revision else None)


def _secret_ids(call: Call) -> list[str]:
    return sorted(s.id for s in call.context.owned_secrets())


def _flags(switches: str = "", values: str = "", **short: str) -> Flags:
    names = frozenset(values.split()) | {"format", "output"}
    return Flags(frozenset(switches.split()), names, {"o": "output", **short})


_FIELDS = "label description expire rotate owner file"
SECRET_TOOLS: Mapping[str, tuple[Flags, Callable[[Call], Any]]] = {
    "secret-add": (_flags(values=_FIELDS), _secret_add),
    "secret-get": (_flags("refresh peek", "label"), _secret_get),
    "secret-grant": (_flags(values="relation unit", r="relation"), _secret_grant),
    "secret-ids": (_flags(), _secret_ids),
    "secret-info-get": (_flags(values="label"), _secret_info_get),
    "secret-remove": (_flags(values="revision"), _secret_remove),
    "secret-revoke": (
        _flags(values="relation app unit", r="relation", application="app"),
        _secret_revoke,
    ),
    "secret-set": (_flags(values=_FIELDS), _secret_set),
}
