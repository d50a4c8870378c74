"""What an operator may ask of the model, as data: a bundle becomes a list of these changes.

`str()` of a change is the line that Juju prints for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from machine.charm import CharmMetadata, Value
from machine.model import Exposure
from machine.relation import Endpoint, Remote, Scope


@dataclass(frozen=True)
class AddApplication:
    """A new application, as yet without units; its peer relations come with it.

    Attributes:
        options: what differs from the charm's defaults, of the options' own types.
        resources: path of each resource's file.
        storage: for each storage of the charm, how many instances every unit gets.
        storage_sizes: and how large they are, in MiB.
        exposures: by endpoint; an empty name stands for all others.
    """

    name: str
    charm: CharmMetadata
    charm_path: Path
    options: Mapping[str, Value] = field(default_factory=dict[str, Value])
    resources: Mapping[str, Path] = field(default_factory=dict[str, Path])
    storage: Mapping[str, int] = field(default_factory=dict[str, int])
    storage_sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    trust: bool = False
    exposures: Mapping[str, Exposure] = field(default_factory=dict[str, Exposure])

    def __str__(self) -> str:
        return f"deploy application {self.name} from {self.charm_path}"


@dataclass(frozen=True)
class RefreshCharm:
    """Another version of an application's charm: its units get upgrade-charm."""

    application: str
    charm: CharmMetadata
    charm_path: Path

    def __str__(self) -> str:
        return f"upgrade {self.application} from {self.charm_path}"


@dataclass(frozen=True)
class SetOptions:
    """Options of an existing application to set, and others to put back to their defaults."""

    application: str
    values: Mapping[str, Value] = field(default_factory=dict[str, Value])
    reset: tuple[str, ...] = ()

    def __str__(self) -> str:
        names = ", ".join([*self.values, *self.reset])
        return f"set application options for {self.application}: {names}"


@dataclass(frozen=True)
class SetResources:
    """Other files for resources of an existing application."""

    application: str
    resources: Mapping[str, Path]

    def __str__(self) -> str:
        return f"attach resources to {self.application}: {', '.join(self.resources)}"


@dataclass(frozen=True)
class SetTrust:
    """Whether the application's charm may see the credentials of the cloud it runs on."""

    application: str
    trust: bool

    def __str__(self) -> str:
        return f"{'trust' if self.trust else 'distrust'} {self.application}"


@dataclass(frozen=True)
class Expose:
    """Open ports of endpoints are meant for others; what was said of the same ones is replaced."""

    application: str
    exposures: Mapping[str, Exposure]

    def __str__(self) -> str:
        return f"expose {self.application}"


@dataclass(frozen=True)
class Unexpose:
    """Open ports of endpoints are meant for nobody else; of all of them where none is named."""

    application: str
    endpoints: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"unexpose {self.application}"


@dataclass(frozen=True)
class AddUnit:
    """One more unit of a principal application; subordinates' units come with their principals.

    The unit's number is the application's next; it gets `storage`, ids of what was detached.
    """

    application: str
    storage: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"add unit of {self.application}"


@dataclass(frozen=True)
class AddRelation:
    """A relation between two applications."""

    provider: Endpoint
    requirer: Endpoint
    scope: Scope = Scope.GLOBAL

    def __str__(self) -> str:
        return f"add relation {self.provider} - {self.requirer}"


@dataclass(frozen=True)
class Consume:
    """An application that another model offers, under a name of its own."""

    remote: Remote

    def __str__(self) -> str:
        return f"consume offer {self.remote.name} at {self.remote.url}"


@dataclass(frozen=True)
class AddOffer:
    """Endpoints of an application that other models may relate to."""

    name: str
    application: str
    endpoints: tuple[str, ...]

    def __str__(self) -> str:
        return f"create offer {self.name} using {self.application}:{','.join(self.endpoints)}"


Change = (
    AddApplication
    | RefreshCharm
    | SetOptions
    | SetResources
    | SetTrust
    | Expose
    | Unexpose
    | AddUnit
    | AddRelation
    | AddOffer
    | Consume
)


@dataclass(frozen=True)
class Plan:
    """The changes that bring a model to what a bundle says, in the order to apply them.

    Attributes:
        warnings: what the bundle says and this substrate, or Juju, does not act upon.
        unseen: URLs of offers that nobody looked at: no changes are here for what is consumed.
    """

    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    def with_storage(self, storage: Sequence[str]) -> Plan:
        """The plan where its new unit gets storage that was detached."""
        given = tuple(storage)
        changes = (
            replace(change, storage=given) if isinstance(change, AddUnit) else change
            for change in self.changes
        )
        return replace(self, changes=tuple(changes)) if given else self
