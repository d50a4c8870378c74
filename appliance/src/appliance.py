"""The cloud in the snap, as its operator drives it: by the command `microstack`. Knows no Juju."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from typing import Any

import yaml
from charmlibs import snap

NAME = "microstack"
UP_TIMEOUT = 3600.0
"""Seconds to bring the cloud up; a machine with two processors takes a minute or two."""

TIMEOUT = 300.0
"""Seconds of any other command."""

Options = Mapping[str, Mapping[str, Any]]


class ApplianceError(Exception):
    """A command failed; the message is its last line, which says why."""


class OptionsError(ValueError):
    """The options are not a mapping of applications to their options."""


def parse(text: str) -> Options:
    """Read options as YAML.

    Raises:
        OptionsError: it is not YAML, or of another shape.
    """
    try:
        document: Any = yaml.safe_load(text) or {}
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise OptionsError(f"options: line {line}: {error.problem}") from None
    if not isinstance(document, dict):
        raise OptionsError("options: expected `application: {option: value}`")
    for name, values in document.items():
        if not isinstance(values, dict):
            raise OptionsError(f"options: {name}: expected `{{option: value}}`")
    return document


def set_options(options: Options) -> None:
    """Make snap config's section of charms' options this; the snap checks it.

    Raises:
        ApplianceError: an application or an option is not there, or a value does not fit.
    """
    try:
        known: Any = snap.get_one(NAME, "charms")
    except snap.OptionNotFoundError:
        known = {}
    if known == options:
        return
    try:
        snap.set(NAME, {"charms": options or None})
    except snap.ChangeError as error:
        raise ApplianceError(str(error).splitlines()[-1]) from None


def up() -> None:
    """Bring the cloud up; a second is enough where it is.

    Raises:
        ApplianceError: it does not come up.
    """
    _run("up", timeout=UP_TIMEOUT)


def administrator() -> dict[str, str]:
    """Return the administrator's account: auth-url, password, region and so on.

    Raises:
        ApplianceError: Keystone's operator does not answer.
    """
    return yaml.safe_load(_run("run", "keystone/leader", "get-admin-account"))


def remove() -> None:
    """Remove the snap, and with it the cloud; the machine is as it was.

    Raises:
        ApplianceError: snapd cannot.
    """
    try:
        snap.remove(NAME, purge=True)
    except snap.Error as error:
        raise ApplianceError(str(error)) from None


def _run(*arguments: str, timeout: float = TIMEOUT) -> str:
    path = f"{os.environ.get('PATH', os.defpath)}:/snap/bin"
    try:
        done = subprocess.run(
            [NAME, *arguments],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ApplianceError(f"{NAME} {arguments[0]} took over {timeout:.0f} s") from None
    if done.returncode == 0:
        return done.stdout
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    reason = errors[0].removeprefix("error: ") if errors else f"exit status {done.returncode}"
    raise ApplianceError(f"{NAME} {arguments[0]}: {reason}")
