"""The language in which `juju wait-for --query` says what is waited for.

Literals, names of what an entity has, `a.b`, `a["b"]`, comparisons, `&&`, `||`, the functions
`len`, `print`, `startsWith`, `endsWith` and `forEach(units, unit => ...)`. The language is that of
cmd/juju/waitfor/query in Juju's sources.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

Scope = Mapping[str, Any]
Goal = Callable[[Scope], Any]

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>"[^"]*"|'[^']*')|(?P<name>[A-Za-z_][\w-]*)
    |(?P<sign>==|!=|<=|>=|=>|&&|\|\||[<>().,;\[\]]))""",
    re.VERBOSE,
)
_EQUALITY: Mapping[str, Callable[[Any, Any], Any]] = {"==": operator.eq, "!=": operator.ne}
_ORDER: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class QueryError(Exception):
    """A query that makes no sense; the message is one line."""


def parse(text: str) -> Goal:
    """What tells of an entity's scope whether it has come to its goal.

    The goal raises QueryError where the query names what the entity does not have.

    Raises:
        QueryError: the text is no query.
    """
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    def whole(self) -> Goal:
        goal = self._either()
        self._take(";")
        if self._peek() != ("", ""):
            raise self._unexpected()
        return goal

    # ---- tokens

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _take(self, sign: str) -> bool:
        found = self._peek() == ("sign", sign)
        self._at += found
        return found

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise self._unexpected(f", expected {sign!r}")

    def _unexpected(self, more: str = "") -> QueryError:
        found = self._peek()[1] or "end of query"
        return QueryError(f"Syntax Error: unexpected {found!r}{more}")

    # ---- expressions, the loosest first

    def _either(self) -> Goal:
        left = self._both()
        while self._take("||"):
            left = _or(left, self._both())
        return left

    def _both(self) -> Goal:
        left = self._compared(_EQUALITY)
        while self._take("&&"):
            left = _and(left, self._compared(_EQUALITY))
        return left

    def _compared(self, signs: Mapping[str, Callable[[Any, Any], Any]]) -> Goal:
        def operand() -> Goal:
            return self._compared(_ORDER) if signs is _EQUALITY else self._access()

        left = operand()
        while self._peek()[0] == "sign" and self._peek()[1] in signs:
            left = _comparison(signs[self._next()[1]], left, operand())
        return left

    def _access(self) -> Goal:
        value = self._primary()
        while True:
            if self._take("."):
                kind, name = self._next()
                if kind != "name":
                    raise QueryError(f"Syntax Error: unexpected {name!r} after '.'")
                value = _part(value, lambda _, name=name: name)
            elif self._take("["):
                value = _part(value, self._either())
                self._expect("]")
            else:
                return value

    def _primary(self) -> Goal:
        if self._take("("):
            inner = self._either()
            self._expect(")")
            return inner
        kind, text = self._peek()
        if kind not in ("number", "text", "name"):
            raise self._unexpected()
        self._at += 1
        if kind != "name":
            return _constant(text[1:-1] if kind == "text" else _number(text))
        return self._named(text)

    def _named(self, name: str) -> Goal:
        if name in ("true", "false"):
            return _constant(name == "true")
        if self._take("("):
            return self._call(name)
        if self._take("=>"):
            return _function(name, self._either())
        return lambda scope: _found(scope, name)

    def _call(self, name: str) -> Goal:
        arguments: list[Goal] = []
        while not self._take(")"):
            if arguments:
                self._expect(",")
            arguments.append(self._either())
        if name not in _FUNCTIONS:
            raise QueryError(f'Runtime Error: no function "{name}"')
        count, function = _FUNCTIONS[name]
        if len(arguments) != count:
            raise QueryError(
                f"Runtime Error: number of params not valid for function call, wanted: {count}, "
                f"received: {len(arguments)}"
            )
        return lambda scope: function(*(argument(scope) for argument in arguments))


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise QueryError(f"Syntax Error: unexpected {text[at:].strip()[0]!r}")
        kind = cast("str", match.lastgroup)
        found.append((kind, match[kind]))
        at = match.end()
    return found


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _constant(value: object) -> Goal:
    return lambda _: value


def _or(left: Goal, right: Goal) -> Goal:
    return lambda scope: _flag(left(scope)) or _flag(right(scope))


def _and(left: Goal, right: Goal) -> Goal:
    return lambda scope: _flag(left(scope)) and _flag(right(scope))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise QueryError("Runtime Error: logical AND and OR are only allowed on boolean values")
    return value


def _comparison(compare: Callable[[Any, Any], Any], left: Goal, right: Goal) -> Goal:
    def compared(scope: Scope) -> bool:
        try:
            return bool(compare(left(scope), right(scope)))
        except TypeError:
            return False  # as in Juju, values of different kinds have no order

    return compared


def _part(whole: Goal, name: Goal) -> Goal:
    return lambda scope: _found(whole(scope), name(scope))


def _found(scope: object, name: object) -> Any:
    known: Mapping[str, Any] = {}
    if isinstance(scope, Mapping):
        known = cast("Mapping[str, Any]", scope)
    if not isinstance(name, str) or name not in known:
        choices = ", ".join(sorted(known)) or "nothing"
        raise QueryError(f'Runtime Error: identifier "{name}" not found; there is {choices}')
    return known[name]


def _function(argument: str, body: Goal) -> Goal:
    def function(scope: Scope) -> Callable[[Any], Any]:
        def call(value: Any) -> Any:
            return body({**scope, argument: value})

        return call

    return function


# ---- functions


def _len(value: Any) -> int:
    if not isinstance(value, str | list | Mapping):
        raise QueryError("Runtime Error: unexpected type passed to len")
    return len(cast("Any", value))


def _print(value: Any) -> Any:
    print(value)  # noqa: T201
    return value


def _for_each(values: Any, check: Any) -> bool:
    """Whether all there are pass; as in Juju, none do not."""
    if not isinstance(values, Mapping) or not callable(check):
        raise QueryError("Runtime Error: forEach takes entities, and a lambda NAME => CONDITION")
    found = list(cast("Mapping[str, Any]", values).values())
    return bool(found) and all(check(value) for value in found)


def _starts_with(text: Any, prefix: Any) -> bool:
    return str(text).startswith(str(prefix))


def _ends_with(text: Any, suffix: Any) -> bool:
    return str(text).endswith(str(suffix))


_FUNCTIONS: Mapping[str, tuple[int, Callable[..., Any]]] = {
    "len": (1, _len),
    "print": (1, _print),
    "forEach": (2, _for_each),
    "startsWith": (2, _starts_with),
    "endsWith": (2, _ends_with),
}
