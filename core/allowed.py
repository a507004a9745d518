"""The kinds of values that settings have, and what each allows in words: no checker's jargon reaches a person."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import time
from email.utils import parseaddr
from ipaddress import ip_network
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

from annotated_types import Ge, Le
from pydantic import AfterValidator, BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from core.zones import zone_names

LONGEST_VALUE = 60
CATEGORY = re.compile(r"[a-z][a-z-]*(\.[A-Za-z*-]+)?")
TIME_OF_DAY = re.compile(r"[0-9]{2}:[0-9]{2}")
MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
APPLICATION = re.compile(r"[0-9]{15,20}")
_URL = re.compile(r"[^\s\"<>\\^`{|}\x00-\x1f\x7f]+")
"""What an address is written with; anything else would have to be written with % in it."""
_PASSWORD = re.compile(r"(?<=//)[^/@\s]+(?=@)")

SHARDS = re.compile(r"(?P<first>[0-9]{1,5})(?:-(?P<last>[0-9]{1,5}))?/(?P<total>[1-9][0-9]{0,4})")
"""Which of how many: `FIRST-LAST/TOTAL`, from 0."""


def check_url(value: str, *, schemes: Collection[str] = ("http", "https")) -> str:
    """Return an address without the slash at its end.

    Raises:
        ValueError: it is none, or of another kind; its words end "it must be ...".
    """
    *_, usual = schemes
    problem = ValueError(f"an address such as {usual}://example.org")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise problem from None
    if parts.scheme not in schemes or not parts.hostname or port == 0 or not _URL.fullmatch(value):
        raise problem
    return value.rstrip("/")


def check_base_url(value: str) -> str:
    """Return an address behind which paths are written, without the slash at its end."""
    url = check_url(value)
    parts = urlsplit(url)
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("an address such as https://example.org or https://example.org/papers, with nothing behind it")
    return url


def check_gateway(value: str) -> str:
    """Return the address of a web socket, or nothing."""
    return value and check_url(value, schemes=("ws", "http", "https", "wss"))


def check_application(value: str) -> str:
    """Return the id of an application of Discord, or nothing."""
    if value and not APPLICATION.fullmatch(value):
        raise ValueError("a number of 15 to 20 digits, or empty")
    return value


def check_smtp_url(value: str) -> str:
    """Return the address of a mail server as it is, or nothing."""
    problem = ValueError("an address such as smtps://user@mail.example.org or smtp+starttls://mail.example.org:587")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise problem from None
    if parts.password is not None:
        raise ValueError("without a password, which comes from SMTP_PASSWORD")
    wrong = parts.scheme not in {"smtp", "smtps", "smtp+starttls"} or not parts.hostname or port == 0
    if value and (wrong or parts.path.strip("/") or parts.query or parts.fragment or not value.isprintable()):
        raise problem
    return value


def check_mailbox(value: str) -> str:
    """Return a mail address, with or without a name before it, as it is."""
    _, address = parseaddr(value)
    known = MAIL_ADDRESS.fullmatch(address) and value.isprintable()
    if value and not ((known and value in {address, f"<{address}>"}) or (known and value.endswith(f" <{address}>"))):
        raise ValueError("a mail address such as paperboy@example.org or Papers <paperboy@example.org>")
    return value


def check_line(value: str) -> str:
    """Return a text that fits into one line of a request as it is."""
    if not value.isprintable():
        raise ValueError("one line of text, such as you@example.org")
    return value


def _check_whole(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError  # noqa: TRY004 - pydantic collects ValueErrors alone; the words come from `allowed_by`
    return value


def _check_time(value: object) -> object:
    if isinstance(value, time) or (isinstance(value, str) and TIME_OF_DAY.fullmatch(value)):
        return value
    raise ValueError


def _check_timezone(value: str) -> str:
    # Listing all zones takes 40 ms, which every command would wait for.
    if value != "UTC" and value not in zone_names():
        raise ValueError("a time zone such as Europe/Berlin or UTC")
    return value


def split_commas(value: object) -> object:
    """Return the parts of a text as the environment gives lists; anything else as it is."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _check_category(value: str) -> str:
    if not CATEGORY.fullmatch(value):
        raise ValueError("an arXiv category such as cs.LG or math")
    return value


def check_ways(ways: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ways to the model as they are."""
    if set(ways) - {"path", "hub", "wheel"}:
        raise ValueError("some of path, hub and wheel, in the order in which they are tried")
    return ways


def check_proxies(proxies: tuple[str, ...]) -> tuple[str, ...]:
    """Return addresses and networks as they are; a name, or a star, would be believed by nobody or by all."""
    for proxy in proxies:
        try:
            ip_network(proxy)
        except ValueError:
            raise ValueError("addresses or networks, such as 127.0.0.1 or 172.16.0.0/12") from None
    return proxies


def _check_hash(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError("a SHA-256 of 64 digits and letters a to f")
    return value


Hash = Annotated[str, AfterValidator(_check_hash)]
OptionalHash = Annotated[str, AfterValidator(lambda value: value and _check_hash(value))]


def check_shards(value: str) -> str:
    """Return which of how many shards, as it is.

    Raises:
        ValueError: it names no shards.
    """
    found = SHARDS.fullmatch(value)
    if found is None or not int(found["first"]) <= int(found["last"] or found["first"]) < int(found["total"]):
        raise ValueError("FIRST-LAST/TOTAL with numbers from 0 and below the total, as 0-3/8")
    return value


Url = Annotated[str, AfterValidator(check_url)]
OptionalUrl = Annotated[str, AfterValidator(lambda value: value and check_url(value))]
BaseUrl = Annotated[str, AfterValidator(check_base_url)]
Gateway = Annotated[str, AfterValidator(check_gateway)]
Application = Annotated[str, AfterValidator(check_application)]
SmtpUrl = Annotated[str, AfterValidator(check_smtp_url)]
OptionalMailbox = Annotated[str, AfterValidator(check_mailbox)]
Zone = Annotated[str, AfterValidator(_check_timezone)]
Category = Annotated[str, AfterValidator(_check_category)]
Whole = Annotated[int, BeforeValidator(_check_whole)]
TimeOfDay = Annotated[time, BeforeValidator(_check_time)]


def sentence_about(item: ErrorDetails, field: FieldInfo | None, where: str) -> str:
    """Return one sentence about a value that was refused: where, which value, what is allowed."""
    own_words = item["msg"].removeprefix("Value error,").strip() if item["type"] == "value_error" else ""
    return f"{where}: {_show(item['input'])} is not allowed; it must be {own_words or allowed_by(field)}."


def allowed_by(field: FieldInfo | None) -> str:
    """Return what a field takes, as the end of "it must be ..."."""
    kind: Any = field.annotation if field else None
    if field is None or kind is None:
        return "something else"
    if get_origin(kind) is Literal:
        *others, last = (repr(choice) for choice in get_args(kind))
        return f"{', '.join(others)} or {last}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "a table, with its keys below its name in brackets"
    if get_origin(kind) is tuple:
        return "a list of texts, not empty"
    words = {bool: "true or false", int: "a whole number", float: "a number", time: "a time such as 08:00"}
    return words.get(kind, "text") + _range_of(field)


def _range_of(field: FieldInfo) -> str:
    lowest = next((bound.ge for bound in field.metadata if isinstance(bound, Ge)), None)
    highest = next((bound.le for bound in field.metadata if isinstance(bound, Le)), None)
    return "" if lowest is None or highest is None else f" between {lowest} and {highest}"


def hide_passwords(text: str) -> str:
    """Return a text without what addresses in it name before an @."""
    return _PASSWORD.sub("***", text)


def _show(value: object) -> str:
    """Return a value as it was written, without a password that an address may hold."""
    shown = hide_passwords(repr(value))
    return shown if len(shown) <= LONGEST_VALUE else f"{shown[:LONGEST_VALUE]}…"
