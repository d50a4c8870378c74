"""Secrets: their revisions, who may read them, and what readers were told of.

Part of the state that `model` is the whole of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MODEL_OWNER = "<model>"
"""Owner of the secrets that belong to nobody's charm; no application can have this name."""


@dataclass(frozen=True)
class SecretRevision:
    """One content of a secret; `obsolete` once its owner was told that nobody tracks it."""

    content: Mapping[str, str] = field(repr=False)
    created: float = 0.0
    expires: float | None = None
    obsolete: bool = False


@dataclass(frozen=True)
class Grant:
    """Leave to read a secret, for an application or a unit, as long as the relation lives.

    A secret of the model is granted without a relation.
    """

    subject: str
    relation: int | None


@dataclass(frozen=True)
class Consumer:
    """What a unit keeps about a secret: its label, the revision it tracks and was told of."""

    revision: int
    label: str = ""
    told: int = 0


@dataclass(frozen=True)
class Secret:
    """A secret with its revisions.

    Attributes:
        owner: name of an application or of a unit, or `MODEL_OWNER`.
        rotate: a policy of `secret-add --rotate`, such as `never` or `daily`.
        rotates: when the next secret-rotate is due.
        consumers: by name of unit.
        auto_prune: drop the revisions that nobody tracks.
    """

    id: str
    owner: str
    revisions: Mapping[int, SecretRevision]
    label: str = ""
    description: str = ""
    rotate: str = "never"
    rotates: float | None = None
    grants: tuple[Grant, ...] = ()
    consumers: Mapping[str, Consumer] = field(default_factory=dict[str, Consumer])
    auto_prune: bool = False

    @property
    def latest(self) -> int:
        """Number of the newest revision."""
        return max(self.revisions)
