"""What every component's snap config is built from: typed sections with kebab-case keys.

Snap config is the seam between operators and workload: a charm builds these models, the snap
parses the very same ones, so a value is typed from the relation to the rendered line.
`None` means unset. Key names follow snapd's rule for option names (`snap set`:
lower-case letters, digits and dashes).
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer, SecretStr

RELEASE = "2026.2"
"""The OpenStack release whose schemas and services the snap carries."""


def kebab(name: str) -> str:
    """Return the snap key for a field name: `auth_url` -> `auth-url`."""
    return name.replace("_", "-")


Secret = Annotated[
    SecretStr,
    PlainSerializer(lambda value: value.get_secret_value(), return_type=str, when_used="json"),
]
"""A value that shows as `**********` everywhere but in snap config and rendered files."""


class Section(BaseModel):
    """A group of snap config keys; immutable, refuses keys it does not know."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=kebab, populate_by_name=True
    )

    def to_snap(self) -> dict[str, Any]:
        """Return the JSON document for `snap set`: kebab-case keys, secrets in clear, no nulls."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
