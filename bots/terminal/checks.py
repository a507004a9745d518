"""One line of the doctor's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, whether it is well, and what it is or how to mend it."""

    what: str
    well: bool
    details: str

    @classmethod
    def good(cls, what: str, details: str) -> Check:
        """Return a check that went well."""
        return cls(what, well=True, details=details)

    @classmethod
    def bad(cls, what: str, details: str) -> Check:
        """Return a check that failed."""
        return cls(what, well=False, details=details)
