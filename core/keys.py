"""EDGE. The keys of this paperboy: one secret, from which a key of its own is derived for each purpose.

The secret is `PAPERBOY_SECRET_KEY`, or else is made once and kept in the data folder, readable by its owner alone. Each
purpose gets 32 bytes by HKDF-SHA256 (RFC 5869, https://www.rfc-editor.org/rfc/rfc5869), so that a key that leaks in one
place opens no other.
"""

from __future__ import annotations

import os
import secrets
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from itsdangerous import BadData, URLSafeSerializer

from core.errors import LinkError, StoreError
from core.settings import SHORTEST_KEY, Settings

KEPT_IN = "secret.key"
KEY_BYTES = 32


class Keys:
    """Derives keys, seals texts and signs what links carry.

    Args:
        secret: any text of 32 characters or more.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def derive(self, purpose: str) -> bytes:
        """Return the 32 bytes of a purpose; the same secret and purpose give the same."""
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"paperboy {purpose}".encode()).derive(self._secret)

    def box(self, purpose: str) -> Fernet:
        """Return what seals and opens texts for a purpose (https://github.com/fernet/spec)."""
        return Fernet(urlsafe_b64encode(self.derive(purpose)))

    def sign(self, purpose: str, data: Any, *, until: datetime) -> str:
        """Return a token that fits into an address, and that `read` takes up to an instant.

        Args:
            purpose: a token for one purpose is none for another.
            data: anything that JSON holds; it is signed, and not hidden.
            until: when the token ends (aware).
        """
        return str(self._serializer(purpose).dumps([int(until.timestamp()), data]))

    def read(self, purpose: str, token: str, *, now: datetime) -> Any:
        """Return the data of a token.

        Raises:
            LinkError: it is not ours, was changed, is for another purpose, or has ended.
        """
        try:
            until, data = self._serializer(purpose).loads(token)
        except (BadData, ValueError) as error:
            raise LinkError("This link is not complete, or it was changed; copy the whole of it.") from error
        if now.timestamp() > until:
            raise LinkError(f"This link has ended ({datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC).")
        return data

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        return URLSafeSerializer(self.derive(f"sign {purpose}"))


def open_keys(settings: Settings) -> Keys:
    """Return the keys of these settings; a secret is made in the data folder where none is set.

    Raises:
        StoreError: the secret cannot be read or kept.
    """
    given = settings.secrets.paperboy_secret_key
    return Keys(given.get_secret_value() if given else _kept_secret(settings.home / KEPT_IN))


def _kept_secret(path: Path) -> str:
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _keep(path, secrets.token_urlsafe(48))
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise StoreError(f"{path} cannot be read or made ({reason}); set PAPERBOY_SECRET_KEY instead.") from error
    if len(secret) < SHORTEST_KEY:  # anybody could make the keys that come of an empty one
        raise StoreError(
            f"{path} holds less than the {SHORTEST_KEY} characters of a secret; "
            "bring it back from a backup, or remove it, and what was signed and sealed with it is lost."
        )
    return secret


def _keep(path: Path, secret: str) -> None:
    """Write a whole secret under its name, or leave the one that another process put there first."""
    # In containers each start has the same process id, so that a name made of it may be there since one was killed.
    descriptor, name = mkstemp(prefix=f"{path.name}.", dir=path.parent)
    draft = Path(name)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{secret}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first: its secret holds
    finally:
        draft.unlink()
