"""`microstack doctor`: what is wrong with the host, the applications and the services, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from microstack import preflight
from microstack.errors import FAILED, Failure
from microstack.host import Finding
from microstack.installation import Installation, program
from microstack.model import Application, applications

if TYPE_CHECKING:
    from microstack.charms import CharmClass
    from microstack.trace import Trace, Tracer

MARKS = {"ok": ("✓", "green"), "note": ("!", "yellow"), "fail": ("✗", "red")}
TRACEBACK_LINES = 12


def doctor(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[APP]...", help="Show their whole paths; none: where to begin."),
    ] = None,
) -> None:
    """Explain what is wrong, along its whole path; check the host."""
    installation = Installation.from_environment()
    installation.require_root()
    sick = _print(_host(installation))
    if not installation.running:
        typer.echo(f"\nMicroStack is not running: {program()} {_next(installation)}")
        raise typer.Exit(FAILED if sick else 0)
    sick |= _print(_model(installation, names or []))
    sick |= _print(_services(installation))
    raise typer.Exit(FAILED if sick else 0)


def _next(installation: Installation) -> str:
    return "start" if installation.exists else "up"


def _print(findings: Iterable[Finding]) -> bool:
    """Print findings under their subject; return whether one is a failure.

    A way out that several have in common stands below the last of them.
    """
    sick, subject = False, ""
    found = [*findings]
    for finding, following in zip(found, [*found[1:], None], strict=True):
        mark, colour = MARKS[finding.level]
        head = finding.subject if finding.subject != subject else ""
        subject = finding.subject
        typer.echo(f"{typer.style(mark, fg=colour)} {head:14} {finding.text}")
        shared = following is not None and following.hint == finding.hint
        for line in (finding.hint or "").splitlines() if not shared else ():
            typer.secho(f"  {'':14} {line}", dim=finding.level != "fail")
        sick |= finding.level == "fail"
    return sick


def _host(installation: Installation) -> Iterator[Finding]:
    running = installation.running
    if running:
        options = preflight.deployed(installation.machine())
        wanted = preflight.wanted((name, values, ()) for name, values in options.items())
    else:
        wanted = preflight.read(installation.bundle, ())
    yield from preflight.check(installation.observe(), wanted, running)


def _model(installation: Installation, names: Collection[str]) -> Iterator[Finding]:
    from microstack.trace import Tracer

    everyone = {app.name: app for app in applications(installation.machine().status())}
    unknown = [name for name in names if name not in everyone]
    if unknown:
        raise Failure(f"there is no application {unknown[0]}", f"there are {', '.join(everyone)}")
    tracer = Tracer(installation)
    waits = {name: _waits_for(app, tracer, everyone) for name, app in everyone.items()}
    # What waits for no other comes first: with it, the rest may resolve.
    for name in sorted(
        everyone, key=lambda name: (everyone[name].active, bool(waits[name]), name)
    ):
        application = everyone[name]
        if application.active:
            yield Finding("ok", name, application.status)
            continue
        level = "note" if application.host_lacks else "fail"
        said = f"{application.status}: {application.doing}".removesuffix(": ")
        if waits[name] and name not in names:
            others = ", ".join(waits[name])
            path = f"waits for {others}; its whole path: {program()} doctor {name}"
        else:
            path = "\n".join(_why(application, tracer))
        yield Finding(level, name, said, path)


def _waits_for(
    application: Application, tracer: Tracer, everyone: Mapping[str, Application]
) -> list[str]:
    """Return the applications that have yet to send this one something, and why they do not."""
    charm = None if application.active else tracer.charm(application)
    if charm is None or application.failed_units:
        return []
    senders = {
        field.owner.partition("/")[0]
        for trace in _unset(application, charm, tracer)
        for field in trace.fields
        if field.value is None
    }
    return sorted(name for name in senders if name in everyone and not everyone[name].active)


def _why(application: Application, tracer: Tracer) -> Iterator[str]:
    """Yield lines that lead from an application to what it lacks."""
    for unit in application.failed_units:
        yield from _traceback(tracer.installation, unit.name)
        yield f"retried by itself; at once: {program()} juju resolved {unit.name}"
    charm = tracer.charm(application)
    if charm is None:
        return
    yield from _missing_relations(application, charm, tracer)
    for lines in _by_source(_unset(application, charm, tracer)):
        yield from lines
    yield from _gated(charm, tracer)


def _traceback(installation: Installation, unit: str) -> list[str]:
    """Return the end of the last error that a unit logged."""
    lines = list(installation.machine().debug_log(False, [unit], "ERROR", TRACEBACK_LINES))
    return [text for line in lines for text in line.message.splitlines()][-TRACEBACK_LINES:]


def _missing_relations(
    application: Application, charm: CharmClass, tracer: Tracer
) -> Iterator[str]:
    present = {end for relation in tracer.relations for end in relation.endpoints}
    for name, endpoint in charm.requires.items():
        if not endpoint.optional and f"{application.name}:{name}" not in present:
            interface = endpoint.requirer.interface
            yield f"relation  {application.name}:{name} is related to nothing"
            command = f"{program()} juju integrate {application.name}:{name} APP"
            yield f"          {command}, where APP provides {interface}"


def _unset(application: Application, charm: CharmClass, tracer: Tracer) -> Iterator[Trace]:
    values = tracer.keys(charm.component)
    for key, source in charm.sources.items():
        if source.required and values.get(key) is None:
            yield tracer.trace(application.name, charm, key)


def _by_source(traces: Iterable[Trace]) -> Iterator[list[str]]:
    """Yield the lines for the keys that one source should fill."""
    from microstack.explain import phrase

    groups: dict[tuple[Any, ...], list[Trace]] = {}
    for trace in traces:
        source = (
            (trace.links, trace.origin.endpoint or phrase(trace.origin)) if trace.origin else ()
        )
        groups.setdefault(source, []).append(trace)
    for group in groups.values():
        yield _broken_way(group)


def _broken_way(traces: Sequence[Trace]) -> list[str]:
    from microstack.explain import phrase

    first = traces[0]
    lines = [f"relation  {link.provider} → {link.requirer}" for link in first.links]
    if not lines and first.origin:
        lines = [f"source    {phrase(first.origin)}"]
    fields = dict.fromkeys((f.owner, f.name, f.value) for trace in traces for f in trace.fields)
    for owner in dict.fromkeys(owner for owner, _, _ in fields):
        unsent = [name for who, name, value in fields if who == owner and value is None]
        sent = [name for who, name, value in fields if who == owner and value is not None]
        lines += [f"databag   {owner} has not sent {', '.join(unsent)}"] if unsent else []
        lines += [f"databag   {owner} has sent {', '.join(sent)}"] if sent else []
    lines.append(f"snap key  {brief([trace.key for trace in traces])}: unset")
    places = {
        f"{place.path}:{number}"
        for trace in traces
        for place in trace.places
        for number in list(place.lines)[:1]
    }
    lines += [f"file      {place}" for place in sorted(places)]
    return lines


def brief(keys: Sequence[str]) -> str:
    """List dotted keys by their sections: `nova.database.{host, name}, nova.port`."""
    sections: dict[str, list[str]] = {}
    for key in keys:
        section, _, name = key.rpartition(".")
        sections.setdefault(section, []).append(name)
    return ", ".join(
        f"{section}.{names[0]}" if len(names) == 1 else f"{section}.{{{', '.join(names)}}}"
        for section, names in sections.items()
    )


def _gated(charm: CharmClass, tracer: Tracer) -> Iterator[str]:
    from workload.components import ALL

    for service in ALL[charm.component].services:
        status = tracer.services.get(service.name)
        if status is None or status.state in {"active", "finished"}:
            continue
        why = f"waits for {brief(status.missing)}" if status.missing else status.reason
        yield f"service   {service.name}: {status.state}{f', {why}' if why else ''}"
        yield from (f"          {line}" for line in status.lines)


def _services(installation: Installation) -> Iterator[Finding]:
    from microstack.status import failing

    try:
        found = failing(installation)
    except Failure as failure:
        yield Finding("fail", "services", failure.message, failure.hint)
        return
    for service in found:
        died = f"died {service.deaths} times" if service.deaths > 1 else "died"
        text = f"{service.name} is {service.state}, it {died}: {service.reason}"
        log = f"{program()} logs {service.name}"
        yield Finding("fail", "services", text, "\n".join([*service.lines, log]))
    if not found:
        yield Finding("ok", "services", "none is failing")
