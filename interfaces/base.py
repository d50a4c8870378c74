"""What every interface is built from: databags, secrets in them, the two sides of a relation.

Rules of a schema, so that charms of different revisions understand one another:
every top-level field is optional and absent means the same as `None`; a type never changes and a
removed name is never used again; an unknown member of an enumeration reads as `None`. Fields that
a schema does not know are left alone. Each field is one JSON value, as `ops.Relation.save` and
`load` write and read it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar, overload

import ops
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SecretStr,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)


def kebab(name: str) -> str:
    """Return the databag key of a field: `secret_user` -> `secret-user`."""
    return name.replace("_", "-")


class DatabagError(ValueError):
    """A databag or secret whose content doesn't fit the interface.

    The message names the relation, the field and what was expected, never the value.
    """


T = TypeVar("T")


class Derived(Generic[T]):
    """A read-only property of a databag that knows which databag fields it is made from."""

    def __init__(self, getter: Callable[[Any], T], origins: tuple[str, ...]) -> None:
        self.getter = getter
        self.origins = origins

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...

    @overload
    def __get__(self, instance: Databag, owner: type[Any]) -> T: ...

    def __get__(self, instance: Databag | None, owner: type[Any]) -> T | Self:
        return self if instance is None else self.getter(instance)


def derived(*origins: str) -> Callable[[Callable[[Any], T]], Derived[T]]:
    """Decorate a getter of a databag; `origins` are the databag keys it reads."""
    return lambda getter: Derived(getter, origins)


class Databag(BaseModel):
    """One side's databag; keys are the field names with dashes."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=kebab,
        populate_by_name=True,
        ignored_types=(Derived,),
    )

    @model_serializer(mode="wrap")
    def _without_unset(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What is unset is erased from the databag instead of standing there as `null`.
        return {key: value for key, value in handler(self).items() if value is not None}


class SecretContent(BaseModel):
    """The content of a secret; values are strings, as Juju has it."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=kebab, populate_by_name=True
    )

    def reveal(self) -> dict[str, str]:
        """Return the content in clear, for `add_secret` and `set_content`."""
        return {
            kebab(name): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in self
            if value is not None
        }


class Credentials(SecretContent):
    """An account: the secret most interfaces pass."""

    username: str | None = None
    password: SecretStr | None = None


@dataclass(frozen=True)
class ContentOf:
    """Marks a databag field as the id of a secret with this content."""

    model: type[SecretContent]


def known(enumeration: type[Enum]) -> BeforeValidator:
    """Make a field read members that this version does not know as `None`."""
    values = {member.value for member in enumeration}
    return BeforeValidator(lambda value: value if value in values else None)


D = TypeVar("D", bound=Databag)
S = TypeVar("S", bound=SecretContent)
Offer = TypeVar("Offer", bound=Databag)
Request = TypeVar("Request", bound=Databag)


@dataclass(frozen=True)
class Asked(Generic[Request]):
    """What one related application asks for."""

    relation: ops.Relation
    data: Request

    @property
    def app(self) -> str:
        """Name of the application that asks."""
        return self.relation.app.name


class Side(Generic[D]):
    """One side of an endpoint: reads the other side's databag, writes its own.

    Attributes:
        interface: the name in charmcraft.yaml.
        scope: whose databag carries the data, the application's (written by the leader) or each
            unit's own.
    """

    interface: ClassVar[str]
    scope: ClassVar[Literal["app", "unit"]] = "app"

    def __init__(self, charm: ops.CharmBase, endpoint: str) -> None:
        self.charm = charm
        self.endpoint = endpoint

    @property
    def relations(self) -> list[ops.Relation]:
        """The endpoint's relations, oldest first."""
        found = self.charm.model.relations[self.endpoint]
        return sorted((r for r in found if r.active), key=lambda relation: relation.id)

    def _write(self, relation: ops.Relation, data: Databag, scope: str) -> None:
        if scope == "app" and not self.charm.unit.is_leader():
            return
        me = self.charm.app if scope == "app" else self.charm.unit
        fields = type(data).model_fields
        current = {k: v for k, v in relation.data[me].items() if k in map(kebab, fields)}
        if current != encode(data):
            relation.save(data, me)


class Requirer(Side[Offer], Generic[Offer]):
    """The requiring side: `publish` asks, `get` returns what the provider offers.

    Attributes:
        offer: schema of the provider's databag.
        view: what `get` returns; the same, unless several units' databags are combined.
    """

    offer: ClassVar[type[Databag]]
    view: ClassVar[type[Databag]]

    def __init_subclass__(cls) -> None:
        cls.view = cls.__dict__.get("view", cls.offer)

    @property
    def relation(self) -> ops.Relation | None:
        """The endpoint's relation; such endpoints have `limit: 1`."""
        return next(iter(self.relations), None)

    def get(self) -> Offer | None:
        """Return the provider's databag, or None where there is no relation.

        Raises:
            DatabagError: what is in it doesn't fit the schema.
        """
        relation = self.relation
        if relation is None or relation.app is None:  # pyright: ignore[reportUnnecessaryComparison]
            return None
        return self.combine([read(relation, source, self.offer) for source in self._sources()])

    def combine(self, databags: list[Any]) -> Any:
        """Make one offer of the databags of the provider's units, or of its application's."""
        return next(iter(databags), self.offer())

    def publish(self, request: Databag, scope: Literal["app", "unit"] = "app") -> None:
        """Ask the provider; does nothing without a relation, or for the app when not leader."""
        for relation in self.relations:
            self._write(relation, request, scope)

    def secret(self, secret_id: str | None, model: type[S]) -> S | None:
        """Return the newest content of a secret, or None while it's not there or not granted.

        Raises:
            DatabagError: the content doesn't fit the schema.
        """
        if not secret_id:
            return None
        try:
            content = self.charm.model.get_secret(id=secret_id).get_content(refresh=True)
        except ops.SecretNotFoundError:
            return None
        return parse(model, content, f"secret of relation {self.endpoint}")

    def _sources(self) -> list[ops.Application | ops.Unit]:
        relation = self.relation
        if relation is None:
            return []
        if self.scope == "app":
            return [relation.app]
        return sorted(relation.units, key=lambda unit: unit.name)


class Provider(Side[Request], Generic[Request, Offer]):
    """The providing side: `requests` lists who asks for what, `publish` answers."""

    request: ClassVar[type[Databag]]

    def requests(self) -> list[Asked[Request]]:
        """Return what each related application asks for, oldest relation first.

        Raises:
            DatabagError: what one of them wrote doesn't fit the schema.
        """
        asked: list[Asked[Request]] = []
        for relation in self.relations:
            if relation.app is None:  # pyright: ignore[reportUnnecessaryComparison]
                continue
            data: Any = read(relation, relation.app, self.request)
            asked.append(Asked(relation, data))
        return asked

    def publish(self, offer: Offer, relation: ops.Relation | None = None) -> None:
        """Answer one relation, or all; for an application's databag only the leader does."""
        for target in self.relations if relation is None else [relation]:
            self._write(target, offer, self.scope)


def read(relation: ops.Relation, source: ops.Application | ops.Unit, model: type[D]) -> D:
    """Return a databag as its model.

    Raises:
        DatabagError: a field is not JSON, or of another type.
    """
    try:
        return relation.load(model, source)
    except ValidationError as error:
        raise DatabagError(f"relation {relation.name}: {_first(error)}") from None
    except json.JSONDecodeError:
        raise DatabagError(
            f"relation {relation.name}: a field in the databag of {source.name} is not JSON"
        ) from None


def parse(model: type[S], content: Mapping[str, str], where: str) -> S:
    """Return a secret's content as its model.

    Raises:
        DatabagError: a field is of another type.
    """
    try:
        return model.model_validate(dict(content))
    except ValidationError as error:
        raise DatabagError(f"{where}: {_first(error)}") from None


def encode(data: Databag) -> dict[str, str]:
    """Return a databag as Juju stores it: each field as JSON."""
    fields = data.model_dump(mode="json", by_alias=True)
    return {key: json.dumps(value) for key, value in fields.items()}


def _first(error: ValidationError) -> str:
    detail = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}"
