"""Charms that come with the software of the host: applications follow what is installed.

A controller has charms from a store, and a user who refreshes them. Where the folder of charms is
part of what was installed, a new version of that brings the charms it was made and tested with.
"""

from __future__ import annotations

import logging
from pathlib import Path

from machine import changes
from machine.changes import ChangeError
from machine.charm import CharmError, load_charm
from machine.charmfiles import digest
from machine.model import Model

logger = logging.getLogger(__name__)


def followed(model: Model, charms: Path, now: float) -> Model:
    """Return the model with the charms that a folder has now, as `juju refresh` takes them up.

    A charm that is gone, or cannot take the place of the one before, leaves its application as it
    is; the log tells.

    Args:
        model: its applications of charms below the folder may change, and no others.
        charms: folder of charms.
        now: seconds since the epoch.
    """
    for application in model.applications.values():
        path = Path(application.charm_path)
        if not path.is_relative_to(charms):
            continue
        try:
            if digest(path) != application.charm.digest:
                model = changes.refresh(model, application.name, load_charm(path), path, now)
                logger.info("%s: charm refreshed from %s", application.name, path)
        except (ChangeError, CharmError, OSError) as e:
            logger.warning("%s stays with the charm it has: %s", application.name, e)
    return model
