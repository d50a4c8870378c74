"""What an application's units share: which jobs were done, and the secrets it owns."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

import ops
from pydantic import BaseModel, ConfigDict, Field

from interfaces.base import Databag, encode, read


def new_password() -> str:
    """Return a new password: 32 letters and digits, 190 bits."""
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return "".join(secrets.choice(alphabet) for _ in range(32))


class SecretEntry(BaseModel):
    """A secret the application owns.

    Attributes:
        id: `secret:...`.
        generation: counts its contents from 1, so that work done for one can be told from work
            done for the next.
        granted: ids of the relations whose applications may read it.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    generation: int = 1
    granted: tuple[int, ...] = ()


class PeerData(Databag):
    """The application's databag of the peer relation; written by the leader.

    Attributes:
        releases: job -> release it succeeded for.
        secrets: name -> where it is.
        marks: what a charm notes of work done, so that it isn't done twice.
    """

    releases: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, SecretEntry] = Field(default_factory=dict)
    marks: dict[str, str] = Field(default_factory=dict)


class Peers:
    """The peer relation's application databag."""

    def __init__(self, charm: ops.CharmBase) -> None:
        self._charm = charm
        self._endpoint = next(iter(charm.meta.peers), None)
        self._data: PeerData | None = None

    @property
    def relation(self) -> ops.Relation | None:
        """The peer relation, once it is there."""
        return self._charm.model.get_relation(self._endpoint) if self._endpoint else None

    @property
    def writable(self) -> bool:
        """Whether this unit may write: it is the leader, and the relation is there."""
        return self.relation is not None and self._charm.unit.is_leader()

    @property
    def data(self) -> PeerData:
        """The databag; empty while there is no relation."""
        if self._data is None:
            relation = self.relation
            self._data = read(relation, self._charm.app, PeerData) if relation else PeerData()
        return self._data

    def save(self, data: PeerData) -> None:
        """Write the databag; does nothing where it may not be written."""
        relation = self.relation
        if relation is None or not self.writable or data == self.data:
            return
        self._data = data
        relation.data[self._charm.app].update(encode(data))

    def mark(self, name: str, value: str) -> None:
        """Note that something was done, for `data.marks`."""
        self.save(self.data.model_copy(update={"marks": {**self.data.marks, name: value}}))

    def note(self, prefix: str, marks: Mapping[str, str]) -> None:
        """Note these marks in the place of all that begin with `prefix`."""
        others = {k: v for k, v in self.data.marks.items() if not k.startswith(prefix)}
        self.save(self.data.model_copy(update={"marks": {**others, **marks}}))

    def set_release(self, job: str, release: str) -> None:
        """Note that a job succeeded."""
        releases = {**self.data.releases, job: release}
        self.save(self.data.model_copy(update={"releases": releases}))


class Vault:
    """The secrets the application owns, by name. The leader makes and changes them."""

    GENERATED = "generated"
    """Name of the secret that holds every `Generated` value, one field for each."""

    def __init__(self, charm: ops.CharmBase, peers: Peers) -> None:
        self._charm = charm
        self._peers = peers
        self._contents: dict[str, dict[str, str]] = {}

    def get(self, name: str) -> dict[str, str] | None:
        """Return a secret's newest content, or None where there is no such secret."""
        if name not in self._contents:
            secret = self._secret(name)
            if secret is None:
                return None
            self._contents[name] = secret.get_content(refresh=True)
        return self._contents[name]

    def ensure(self, name: str, make: Callable[[], Mapping[str, str]]) -> dict[str, str] | None:
        """Return a secret's content; the leader makes the secret first where it is missing."""
        content = self.get(name)
        if content is not None or not self._peers.writable:
            return content
        return self._add(name, dict(make()))

    def create(self, name: str, make: Callable[[], Mapping[str, str]]) -> None:
        """Let the leader make a secret where it is missing; unlike `ensure` it is not read."""
        if name not in self._peers.data.secrets and self._peers.writable:
            self._add(name, dict(make()))

    def replace(self, name: str, content: Mapping[str, str]) -> None:
        """Give a secret new content, which its consumers learn of by `secret-changed`."""
        secret = self._secret(name)
        if secret is None:
            self._add(name, dict(content))
            return
        secret.set_content(dict(content))
        self._contents[name] = dict(content)
        entry = self._peers.data.secrets[name]
        self._index(name, entry.model_copy(update={"generation": entry.generation + 1}))

    def generated(self, field: str, make: Callable[[], str]) -> str | None:
        """Return one generated value; the leader makes it first where it is missing."""
        content = self.get(self.GENERATED) or {}
        if field not in content and self._peers.writable:
            content = {**content, field: make()}
            self.replace(self.GENERATED, content)
        return content.get(field)

    def regenerate(self, field: str, make: Callable[[], str] = new_password) -> str:
        """Make a new value in the place of a generated one."""
        value = make()
        self.replace(self.GENERATED, {**(self.get(self.GENERATED) or {}), field: value})
        return value

    def share(self, name: str, relation: ops.Relation) -> str | None:
        """Grant a secret to a relation's application and return its id for the databag."""
        entry = self._peers.data.secrets.get(name)
        if entry is None:
            return None
        if relation.id not in entry.granted:
            self._charm.model.get_secret(id=entry.id).grant(relation)
            granted = (*entry.granted, relation.id)
            self._index(name, entry.model_copy(update={"granted": granted}))
        return entry.id

    def generation(self, name: str) -> int:
        """Return how many contents a secret has had; 0 where there is none."""
        entry = self._peers.data.secrets.get(name)
        return entry.generation if entry else 0

    def keep(self, prefix: str, names: set[str]) -> None:
        """Remove the secrets whose names begin with `prefix` and are not among `names`."""
        entries = self._peers.data.secrets
        gone = [name for name in entries if name.startswith(prefix) and name not in names]
        if not gone or not self._peers.writable:
            return
        for name in gone:
            secret = self._secret(name)
            if secret is not None:
                secret.remove_all_revisions()
            self._contents.pop(name, None)
        kept = {name: entry for name, entry in entries.items() if name not in gone}
        self._peers.save(self._peers.data.model_copy(update={"secrets": kept}))

    def _secret(self, name: str) -> ops.Secret | None:
        entry = self._peers.data.secrets.get(name)
        if entry is None:
            return None
        try:
            return self._charm.model.get_secret(id=entry.id)
        except ops.SecretNotFoundError:
            return None

    def _add(self, name: str, content: dict[str, str]) -> dict[str, str]:
        secret = self._charm.app.add_secret(content, label=name)
        assert secret.id is not None  # noqa: S101 - `add_secret` sets it
        self._contents[name] = content
        self._index(name, SecretEntry(id=secret.id))
        return content

    def _index(self, name: str, entry: SecretEntry) -> None:
        entries = {**self._peers.data.secrets, name: entry}
        self._peers.save(self._peers.data.model_copy(update={"secrets": entries}))
