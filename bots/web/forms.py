"""Forms that only our own pages can send: a token beside a cookie (double submit), and bounds on what comes.

The cookie holds a random number and lives as long as the browser is open. A form carries its signature: another site
can make a browser send the cookie, and can neither read nor guess what belongs into the form. Each answer writes the
token otherwise, so that its length under compression tells nothing (https://breachattack.com).
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from http import HTTPStatus

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request

FIELD = "csrf"
MAX_FORM = 32 << 10  # bytes
MAX_FIELDS = 100
NONCE_BYTES = 18
KINDS = ("application/x-www-form-urlencoded", "multipart/form-data")
STALE = "This form is too old, or came from another site; go back, reload the page and send it again."


class Guard:
    """Makes and checks the tokens of forms.

    Args:
        key: 32 bytes.
        secure: whether people reach the page by https.
        old: keys from before; forms that were opened then can still be sent.
    """

    def __init__(self, key: bytes, *, secure: bool, old: Sequence[bytes] = ()) -> None:
        self._keys = (key, *old)
        self.secure = secure
        self.cookie = "__Host-paperboy" if secure else "paperboy"

    def nonce(self, request: Request) -> str:
        """Return the number in a request's cookie, or nothing."""
        value = request.cookies.get(self.cookie, "")
        return value if len(_decoded(value)) == NONCE_BYTES else ""

    @staticmethod
    def new_nonce() -> str:
        """Return a number nobody can guess."""
        return secrets.token_urlsafe(NONCE_BYTES)

    def token(self, nonce: str) -> str:
        """Return the token for a number, written otherwise each time."""
        mac = self._macs(nonce)[0]
        pad = secrets.token_bytes(len(mac))
        return urlsafe_b64encode(pad + _mixed(pad, mac)).decode()

    def fits(self, nonce: str, token: str) -> bool:
        """Whether a token was made for a number."""
        found = _decoded(token)
        half = sha256().digest_size
        if not nonce or len(found) != 2 * half:
            return False
        mac = _mixed(found[:half], found[half:])
        return any(hmac.compare_digest(mac, ours) for ours in self._macs(nonce))

    def _macs(self, nonce: str) -> Sequence[bytes]:
        return [hmac.digest(key, nonce.encode(), "sha256") for key in self._keys]


async def read_bounded_form(request: Request) -> FormData:
    """Return a form's fields, texts alone.

    Raises:
        HTTPException: it is no form, or too large.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in KINDS:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    request._body = body  # noqa: SLF001 - as Request.body() keeps it, for form() to read
    return await request.form(max_files=0, max_fields=MAX_FIELDS, max_part_size=MAX_FORM)


def is_foreign(request: Request) -> bool:
    """Whether a browser says that another site sent this (Fetch Metadata, https://www.w3.org/TR/fetch-metadata/)."""
    return request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}


def _mixed(pad: bytes, text: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(pad, text, strict=True))


def _decoded(value: str) -> bytes:
    try:
        return urlsafe_b64decode(value.encode("ascii"))
    except (ValueError, UnicodeEncodeError):
        return b""
