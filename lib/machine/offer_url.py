"""URLs of offers: `[CONTROLLER:][OWNER/]MODEL.OFFER`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_URL = re.compile(
    r"((?P<controller>[^:/]+):)?((?P<owner>[^:/.]+)/)?(?P<model>[^:/.]+)\.(?P<offer>[^:/.]+)"
)


@dataclass(frozen=True)
class OfferUrl:
    """The parts of a URL; controller and owner are empty where it does not name them."""

    model: str
    offer: str
    controller: str = ""
    owner: str = ""


def parse_offer_url(text: str) -> OfferUrl | None:
    """The parts of the URL of an offer; None if it is none."""
    match = _URL.fullmatch(text)
    if match is None:
        return None
    return OfferUrl(
        match["model"], match["offer"], match["controller"] or "", match["owner"] or ""
    )
