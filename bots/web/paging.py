"""Pages of a list, and the addresses of those beside one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request


@dataclass(frozen=True, slots=True)
class Pages:
    """Where a reader is in a list.

    Attributes:
        number: of this page, 1 is the first.
        size: papers a page.
        total: papers in all.
        asked: what else stands in the address.
        most: pages that can be asked for.
    """

    number: int
    size: int
    total: int
    asked: Mapping[str, str]
    most: int = 400

    @property
    def count(self) -> int:
        """How many pages there are; one, where there is nothing."""
        return min(max(-(-self.total // self.size), 1), self.most)

    @property
    def first(self) -> int:
        """The place of the first paper of this page, 1 is the first of all."""
        return (self.number - 1) * self.size + 1

    @property
    def before(self) -> str:
        """What stands behind the `?` of the page before this one; nothing where this is the first."""
        return self._query(self.number - 1) if self.number > 1 else ""

    @property
    def after(self) -> str:
        """What stands behind the `?` of the page after this one; nothing where this is the last."""
        return self._query(self.number + 1) if self.number < self.count else ""

    def _query(self, number: int) -> str:
        return urlencode({**self.asked, "page": number}, errors="replace")


def read_page(request: Request, most: int) -> int:
    """Return the number of the page that is asked for.

    Raises:
        HTTPException: 404, there is no such page.
    """
    typed = request.query_params.get("page", "1")
    if not (typed.isascii() and typed.isdecimal() and len(typed) < 7 and 1 <= int(typed) <= most):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return int(typed)
