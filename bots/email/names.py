"""By which name an address is known: a keyed hash, whose key stays the same when PAPERBOY_SECRET_KEY changes.

Of somebody who had everything deleted nothing is left but this name, so that no other name could be made for them under
another key. Therefore the key of the names is made of the secret once; from then on it lies in the store, sealed, and a
change of the secret seals it anew.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence

from cryptography.fernet import InvalidToken

from core.delivery.optin import name_of
from core.errors import StoreError
from core.keys import Keys
from core.store import Store
from core.store.correspondents import Correspondent

MADE_OF = "mail addresses"
KEPT_AS = "keys:mail addresses"
PURPOSE = "kept keys"


class Names:
    """Tells the names of addresses; reads the key at the first one.

    Args:
        keys: open what lies in the store.
        store: where the key lies, and everybody who has a name already.
    """

    def __init__(self, keys: Keys, store: Store) -> None:
        self._keys, self._store = keys, store
        self._key: bytes | None = None

    async def of(self, address: str) -> str:
        """Return the name of an address (`email:a@b.org`), hex.

        Raises:
            StoreError: the key cannot be read or kept, or it was sealed with a secret that is not known.
        """
        if self._key is None:
            self._key = await self._kept() or await self._begin()
        return name_of(address, self._key)

    async def _kept(self) -> bytes | None:
        sealed = await self._store.sealed(KEPT_AS)
        if sealed is None:
            return None
        try:
            return b64decode(self._keys.box(PURPOSE).decrypt(sealed))
        except InvalidToken as error:
            raise StoreError(
                "The key by which mail addresses are known was sealed with another PAPERBOY_SECRET_KEY; "
                "set that one again, or name it in PAPERBOY_SECRET_KEY_OLD."
            ) from error

    async def _begin(self) -> bytes:
        key = fitting_key(await self._store.correspondents(), self._keys.derive_all(MADE_OF))
        await self._store.keep_sealed(KEPT_AS, self._keys.box(PURPOSE).encrypt(b64encode(key)).decode())
        return key


def fitting_key(people: Sequence[Correspondent], keys: Sequence[bytes]) -> bytes:
    """Return the key by which people were named up to now; the newest where there are none.

    Args:
        people: everybody with a name.
        keys: of the secret of now, and of those from before, newest first.
    """
    for person in people:
        for key in keys:
            if person.address and name_of(person.address, key) == person.name:
                return key
    # Nobody is left whose address is known: these names are older than the last change of the secret.
    return keys[-1] if people else keys[0]
