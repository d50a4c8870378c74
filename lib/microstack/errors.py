"""What a command ends with when it cannot do what it was asked: one line, a way out, a code.

Exit codes: 1 it failed, 2 it was called wrongly, 3 the host is not fit, 130 it was interrupted.
"""

from __future__ import annotations

FAILED = 1
USAGE = 2
HOST = 3
INTERRUPTED = 130


class Failure(Exception):  # noqa: N818 - most are the user's or the host's
    """Something the user can act on.

    Args:
        message: what was wrong and where, in one line.
        hint: what to do about it.
    """

    exit_code = FAILED

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageFailure(Failure):
    """The command line itself asks for something that cannot be."""

    exit_code = USAGE


class HostFailure(Failure):
    """The host lacks what the cloud needs; nothing was changed."""

    exit_code = HOST


class Interrupted(Failure):
    """The user interrupted; what was done so far is consistent."""

    exit_code = INTERRUPTED
