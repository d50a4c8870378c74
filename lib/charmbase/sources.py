"""Where the value of a snap config key may come from.

A source yields its value for a charm, or `None` and the reason: what is missing, and from whom.
It can also tell its origin without a charm, for `explain`.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import SecretStr

from charmbase.peers import new_password

if TYPE_CHECKING:
    from charmbase.charm import ComponentCharm
    from charmbase.endpoints import Requires

Kind = Literal["relation", "option", "generated", "node", "constant", "computed", "job"]


@dataclass(frozen=True)
class Origin:
    """Where a snap config key comes from, as data.

    Attributes:
        kind: what sort of source it is.
        required: whether the charm waits for it.
        endpoint: the relation endpoint of the charm, for kind `relation`.
        interface: the endpoint's interface.
        scope: whose databag carries the field, the remote application's or its units'.
        fields: databag keys the value is made from.
        secret_field: the field in the secret whose id is in `fields`.
        name: the option, the generated secret's field, the binding or the job.
        description: one phrase for a reader.
    """

    kind: Kind
    required: bool = True
    endpoint: str | None = None
    interface: str | None = None
    scope: Literal["app", "unit"] | None = None
    fields: tuple[str, ...] = ()
    secret_field: str | None = None
    name: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class Absence:
    """Why a key has no value.

    Attributes:
        reason: `relation` when an endpoint is not related, `data` when the other side has not
            sent something, `own` when this application is not that far.
        subject: the endpoint, or for `own` the whole sentence.
        what: what the other side has not sent.
    """

    reason: Literal["relation", "data", "own"]
    subject: str
    what: str = ""


@dataclass(frozen=True)
class Source(ABC):
    """Where the value of one snap config key comes from."""

    @property
    def required(self) -> bool:
        """Whether the charm waits for the value."""
        return True

    @abstractmethod
    def value(self, charm: ComponentCharm[Any]) -> Any:
        """Return the value, or None while it is missing."""

    def absence(self, charm: ComponentCharm[Any]) -> Absence:
        """Say why there is no value."""
        return Absence("own", f"{self.origin().name or self.origin().kind} is not known")

    @abstractmethod
    def origin(self) -> Origin:
        """Say where the value comes from."""


@dataclass(frozen=True)
class Field(Source):
    """A field of a related application's databag, or of a secret in it; made by `Requires[...]`.

    Attributes:
        endpoint: the endpoint as the charm declares it.
        path: databag key or derived property, `.` and the secret's field for a secret.
        wanted: whether the charm waits for it.
    """

    endpoint: Requires[Any]
    path: str
    wanted: bool = True

    def optional(self) -> Self:
        """Return the same source, not waited for."""
        return replace(self, wanted=False)

    @property
    def required(self) -> bool:
        """Whether the charm waits for the value."""
        return self.wanted and not self.endpoint.optional

    def value(self, charm: ComponentCharm[Any]) -> Any:
        """Return the field's value, or None while it is missing."""
        view = charm.view(self.endpoint)
        if view is None:
            return None
        key, _, secret_field = self.path.partition(".")
        value = getattr(view, attribute(key))
        if not secret_field:
            return value
        content = charm.content(self.endpoint, value, self.endpoint.content_model(key))
        return None if content is None else getattr(content, attribute(secret_field))

    def absence(self, charm: ComponentCharm[Any]) -> Absence:
        """Say whether the relation or the field is missing."""
        if charm.view(self.endpoint) is None:
            return Absence("relation", self.endpoint.endpoint)
        return Absence("data", charm.describe(self.endpoint), self.endpoint.label(self.path))

    def origin(self) -> Origin:
        """Return endpoint, interface and databag fields."""
        key, _, secret_field = self.path.partition(".")
        requirer = self.endpoint.requirer
        return Origin(
            "relation",
            required=self.required,
            endpoint=self.endpoint.endpoint,
            interface=requirer.interface,
            scope=requirer.scope,
            fields=self.endpoint.origins(key),
            secret_field=secret_field or None,
        )


@dataclass(frozen=True)
class Option(Source):
    """An option of the charm; an empty string means unset.

    Attributes:
        name: as in charmcraft.yaml.
    """

    name: str

    @property
    def required(self) -> bool:
        """An option that is unset leaves the key to its default."""
        return False

    def value(self, charm: ComponentCharm[Any]) -> Any:
        """Return the option's value."""
        value = charm.config.get(self.name)
        return None if value == "" else value

    def origin(self) -> Origin:
        """Return the option's name."""
        return Origin("option", required=False, name=self.name)


@dataclass(frozen=True)
class Generated(Source):
    """A secret the leader generates once and keeps in the application's own Juju secret.

    Attributes:
        name: its field in that secret; lower-case letters, digits and dashes, 3 or more.
        make: returns a new value.
    """

    name: str
    make: Callable[[], str] = new_password

    def value(self, charm: ComponentCharm[Any]) -> SecretStr | None:
        """Return the secret; the leader generates it first where it is missing."""
        value = charm.vault.generated(self.name, self.make)
        return None if value is None else SecretStr(value)

    def absence(self, charm: ComponentCharm[Any]) -> Absence:
        """Say that the leader has to act."""
        return Absence("own", f"the leader has not generated {self.name}")

    def origin(self) -> Origin:
        """Return the secret field's name."""
        return Origin("generated", name=self.name)


@dataclass(frozen=True)
class Binding(Source):
    """This unit's address on the network space an endpoint is bound to (`network-get`)."""

    endpoint: str

    def value(self, charm: ComponentCharm[Any]) -> str | None:
        """Return the address."""
        return charm.address(self.endpoint)

    def absence(self, charm: ComponentCharm[Any]) -> Absence:
        """Say that the endpoint has no address."""
        return Absence("own", f"binding {self.endpoint} has no address")

    def origin(self) -> Origin:
        """Return the endpoint's name."""
        return Origin("node", name=self.endpoint, description=f"address of binding {self.name}")

    @property
    def name(self) -> str:
        """The endpoint whose binding counts."""
        return self.endpoint


@dataclass(frozen=True)
class Hostname(Source):
    """The name of the machine the unit is on."""

    def value(self, charm: ComponentCharm[Any]) -> str:
        """Return the host name."""
        return os.uname().nodename

    def origin(self) -> Origin:
        """Return what it is."""
        return Origin("node", name="hostname", description="host name of the machine")


@dataclass(frozen=True)
class Constant(Source):
    """A value that is the same everywhere."""

    constant: Any

    def value(self, charm: ComponentCharm[Any]) -> Any:
        """Return the constant."""
        return self.constant

    def origin(self) -> Origin:
        """Return the constant as text."""
        return Origin("constant", description=repr(self.constant))


@dataclass(frozen=True)
class Computed(Source):
    """A value the charm computes.

    Attributes:
        compute: takes the charm; None means missing.
        description: one phrase on what it is made from; also the status while it is missing.
        wanted: whether the charm waits for it.
    """

    compute: Callable[[Any], Any]
    description: str
    wanted: bool = True

    @property
    def required(self) -> bool:
        """Whether the charm waits for the value."""
        return self.wanted

    def value(self, charm: ComponentCharm[Any]) -> Any:
        """Return what the charm computes."""
        return self.compute(charm)

    def absence(self, charm: ComponentCharm[Any]) -> Absence:
        """Say what cannot be computed yet."""
        return Absence("own", f"{self.description}: not known yet")

    def origin(self) -> Origin:
        """Return the description."""
        return Origin("computed", required=self.wanted, description=self.description)


@dataclass(frozen=True)
class Job:
    """A one-off command of the snap that the leader runs once for each release.

    Attributes:
        name: the command is `microstack.<name>`.
        needs: snap config keys, or sections, that must have their values first. A job that
            needs only the database runs while the rest is still awaited.
    """

    name: str
    needs: tuple[str, ...]

    @property
    def done(self) -> Done:
        """The source of the key `schema-release`: the release the job succeeded for."""
        return Done(self)


@dataclass(frozen=True)
class Done(Source):
    """The release a job succeeded for, if it is the snap's."""

    job: Job

    def value(self, charm: ComponentCharm[Any]) -> str | None:
        """Return the release, or None while the job has to be run."""
        return charm.release_of(self.job)

    def absence(self, charm: ComponentCharm[Any]) -> Absence:
        """Say that the job has to be run."""
        return Absence("own", f"the leader has not run {self.job.name}")

    def origin(self) -> Origin:
        """Return the job's name."""
        return Origin("job", name=self.job.name, description="release the job succeeded for")


def attribute(key: str) -> str:
    """Return the Python name of a key: `secret-user` -> `secret_user`."""
    return key.replace("-", "_")
