"""The hook tools: arguments in, text out, as Juju's tools of the same names behave.

`run` answers one call of a tool within the context of a hook. What a tool writes to the model
goes through `context` and counts when the hook exits 0; statuses, the workload's version and log
lines go to the `Host` at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import yaml

from machine import answers
from machine.context import Context, ToolError
from machine.gnuflag import Arguments, Flags, UsageError
from machine.life import Status
from machine.relation import Relation
from machine.secret_tools import SECRET_TOOLS
from machine.unit import Port
from machine.version import CLOUD


class Host(Protocol):
    """What acts at once, whether or not the hook exits 0."""

    address: str
    """The host's address that relations are given."""

    def set_status(self, context: Context, status: str, message: str, *, app: bool) -> None:
        """Set the status of the hook's unit or application."""
        ...

    def set_version(self, context: Context, version: str) -> None:
        """Set the version of the workload."""
        ...

    def reboot(self, context: Context, *, now: bool) -> None:
        """Run no hook of the unit before this host is booted again."""
        ...

    def resource(self, context: Context, name: str) -> str:
        """The path of the unit's copy of a resource."""
        ...

    def log(self, context: Context, level: str, message: str) -> None:
        """Add to the debug log."""
        ...

    def log_action(self, context: Context, message: str) -> None:
        """Add to the running action's log."""
        ...


@dataclass(frozen=True)
class Reply:
    """What a tool's process would print and exit with."""

    code: int = 0
    stdout: str = ""
    stderr: str = ""


@dataclass
class Call:
    """One call of a tool."""

    context: Context
    host: Host
    arguments: Arguments
    stdin: str

    def relation(self) -> Relation:
        """The relation that `-r` names, or that the hook is about.

        Raises:
            UsageError: there is none.
        """
        given = self.arguments.value("relation")
        if given is None:
            if self.context.hook.relation is None:
                raise UsageError("no relation id specified")
            given = str(self.context.hook.relation)
        endpoint, _, number = given.rpartition(":")
        found = self.context.relation(int(number), endpoint) if number.isdigit() else None
        if found is None:
            raise UsageError(f'invalid value "{given}" for option -r: relation not found')
        return found


Tool = Callable[[Call], Any]
"""Returns what is to be printed, in the format asked for; None prints nothing."""

_FORMAT = {"o": "output"}


def _flags(switches: str = "", values: str = "", **short: str) -> Flags:
    names = frozenset(values.split()) | {"format", "output"}
    return Flags(frozenset(switches.split()), names, {**_FORMAT, **short})


def _quoted(words: Sequence[str]) -> str:
    """Words as Go prints a list of them."""
    return f"[{' '.join(json.dumps(word) for word in words)}]"


# ---- the unit


def _is_leader(call: Call) -> bool:
    return call.context.leader


def _config_get(call: Call) -> Any:
    config = call.context.config()
    key = call.arguments.first()
    if key is not None:
        return config.get(key)
    if call.arguments.switch("all"):
        options = call.context.draft.applications[call.context.application].charm.options
        return {name: config.get(name) for name in options}
    return config


def _juju_log(call: Call) -> None:
    level = call.arguments.value("log-level") or "INFO"
    if call.arguments.switch("debug"):
        level = "DEBUG"
    if not call.arguments.positionals:
        raise UsageError("no message specified")
    call.host.log(call.context, level.upper(), " ".join(call.arguments.positionals))


def _status_set(call: Call) -> None:
    status, *message = call.arguments.positionals or [""]
    if status not in ("maintenance", "blocked", "waiting", "active"):
        raise UsageError(
            f'invalid status "{status}", expected one of [maintenance blocked waiting active]'
            if status
            else "invalid args, require <status> [message]",
        )
    if message[1:]:
        raise UsageError(f"unrecognized args: {_quoted(message[1:])}")
    app = call.arguments.switch("application")
    if app and not call.context.leader:
        raise ToolError("this unit is not the leader")
    call.host.set_status(call.context, status, "".join(message), app=app)


def _status_get(call: Call) -> Any:
    model, unit = call.context.draft, call.context.unit
    if not call.arguments.switch("application"):
        known = answers.status(unit.workload)
        return known if call.arguments.switch("include-data") else known["status"]
    if not call.context.leader:
        raise ToolError("this unit is not the leader")
    own = model.applications[unit.application].status or Status("unknown")
    units = {u.name: answers.status(u.workload) for u in model.units_of(unit.application)}
    return {"application-status": {**answers.status(own), "units": units}}


def _application_version_set(call: Call) -> None:
    if len(call.arguments.positionals) != 1:
        raise UsageError("no version specified")
    call.host.set_version(call.context, call.arguments.positionals[0])


def _goal_state(call: Call) -> Any:
    return answers.goal_state(call.context.draft, call.context.unit)


def _credential_get(call: Call) -> Any:
    """A host that was added by hand is a cloud of type `manual`, and has no credential."""
    if not call.context.draft.applications[call.context.application].trust:
        raise ToolError("cannot access cloud credentials: permission denied")
    credential = {"auth-type": "empty", "redacted": ""}
    address = call.host.address
    return {"type": "manual", "name": CLOUD, "endpoint": address, "credential": credential}


def _juju_reboot(call: Call) -> None:
    if call.context.hook.action:
        raise ToolError("juju-reboot is not supported when running an action.")
    if call.arguments.positionals:
        raise UsageError(f"unrecognized args: {_quoted(call.arguments.positionals)}")
    call.host.reboot(call.context, now=call.arguments.switch("now"))


def _unit_get(call: Call) -> str:
    wanted = call.arguments.first()
    if wanted is None:
        raise UsageError("no setting specified")
    if wanted not in ("private-address", "public-address"):
        raise UsageError(f'unknown setting "{wanted}"')
    return call.host.address


def _resource_get(call: Call) -> Any:
    name = call.arguments.first()
    if name is None:
        raise UsageError("missing required resource name")
    resources = call.context.draft.applications[call.context.application].resources
    if name not in resources:
        raise ToolError(f'could not download resource: resource "{name}" not found')
    try:
        return call.host.resource(call.context, name)
    except OSError as e:
        raise ToolError(f"could not download resource: {e.strerror}") from None


# ---- relations and networks


def _relation_ids(call: Call) -> list[str]:
    endpoint = call.arguments.first()
    if endpoint is None:
        if call.context.hook.relation is None:
            raise UsageError("no endpoint name specified")
        endpoint = call.relation().local(call.context.application).name
    return [f"{endpoint}:{r.id}" for r in call.context.relations(endpoint)]


def _relation_list(call: Call) -> Any:
    relation = call.relation()
    if call.arguments.switch("app"):
        return relation.remote(call.context.application).application
    return call.context.members(relation)


def _relation_get(call: Call) -> Any:
    relation = call.relation()
    key, owner, *rest = [*call.arguments.positionals, "", ""]
    if any(rest):
        raise UsageError(f"unrecognized args: {_quoted(rest[:-2])}")
    app = call.arguments.switch("app")
    owner = owner or (call.context.hook.remote_app if app else call.context.hook.remote_unit)
    if not owner:
        raise ToolError("no unit or app specified")
    values = call.context.read(relation, owner.rpartition("/")[0] or owner if app else owner)
    return dict(values) if key in ("", "-") else values.get(key)


def _relation_set(call: Call) -> None:
    relation = call.relation()
    values = _mapping_given(call)
    for word in call.arguments.positionals:
        key, separator, value = word.partition("=")
        if not separator or not key:
            raise ToolError(f'expected "key=value", got "{word}"')
        values[key] = value
    call.context.write(relation, values, app=call.arguments.switch("app"))


def _mapping_given(call: Call) -> dict[str, str]:
    """The YAML mapping that `--file` names."""
    given = call.arguments.value("file")
    if given is None:
        return {}
    return answers.mapping(call.stdin if given == "-" else answers.file_text(given))


def _relation_model_get(call: Call) -> Any:
    context = call.context
    remote = context.draft.remotes.get(call.relation().remote(context.application).application)
    return {"uuid": remote.model if remote else context.draft.uuid}


def _network_get(call: Call) -> Any:
    binding = call.arguments.first()
    if binding is None:
        raise UsageError("no arguments specified")
    charm = call.context.draft.applications[call.context.application].charm
    if binding not in {*charm.endpoints, *charm.extra_bindings}:
        raise ToolError(f'no network config found for binding "{binding}"')
    if call.arguments.value("relation") is not None:
        call.relation()
    network = answers.network(call.host.address)
    wanted = ("bind-address", "ingress-address", "egress-subnets", "primary-address")
    if any(call.arguments.switch(w) for w in wanted):
        subnets = call.arguments.switch("egress-subnets")
        return network["egress-subnets"][0] if subnets else call.host.address
    return network


# ---- ports


def _port(text: str, endpoints: str | None) -> Port:
    names = tuple(e.strip() for e in endpoints.split(",")) if endpoints else ()
    if text == "icmp":
        return Port("icmp", endpoints=names)
    found = re.fullmatch(r"(\d+)(?:-(\d+))?(?:/(tcp|udp))?", text)
    if not found:
        raise UsageError(f'expected <port>[/<protocol>] or <from>-<to>[/<protocol>], got "{text}"')
    first = int(found[1])
    last = int(found[2] or first)
    if not 1 <= first <= last <= 65535:
        raise UsageError(f'invalid port range "{text}"')
    return Port(found[3] or "tcp", first, last, names)


def _open_port(call: Call) -> None:
    given = call.arguments.first()
    call.context.open_port(_port(given or "", call.arguments.value("endpoints")))


def _close_port(call: Call) -> None:
    given = call.arguments.first()
    call.context.close_port(_port(given or "", call.arguments.value("endpoints")))


def _opened_ports(call: Call) -> list[str]:
    ports = sorted(call.context.unit.ports, key=lambda p: (p.protocol, p.first, p.last))
    if call.arguments.switch("endpoints"):
        return [f"{p} ({', '.join(p.endpoints) or '*'})" for p in ports]
    return list(dict.fromkeys(str(p) for p in ports))


# ---- storage and state


def _storage_list(call: Call) -> list[str]:
    name = call.arguments.first()
    unit = call.context.unit.name
    ids = [s.id for s in call.context.draft.storages.values() if s.unit == unit]
    return sorted(i for i in ids if name in (None, i.partition("/")[0]))


def _storage_get(call: Call) -> Any:
    storage_id = call.arguments.value("s") or call.context.hook.storage
    if not storage_id:
        raise UsageError("no storage instance specified")
    storage = call.context.draft.storages.get(storage_id)
    if storage is None or storage.unit != call.context.unit.name:
        raise UsageError(f'invalid value "{storage_id}" for option -s: storage not found')
    known = {"kind": storage.kind, "location": storage.location}
    key = call.arguments.first()
    if key is not None and key not in known:
        raise ToolError(f'invalid storage attribute "{key}"')
    return known if key is None else known[key]


def _storage_add(call: Call) -> None:
    for word in call.arguments.positionals:
        name, _, count = word.partition("=")
        if count and not count.isdigit():
            raise UsageError(f'cannot parse "{word}": expected <storage>=<count>')
        call.context.add_storage(name, int(count or 1))


def _state_get(call: Call) -> Any:
    state = call.context.unit.state
    key = call.arguments.first()
    return dict(state) if key in (None, "-") else state.get(key or "")


def _state_set(call: Call) -> None:
    pairs = (word.partition("=") for word in call.arguments.positionals)
    call.context.set_state({**_mapping_given(call), **{k: v for k, _, v in pairs}})


def _state_delete(call: Call) -> None:
    key = call.arguments.first()
    if key is None:
        raise ToolError("state key must be specified")
    call.context.delete_state(key)


# ---- actions

_RESULT_KEY = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_RESERVED = ("stdout", "stdout-encoding", "stderr", "stderr-encoding", "return-code")


def _of_action(call: Call) -> None:
    if not call.context.hook.action:
        raise ToolError("not running an action")


def _action_get(call: Call) -> Any:
    _of_action(call)
    value: Any = dict(call.context.draft.actions[call.context.hook.action].params)
    for part in (call.arguments.first() or "").split("."):
        if part:
            value = cast("dict[str, Any]", value).get(part) if isinstance(value, dict) else None
    return value


def _action_set(call: Call) -> None:
    _of_action(call)
    for word in call.arguments.positionals:
        key, separator, value = word.partition("=")
        if not separator:
            raise UsageError(f'argument "{word}" must be of the form key...=value')
        if not _RESULT_KEY.fullmatch(key):
            raise UsageError(
                f'key "{key}" must start and end with lowercase alphanumeric, '
                "and contain only lowercase alphanumeric, hyphens and periods"
            )
        if key.partition(".")[0] in _RESERVED:
            raise UsageError(f'cannot set reserved action key "{key}"')
        _put(call.context.results, key.split("."), value)


def _put(results: dict[str, object], path: list[str], value: str) -> None:
    for part in path[:-1]:
        below = results.get(part)
        if not isinstance(below, dict):
            below = results[part] = {}
        results = cast("dict[str, object]", below)
    results[path[-1]] = value


def _action_log(call: Call) -> None:
    _of_action(call)
    call.host.log_action(call.context, " ".join(call.arguments.positionals))


def _action_fail(call: Call) -> None:
    _of_action(call)
    call.context.failure = " ".join(call.arguments.positionals) or (
        "action failed without reason given, check action for errors"
    )


# ---- the table

_RELATION = {"r": "relation"}
TOOLS: Mapping[str, tuple[Flags, Tool]] = {
    "action-fail": (_flags(), _action_fail),
    "action-get": (_flags(), _action_get),
    "action-log": (_flags(), _action_log),
    "action-set": (_flags(), _action_set),
    "application-version-set": (_flags(), _application_version_set),
    "close-port": (_flags(values="endpoints"), _close_port),
    "config-get": (_flags("all", a="all"), _config_get),
    "credential-get": (_flags(), _credential_get),
    "goal-state": (_flags(), _goal_state),
    "is-leader": (_flags(), _is_leader),
    "juju-log": (_flags("debug", "log-level", l="log-level"), _juju_log),
    "juju-reboot": (_flags("now"), _juju_reboot),
    "network-get": (
        _flags(
            "bind-address ingress-address egress-subnets primary-address", "relation", **_RELATION
        ),
        _network_get,
    ),
    "open-port": (_flags(values="endpoints"), _open_port),
    "opened-ports": (_flags("endpoints"), _opened_ports),
    "relation-get": (_flags("app", "relation", **_RELATION), _relation_get),
    "relation-ids": (_flags(), _relation_ids),
    "relation-list": (_flags("app", "relation", **_RELATION), _relation_list),
    "relation-model-get": (_flags(values="relation", **_RELATION), _relation_model_get),
    "relation-set": (_flags("app", "relation file", **_RELATION), _relation_set),
    "resource-get": (_flags(), _resource_get),
    "state-delete": (_flags(), _state_delete),
    "state-get": (_flags(), _state_get),
    "state-set": (_flags(values="file"), _state_set),
    "status-get": (_flags("application include-data"), _status_get),
    "status-set": (_flags("application"), _status_set),
    "storage-add": (_flags(), _storage_add),
    "storage-get": (_flags(values="s"), _storage_get),
    "storage-list": (_flags(), _storage_list),
    "unit-get": (_flags(), _unit_get),
    **SECRET_TOOLS,
}


def run(context: Context, host: Host, argv: Sequence[str], stdin: str = "") -> Reply:
    """Answer one call; `argv` starts with the tool's name."""
    name, *rest = argv
    known = TOOLS.get(name)
    if known is None:
        return Reply(127, "", f"ERROR {name}: no such hook tool\n")
    flags, tool = known
    try:
        arguments = flags.parse(rest)
        found = tool(Call(context, host, arguments, stdin))
        return Reply(0, _formatted(found, arguments.value("format") or "smart"))
    except UsageError as e:
        return Reply(2, "", f"ERROR {e}\n")
    except ToolError as e:
        return Reply(e.code, "", f"ERROR {e}\n")


def _formatted(value: Any, form: str) -> str:
    if form == "json":
        return json.dumps(value) + "\n"
    if value is None:
        return ""
    if form == "yaml":
        return yaml.safe_dump(value, sort_keys=True)
    if form != "smart":
        raise UsageError(f'invalid value "{form}" for option --format: unknown format "{form}"')
    if isinstance(value, str):
        return value + "\n" if value else ""
    if isinstance(value, list):
        return "".join(f"{item}\n" for item in cast("list[Any]", value))
    return f"{value}\n" if not isinstance(value, dict) else yaml.safe_dump(value, sort_keys=True)
