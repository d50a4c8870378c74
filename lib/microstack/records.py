"""From the machine's and the snap runtime's records to the bars of a timeline."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from microstack.gantt import START, Bar, Neighbours, kind_of
from microstack.installation import Installation

if TYPE_CHECKING:
    from machine.client import HookRecord, RelationRecord
    from workload.runtime.status import ServiceEvent

DIED = ("BACKOFF", "FATAL")


def bars(installation: Installation) -> list[Bar]:
    """Return what was recorded of this installation."""
    hooks = hook_bars(installation.machine().hooks(), time.time())
    return [*hooks, *service_bars(installation.services().events(), hooks, owners())]


def neighbours(installation: Installation) -> Neighbours:
    """Return which applications each endpoint is related to."""
    return neighbours_of(installation.machine().relations())


def owners() -> dict[str, str]:
    """Return the application that each service belongs to; it has its component's name."""
    from workload.components import ALL

    return {
        service.name: component.name
        for component in ALL.values()
        for service in component.services
    }


def hook_bars(records: Iterable[HookRecord], now: float) -> list[Bar]:
    """Return a bar for each run of a hook; one that runs ends now."""
    return [
        Bar(
            group=record.unit.partition("/")[0],
            row=record.unit,
            label=record.hook,
            kind=kind_of(record.hook),
            started=record.started,
            ended=record.ended if record.ended is not None else now,
            failed=record.outcome in {"failed", "killed"},
        )
        for record in records
    ]


def service_bars(
    events: Iterable[ServiceEvent], hooks: Sequence[Bar], owners: Mapping[str, str]
) -> list[Bar]:
    """Return a bar for each start of a service, and one without length for each death.

    A start lasts until the hook that started it ended, as the hook waits for the service to
    answer; that of a service which ended before, until then.
    """
    by_service: dict[str, list[ServiceEvent]] = defaultdict(list)
    for event in events:
        by_service[event.service].append(event)
    return [
        bar
        for service, its in by_service.items()
        for bar in _starts(service, its, hooks, owners.get(service, service))
    ]


def _starts(
    service: str, events: Sequence[ServiceEvent], hooks: Sequence[Bar], group: str
) -> Iterator[Bar]:
    for event, following in zip(events, [*events[1:], None], strict=True):
        if event.state == "EXITED" and event.detail:
            yield Bar(group, service, event.detail, "service", event.time, event.time, True)
        if event.state != "STARTING":
            continue
        ended = _end_of_hook(event.time, hooks, group)
        died = following is not None and following.state in DIED
        if following is not None and (died or following.state == "EXITED"):
            ended = min(ended, following.time)
        yield Bar(group, service, START, "service", event.time, ended, died)


def _end_of_hook(moment: float, hooks: Sequence[Bar], group: str) -> float:
    """Return when the hook of the application that was running at a moment ended."""
    running = [
        hook.ended for hook in hooks if hook.group == group and hook.started <= moment < hook.ended
    ]
    return max(running, default=moment)


def neighbours_of(relations: Iterable[RelationRecord]) -> Neighbours:
    """Return which applications each endpoint is related to; a peer relation leads to itself."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for relation in relations:
        parts = [endpoint.partition(":") for endpoint in relation.endpoints]
        ends = [(application, endpoint) for application, _, endpoint in parts]
        for own, other in zip(ends, reversed(ends), strict=True):
            found[own].add(other[0])
    return {end: frozenset(others) for end, others in found.items()}
