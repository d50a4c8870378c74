"""Endpoints as a charm declares them: descriptors that hand out the interface's two sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

import ops

from charmbase.sources import Field, attribute
from interfaces.base import ContentOf, Databag, Derived, Provider, Requirer, SecretContent

if TYPE_CHECKING:
    from charmbase.charm import ComponentCharm

R = TypeVar("R", bound=Requirer[Any])
P = TypeVar("P", bound=Provider[Any, Any])


class Requires(Generic[R]):
    """A `requires` endpoint; on a charm it reads as the bound requirer.

    In the class body `database["host"]` names a field of it as the source of a snap config key,
    `database["secret-user.password"]` a field of the secret in it.

    Args:
        endpoint: its name in charmcraft.yaml.
        requirer: the requirer's class.
        optional: the charm works without it; the same as in charmcraft.yaml.
        request: what is asked for, or a function of the charm that returns it (None: nothing
            yet). Asked as soon as there is a relation.
    """

    def __init__(
        self,
        endpoint: str,
        requirer: type[R],
        *,
        optional: bool = False,
        request: Databag | Callable[[Any], Databag | None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.requirer = requirer
        self.optional = optional
        self.request = request
        self._attribute = attribute(endpoint)

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._attribute = name

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...

    @overload
    def __get__(self, instance: ComponentCharm[Any], owner: type[Any]) -> R: ...

    @overload
    def __get__(self, instance: object, owner: type[Any]) -> Self: ...

    def __get__(self, instance: object, owner: type[Any]) -> R | Self:
        if not isinstance(instance, ops.CharmBase):
            return self
        bound = self.requirer(instance, self.endpoint)
        instance.__dict__[self._attribute] = bound
        return bound

    def __getitem__(self, path: str) -> Field:
        """Return a field as a source.

        Raises:
            TypeError: the interface has no such field.
        """
        key, _, secret_field = path.partition(".")
        if not isinstance(getattr(self.requirer.view, attribute(key), None), Derived):
            known = self.requirer.view.model_fields
            if attribute(key) not in known:
                self._refuse(path, known)
        if secret_field and attribute(secret_field) not in self.content_model(key).model_fields:
            self._refuse(path, self.content_model(key).model_fields)
        return Field(self, path)

    def content_model(self, key: str) -> type[SecretContent]:
        """Return the schema of the secret whose id is in a databag field."""
        field = self.requirer.view.model_fields.get(attribute(key))
        for mark in field.metadata if field else ():
            if isinstance(mark, ContentOf):
                return mark.model
        raise TypeError(f"field {key} of interface {self.requirer.interface} is not a secret")

    def origins(self, key: str) -> tuple[str, ...]:
        """Return the databag keys that a field or a derived property is made from."""
        found = getattr(self.requirer.view, attribute(key), None)
        return found.origins if isinstance(found, Derived) else (key,)

    def label(self, path: str) -> str:
        """Return what a status message calls a field that has not been sent."""
        key = path.partition(".")[0]
        field = self.requirer.view.model_fields.get(attribute(key))
        return (field and field.title) or ", ".join(self.origins(key))

    def bound(self, charm: ComponentCharm[Any]) -> R:
        """Return the requirer of a charm."""
        return getattr(charm, self._attribute)

    def _refuse(self, path: str, known: Any) -> None:
        names = ", ".join(sorted(name.replace("_", "-") for name in known))
        raise TypeError(
            f"endpoint {self.endpoint}: interface {self.requirer.interface} has no field {path}; "
            f"it has {names}"
        )


class Provides(Generic[P]):
    """A `provides` endpoint; on a charm it reads as the bound provider.

    Args:
        endpoint: its name in charmcraft.yaml.
        provider: the provider's class.
    """

    def __init__(self, endpoint: str, provider: type[P]) -> None:
        self.endpoint = endpoint
        self.provider = provider
        self._attribute = attribute(endpoint)

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._attribute = name

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...

    @overload
    def __get__(self, instance: ComponentCharm[Any], owner: type[Any]) -> P: ...

    def __get__(self, instance: object, owner: type[Any]) -> P | Self:
        if not isinstance(instance, ops.CharmBase):
            return self
        bound = self.provider(instance, self.endpoint)
        instance.__dict__[self._attribute] = bound
        return bound
