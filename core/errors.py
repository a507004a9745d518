"""Everything that can go wrong and is not a bug, as one small tree.

    PaperboyError                  a sentence for a person; never a traceback
    ├── SettingsError              what is wrong with a setting, where, and what is allowed (exit 2)
    ├── UsageError                 a command or query that cannot be read (exit 2); knows the place
    │   └── QueryError             in the interests language
    ├── SourceError                a source did not give what was asked; knows when to ask again
    ├── StoreError                 the state cannot be read or written
    │   ├── StoreBusy              another process owns the data folder
    │   └── StoreUnreachable       the database does not answer, or the connection to it broke
    ├── LibraryError               the library of papers cannot be read or written
    │   ├── LibraryBroken          its file is damaged, or no database at all
    │   └── LibraryForeign         the copy in the folder is none of the database's
    ├── ModelError                 the model that embeds texts cannot be had or used; search goes on by words
    ├── LinkError                  a signed link is not ours, was changed, or has ended
    └── DeliveryError              a platform did not take a message; its kind says what follows

Each error carries its data as attributes; `str(error)` is one clear sentence without secrets.
"""

from __future__ import annotations

import logging
from datetime import datetime
from enum import StrEnum


class PaperboyError(Exception):
    """A failure that is explained to a person in one sentence."""


class SettingsError(PaperboyError):
    """One or more settings cannot be used.

    Attributes:
        problems: one sentence each: which key, which value, what is allowed.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class UsageError(PaperboyError):
    """A command that cannot be understood; `hint` is the closest right form."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class QueryError(UsageError):
    """A query that cannot be read.

    Attributes:
        query: the whole query as it was typed.
        position: index of the first character that could not be read, 0-based.
    """

    def __init__(self, message: str, *, query: str, position: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.query = query
        self.position = position


class SourceError(PaperboyError):
    """A source did not answer, or not with what was asked.

    Attributes:
        source: name of the source.
        reason: a short clause that fits behind "arXiv ", as "has answered 429".
        status: HTTP status, where there was one.
        retry_at: when asking again makes sense, where that is known (aware, UTC).
    """

    def __init__(
        self, source: str, reason: str, *, status: int | None = None, retry_at: datetime | None = None
    ) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason
        self.status = status
        self.retry_at = retry_at


class StoreError(PaperboyError):
    """The state that must not be lost cannot be read or written."""


class StoreBusy(StoreError):  # noqa: N818 - the state is the name: the store is busy, nothing broke
    """Another process owns the data folder."""


class StoreUnreachable(StoreError):  # noqa: N818 - the state is the name, as with StoreBusy
    """The database does not answer, or the connection to it broke; where the store met that, the log has it already."""


class LibraryError(PaperboyError):
    """The library of papers cannot be read or written."""


class LibraryBroken(LibraryError):  # noqa: N818 - the state is the name, as with StoreBusy
    """The library's file is damaged, or no database at all: no other try will make it readable."""


class LibraryForeign(LibraryError):  # noqa: N818 - as above
    """The file in the folder cannot follow the database, and whoever only reads leaves both alone."""


class ModelError(PaperboyError):
    """The model that embeds texts cannot be had or used; search goes on by words."""


class LinkError(PaperboyError):
    """A signed link is not ours, was changed, or has ended."""


class DeliveryFailure(StrEnum):
    """What a failed delivery means for what comes next."""

    RETRY = "retry"  # not taken; the same message may be sent again after `retry_after`
    UNKNOWN = "unknown"  # it may have been taken: look before sending again
    REJECTED = "rejected"  # this message will never be taken as it is; the place is fine
    GONE = "gone"  # the place does not exist any more, or we were removed from it
    FORBIDDEN = "forbidden"  # the place exists, and we may not post there
    REVOKED = "revoked"  # our token is not accepted any more


class DeliveryError(PaperboyError):
    """A platform did not (surely) take a message.

    Attributes:
        kind: what follows from it.
        retry_after: seconds to wait before the next try, where the platform said so.
    """

    def __init__(self, kind: DeliveryFailure, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after


def log_level(error: Exception) -> int:
    """Return how loud a loop that goes on tells a failure: hardly at all, where the log has it already."""
    return logging.DEBUG if isinstance(error, StoreUnreachable) else logging.ERROR
