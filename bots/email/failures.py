"""What a mail server's refusal means for what comes next.

    at            what                                     follows
    connect       nobody there, TLS not to be trusted      RETRY: our side or theirs, never the reader's
    connect       login refused                            REVOKED: the operator has to mend it
    any           4yz, and a connection that breaks        RETRY, as greylisting wants; after DATA began: UNKNOWN
    MAIL          5yz: they do not let us send             RETRY, for long: the operator has to mend it
    RCPT          5yz: no such mailbox, or it refuses us   GONE or FORBIDDEN: the address is paused with the reason
    DATA          5yz about this mail (X.6.z, X.2.3)       REJECTED: the next digest covers it
    DATA          other 5yz, as of a filter                FORBIDDEN, as above

Codes: https://www.rfc-editor.org/rfc/rfc5321#section-4.2 and https://www.rfc-editor.org/rfc/rfc3463.
"""

from __future__ import annotations

import re
import ssl

import aiosmtplib

from bots.email.addresses import without_addresses
from core.errors import DeliveryError, DeliveryFailure

MENDED_BY_HAND = 900.0  # seconds
LOGIN_REFUSED = "the mail server does not accept our login"
_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_GONE = {(1, 1), (1, 2), (1, 3), (1, 6), (1, 10), (2, 1)}
_THIS_MAIL = {(2, 3), (3, 4), (5, 6)}


def failure_at(step: str, error: Exception, server: str) -> DeliveryError:
    """Return what an error at a step means: `connect`, `MAIL`, `RCPT` or `DATA`."""
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        kind = DeliveryFailure.REVOKED if error.code >= 500 else DeliveryFailure.RETRY
        return DeliveryError(kind, f"{LOGIN_REFUSED} ({server} said {_said(error)}); mend SMTP_PASSWORD or the user.")
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _answered(step, error, server)
    if step == "DATA":
        return DeliveryError(
            DeliveryFailure.UNKNOWN, f"the connection to {server} broke while the mail was handed over"
        )
    return DeliveryError(DeliveryFailure.RETRY, _unreached(step, error, server))


def _answered(step: str, error: aiosmtplib.SMTPResponseException, server: str) -> DeliveryError:
    said = _said(error)
    if error.code < 500:
        return DeliveryError(DeliveryFailure.RETRY, f"the mail server asks to try again later ({said})")
    if step in {"connect", "MAIL"}:
        words = f"the mail server {server} does not let us send ({said}); mend email.smtp_url, email.from or the login."
        return DeliveryError(DeliveryFailure.RETRY, words, retry_after=MENDED_BY_HAND)
    return refusal(error.code, error.message, after_data=step == "DATA")


def refusal(code: int, words: str, *, after_data: bool = False) -> DeliveryError:
    """Return what a final refusal of a recipient means, whether it comes at once or as a bounce later."""
    found = _ENHANCED.search(words)
    status = (int(found[2]), int(found[3])) if found else (0, 0)
    said = f"{code} {without_addresses(words)}".strip()
    if after_data and (status[0] == 6 or status in _THIS_MAIL or code == 552):
        return DeliveryError(DeliveryFailure.REJECTED, f"the mail server will not take this mail ({said})")
    if status in _GONE or (not found and not after_data and code in {550, 551, 553}):
        return DeliveryError(DeliveryFailure.GONE, f"the mailbox does not exist, or not any more ({said})")
    return DeliveryError(DeliveryFailure.FORBIDDEN, f"the mailbox refuses our mail ({said})")


def _said(error: aiosmtplib.SMTPResponseException) -> str:
    return f"{error.code} {without_addresses(error.message)}".strip()


def _unreached(step: str, error: Exception, server: str) -> str:
    cause = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the certificate of the mail server {server} cannot be trusted ({cause.verify_message})"
    if isinstance(error, aiosmtplib.SMTPException) and "STARTTLS" in str(error).upper():
        return f"the mail server {server} does not offer STARTTLS, and nothing is sent without it"
    if isinstance(error, aiosmtplib.SMTPTimeoutError):
        return f"the mail server {server} does not answer in time"
    return f"the mail server {server} cannot be reached" if step == "connect" else f"the connection to {server} broke"
