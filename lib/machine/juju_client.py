"""The agent's client with Juju's own views of the model, for the Juju-compatible command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from machine.client import Client


class JujuClient(Client):
    """The agent's client with Juju's views."""

    def juju_config(self, application: str) -> dict[str, Any]:
        """An application's options as `juju config --format json` has them."""
        return self._call("juju_config", application=application)

    def juju_application(self, application: str) -> dict[str, Any]:
        """An application as `juju show-application --format json` has it.

        Raises:
            ChangeError: there is none of this name.
        """
        return self._call("juju_application", application=application)

    def juju_unit(self, unit: str) -> dict[str, Any]:
        """A unit as `juju show-unit --format json` has it."""
        return self._call("juju_unit", unit=unit)

    def juju_model_config(self) -> dict[str, Any]:
        """The model's settings as `juju model-config --format json` has them."""
        return self._call("juju_model_config")

    def set_model_config(self, values: Mapping[str, Any], reset: Sequence[str]) -> list[str]:
        """Set settings of the model, others back to their defaults; return the unknown keys.

        Raises:
            ChangeError: a key cannot be changed, or a value does not fit.
        """
        return self._call("set_model_config", values=dict(values), reset=list(reset))

    def model_constraints(self) -> dict[str, Any]:
        """The model's constraints of machines."""
        return self._call("juju_model_constraints")

    def set_model_constraints(self, constraints: Mapping[str, Any]) -> None:
        """Replace the model's constraints of machines."""
        self._call("set_model_constraints", constraints=dict(constraints))

    def juju_actions(self) -> dict[str, Any]:
        """The actions that ran, run or are due, by id, oldest first."""
        found: dict[str, Any] = self._call("juju_actions")
        return dict(sorted(found.items(), key=lambda item: int(item[0])))

    def integrate(self, first: str, second: str) -> str:
        """Relate two applications, each `application` or `application:endpoint`.

        Raises:
            ChangeError: there is no such relation, more than one, or it is there already.
        """
        return self._call("integrate", first=first, second=second)

    def add_storage(self, unit: str, name: str, directive: str = "") -> list[str]:
        """Give a unit more storage, as `pool,count,size` says; return the ids.

        Raises:
            ChangeError: no such unit or storage, or it cannot have so much of it.
        """
        return self._call("add_storage", unit=unit, name=name, directive=directive)

    def detach_storage(self, storage: str, *, kept: bool = True) -> None:
        """Take storage from its unit, and remove it unless it is kept.

        Raises:
            ChangeError: there is none, or none that is attached.
        """
        self._call("detach_storage", storage=storage, kept=kept)

    def attach_storage(self, unit: str, storage: str) -> None:
        """Give storage that was detached to a unit.

        Raises:
            ChangeError: no such unit or storage, it is attached, or the unit has no use for it.
        """
        self._call("attach_storage", unit=unit, storage=storage)

    def juju_bundle(self, defaults: bool) -> list[dict[str, Any]]:
        """The model as the documents of a bundle, with options that were not set on demand."""
        return self._call("juju_bundle", defaults=defaults)

    def juju_difference(self, bundle: Path, overlays: Sequence[Path]) -> dict[str, Any]:
        """What a bundle and the model do not have in common.

        Raises:
            BundleError: something in the bundle is wrong.
        """
        files = [str(overlay.absolute()) for overlay in overlays]
        file = str(bundle.absolute())
        return self._call("juju_difference", bundle_file=file, overlays=files)

    def offer(self, application: str, endpoints: Sequence[str], name: str) -> str:
        """Offer endpoints of an application to other models; return the offer's URL.

        Raises:
            ChangeError: no such application or endpoint, or the name is taken.
        """
        return self._call("offer", application=application, endpoints=list(endpoints), name=name)

    def remove_offer(self, name: str, force: bool) -> None:
        """Offer something no longer; `force` ends the relations by it.

        Raises:
            ChangeError: there is none of this name, or it is in use.
        """
        self._call("remove_offer", name=name, force=force)

    def remove_saas(self, name: str) -> None:
        """Let go of an application of another model; its relations end first.

        Raises:
            ChangeError: there is none of this name.
        """
        self._call("remove_saas", name=name)

    def expose(
        self,
        application: str,
        endpoints: Sequence[str] = (),
        spaces: Sequence[str] = (),
        cidrs: Sequence[str] = (),
    ) -> None:
        """Say that an application's open ports are meant for others.

        Args:
            application: which.
            endpoints: whose ports; without any, those of all.
            spaces: for whom.
            cidrs: and for whom else; without either, for everyone.

        Raises:
            ChangeError: no such application, endpoint or space, or no CIDR.
        """
        to = {"spaces": list(spaces), "cidrs": list(cidrs)}
        exposures = dict.fromkeys(endpoints or [""], to)
        self._call("expose", application=application, exposures=exposures)

    def unexpose(self, application: str, endpoints: Sequence[str] = ()) -> None:
        """Say that an application's open ports, or those of endpoints, are for this host alone.

        Raises:
            ChangeError: no such application or endpoint, or it is not exposed.
        """
        self._call("unexpose", application=application, endpoints=list(endpoints))

    def trust(self, application: str, trusted: bool) -> None:
        """Say whether an application's charm may see credentials."""
        self._call("trust", application=application, trusted=trusted)

    def refresh(
        self,
        application: str,
        path: Path,
        options: Mapping[str, Any],
        resources: Mapping[str, str],
    ) -> str:
        """Give an application the charm at a path; return the charm's name and revision.

        Args:
            application: which.
            path: the charm's folder or file.
            options: to set along with it.
            resources: files of its resources that change.

        Raises:
            ChangeError: it is no charm, or cannot take the place of the other one, or what comes
                along does not fit it.
        """
        return self._call(
            "refresh",
            application=application,
            path=str(path),
            options=dict(options),
            resources=dict(resources),
        )

    def attach_resource(self, application: str, name: str, file: Path) -> None:
        """Give an application another file for a resource; its units get upgrade-charm.

        Raises:
            ChangeError: no such application, resource or file.
        """
        self._call("attach_resource", application=application, name=name, file=str(file))

    def juju_charm_actions(self, application: str) -> dict[str, Any]:
        """The actions of an application's charm, each with its JSON schema."""
        return self._call("juju_charm_actions", application=application)

    # ---- secrets of the model

    def add_secret(self, name: str, content: Mapping[str, str], info: str) -> str:
        """Add a secret of the model and return its URI."""
        return self._call("add_secret", name=name, content=dict(content), info=info)

    def update_secret(
        self,
        secret: str,
        content: Mapping[str, str],
        info: str | None,
        name: str | None,
        auto_prune: bool | None,
    ) -> None:
        """Change a secret of the model; other content makes a new revision."""
        self._call(
            "update_secret",
            secret=secret,
            content=dict(content),
            info=info,
            name=name,
            auto_prune=auto_prune,
        )

    def remove_secret(self, secret: str, revision: int | None) -> None:
        """Remove a secret of the model, or one revision of it."""
        self._call("remove_secret", secret=secret, revision=revision)

    def grant_secret(self, secret: str, applications: Sequence[str], granted: bool) -> None:
        """Let applications read a secret of the model, or no longer."""
        self._call("grant_secret", secret=secret, applications=list(applications), granted=granted)

    def juju_connections(self) -> dict[str, list[dict[str, Any]]]:
        """Who uses each offer, as `juju offers --format json` has it."""
        return self._call("juju_connections")

    def juju_secrets(self) -> dict[str, Any]:
        """All secrets without their content, as `juju secrets --format json` has them."""
        return self._call("juju_secrets")

    def juju_secret(
        self, secret: str, revision: int | None, reveal: bool, revisions: bool
    ) -> dict[str, Any]:
        """A secret as `juju show-secret --format json` has it; content only if revealed."""
        return self._call(
            "juju_secret", secret=secret, revision=revision, reveal=reveal, revisions=revisions
        )
