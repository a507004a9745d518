"""EDGE. The keys of this paperboy: one secret, from which a key of its own is derived for each purpose.

The secret is `PAPERBOY_SECRET_KEY`, or else is made once and kept in the data folder, readable by its owner alone. Each
purpose gets 32 bytes by HKDF-SHA256 (RFC 5869, https://www.rfc-editor.org/rfc/rfc5869), so that a key that leaks in one
place opens no other.

A secret is changed without losing anything: the new one seals and signs, and the old ones still open and are believed
(`PAPERBOY_SECRET_KEY_OLD`, the further lines of the file, and all of the file where `PAPERBOY_SECRET_KEY` is set).
"""

from __future__ import annotations

import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
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
        old: secrets from before, newest first; what was made with them still opens, and nothing new is made with them.
    """

    def __init__(self, secret: str, old: Sequence[str] = ()) -> None:
        self._secrets = [one.encode() for one in dict.fromkeys((secret, *old))]

    @property
    def old(self) -> int:
        """How many secrets from before are still believed."""
        return len(self._secrets) - 1

    def derive(self, purpose: str) -> bytes:
        """Return the 32 bytes of a purpose; the same secret and purpose give the same."""
        return self.derive_all(purpose)[0]

    def derive_all(self, purpose: str) -> Sequence[bytes]:
        """Return the key of a purpose, and behind it those that the secrets from before give, newest first."""
        info = f"paperboy {purpose}".encode()
        return [HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(secret) for secret in self._secrets]

    def box(self, purpose: str) -> MultiFernet:
        """Return what seals and opens texts for a purpose (https://github.com/fernet/spec)."""
        return MultiFernet([Fernet(urlsafe_b64encode(key)) for key in self.derive_all(purpose)])

    def is_newest(self, purpose: str, sealed: str) -> bool:
        """Whether a text was sealed with the secret of now, so that it needs none from before."""
        try:
            Fernet(urlsafe_b64encode(self.derive(purpose))).decrypt(sealed)
        except InvalidToken:
            return False
        return True

    def opens(self, purpose: str, sealed: str) -> bool:
        """Whether a text was sealed with any secret that is known."""
        try:
            self.box(purpose).decrypt(sealed)
        except InvalidToken:
            return False
        return True

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
        # It signs with the last and believes all.
        return URLSafeSerializer(self.derive_all(f"sign {purpose}")[::-1])


def open_keys(settings: Settings) -> Keys:
    """Return the keys of these settings; a secret is made in the data folder where none is set.

    Raises:
        StoreError: the secret cannot be read or kept.
    """
    path = settings.home / KEPT_IN
    given, old = settings.secrets.paperboy_secret_key, settings.secrets.paperboy_secret_key_old
    listed = [line.strip() for line in old.get_secret_value().splitlines() if line.strip()] if old else []
    if given:
        kept = _read_secrets(path) if path.exists() else []
        return Keys(given.get_secret_value(), [*listed, *kept])
    secret, *kept = _kept_secrets(path)
    return Keys(secret, [*listed, *kept])


def _kept_secrets(path: Path) -> list[str]:
    """Return what the file holds, the secret of now first; it is made where it is missing."""
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _keep(path, secrets.token_urlsafe(48))
    except OSError as error:
        raise _unusable(path, error) from error
    return _read_secrets(path)


def _read_secrets(path: Path) -> list[str]:
    try:
        found = path.read_text(encoding="ascii").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, error) from error
    lines = [line.strip() for line in found if line.strip()]
    if not lines or min(map(len, lines)) < SHORTEST_KEY:  # anybody could make the keys that come of an empty one
        raise StoreError(
            f"{path} holds less than the {SHORTEST_KEY} characters of a secret; "
            "bring it back from a backup, or remove it, and what was signed and sealed with it is lost."
        )
    return lines


def _unusable(path: Path, error: OSError | UnicodeDecodeError) -> StoreError:
    reason = getattr(error, "strerror", None) or "it is not text"
    return StoreError(f"{path} cannot be read or made ({reason}); set PAPERBOY_SECRET_KEY instead.")


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
