"""Which relation two applications can have: from `app[:endpoint]` texts to endpoints."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from machine import charm as charms
from machine.charm import CharmMetadata
from machine.plan import AddRelation
from machine.relation import Endpoint, Role, Scope

_SPEC = re.compile(r"(?P<application>[a-z][a-z0-9-]*)(:(?P<endpoint>[a-z][a-z0-9_-]*))?")


class RelationError(Exception):
    """Two applications cannot be related; the message is one line."""


def suggest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: what was probably meant."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def relate(ends: tuple[str, str], applications: Mapping[str, CharmMetadata]) -> AddRelation:
    """Find the one relation that `ends` mean, each `application` or `application:endpoint`.

    Args:
        ends: in either order.
        applications: the charm of each application that can be related.

    Raises:
        RelationError: there is no such relation, or more than one.
    """
    first, second = (_possible(end, applications) for end in ends)
    if _application(ends[0]) == _application(ends[1]):
        raise RelationError(f"relation {_pair(ends)} relates an application to itself")
    found = [(a, b) for a in first for b in second if a[1].accepts(b[1])]
    if len(found) > 1:
        found = [pair for pair in found if all(end.name != "juju-info" for _, end in pair)]
    if not found:
        raise RelationError(_why_none(ends, first, second))
    if len(found) > 1:
        choices = "; ".join(sorted(f"{a}:{x.name} {b}:{y.name}" for (a, x), (b, y) in found))
        raise RelationError(f"ambiguous relation: {_pair(ends)} could refer to {choices}")
    return _relation(*found[0], applications)


_End = tuple[str, charms.Endpoint]


def _possible(end: str, applications: Mapping[str, CharmMetadata]) -> list[_End]:
    """The endpoints that a text may mean; peers relate to nobody else."""
    if not (match := _SPEC.fullmatch(end)):
        raise RelationError(f'invalid relation syntax "{end}": expected application:endpoint')
    name, wanted = match["application"], match["endpoint"]
    if (charm := applications.get(name)) is None:
        raise RelationError(f'application "{name}" is not defined{suggest(name, applications)}')
    if wanted and wanted not in charm.endpoints:
        raise RelationError(
            f'charm "{charm.name}" used by application "{name}" does not define relation '
            f'"{wanted}"{suggest(wanted, charm.endpoints)}'
        )
    if wanted and charm.endpoints[wanted].role == "peer":
        raise RelationError(f"{end} is a peer relation: it is made with the application")
    return [(name, e) for e in charm.endpoints.values() if wanted in (None, e.name)]


def _why_none(ends: tuple[str, str], first: list[_End], second: list[_End]) -> str:
    """Of two named endpoints say what keeps them apart; else that nothing fits."""
    if len(first) > 1 or len(second) > 1:
        return f"no relations found between {_pair(ends)}"
    (a, x), (b, y) = first[0], second[0]
    if x.role == y.role:
        return f'relation "{a}:{x.name}" to "{b}:{y.name}" relates {x.role} to {y.role}'
    return (
        f'mismatched interface between "{a}:{x.name}" and "{b}:{y.name}" '
        f'("{x.interface}" vs "{y.interface}")'
    )


def _relation(a: _End, b: _End, applications: Mapping[str, CharmMetadata]) -> AddRelation:
    provider, requirer = (a, b) if a[1].role == "provider" else (b, a)
    scope = Scope.CONTAINER if "container" in (a[1].scope, b[1].scope) else Scope.GLOBAL
    if scope is Scope.CONTAINER and not any(applications[n].subordinate for n, _ in (a, b)):
        raise RelationError(
            f"{a[0]}:{a[1].name} {b[0]}:{b[1].name}: a relation with scope container "
            "requires at least one subordinate application"
        )
    return AddRelation(_end(provider), _end(requirer), scope)


def _end(end: _End) -> Endpoint:
    return Endpoint(end[0], end[1].name, end[1].interface, Role(end[1].role))


def _application(end: str) -> str:
    return end.partition(":")[0]


def _pair(ends: tuple[str, str]) -> str:
    return f'"{ends[0]} {ends[1]}"'
