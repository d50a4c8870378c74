"""Key pairs for log-in to guests."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from microstack.errors import Failure


def ensure(path: Path) -> Path:
    """Make an Ed25519 key pair unless `path` is one; return `path`.

    The private key is the owner's alone (0600); the public key is beside it, `.pub`.

    Raises:
        Failure: what is at `path` is no private key.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        private = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(private)
    public = path.with_name(f"{path.name}.pub")
    if not public.exists():
        public.write_text(f"{_public_key(path)} microstack\n")
    return path


def public_key(path: Path) -> str:
    """Return the public half of a private key made by `ensure`, as one line for guests."""
    return path.with_name(f"{path.name}.pub").read_text().strip()


def _public_key(path: Path) -> str:
    try:
        private = serialization.load_ssh_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise Failure(
            f"{path} is not a private key without a passphrase: {error}",
            "move it away, and a new one is made",
        ) from None
    public = private.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return public.decode()
