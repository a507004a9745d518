from __future__ import annotations

import os
import tomllib
from datetime import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from core.errors import SettingsError
from core.settings import MAX_FILE, SECRETS, Settings, Web, config_file, read_settings

BASE_URL = "an address such as https://example.org or https://example.org/papers"
WEB_KEYS = ", ".join(sorted(Web.model_fields))


@pytest.fixture
def written(tmp_path):
    """Write a settings file and return the environment that names it."""

    def write(content, **environ):
        path = tmp_path / "mine.toml"
        path.write_text(content, encoding="utf-8")
        return {"PAPERBOY_CONFIG": str(path), **environ}

    return write


def problems_of(environ):
    with pytest.raises(SettingsError) as caught:
        read_settings(environ)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


def tables_of(settings):
    return {
        name: {key: list(value) if isinstance(value, tuple) else value for key, value in table.model_dump().items()}
        for name, table in settings
        if isinstance(table, BaseModel) and name != "secrets"
    }


def test_the_file_that_ships_holds_every_setting_with_its_default_and_no_other():
    shipped = tomllib.loads(config_file("paperboy.toml").read_text(encoding="utf-8"))
    assert shipped == tables_of(Settings())


def test_every_table_of_the_file_that_ships_is_explained():
    _, *tables = config_file("paperboy.toml").read_text(encoding="utf-8").split("\n[")
    assert len(tables) == len(tables_of(Settings()))
    assert [table for table in tables if "\n# " not in table] == []


def test_without_anything_set_the_defaults_hold():
    settings = read_settings({})
    assert settings.model_dump() == Settings().model_dump()
    assert settings.home == Path("data")
    assert settings.secrets.hf_token is None


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(written):
    environ = written("[web]\nport = 9000\nhost = '0.0.0.0'\n[digest]\nat = 07:30:00\n", PAPERBOY_WEB__PORT="9001")
    settings = read_settings(environ)
    assert (settings.web.port, settings.web.host, settings.web.enabled) == (9001, "0.0.0.0", True)
    assert settings.digest.at == time(7, 30)


def test_settings_cannot_be_changed_once_read():
    settings = read_settings({})
    with pytest.raises(ValueError, match="frozen"):
        settings.web.port = 1


@pytest.mark.parametrize(
    ("name", "value", "table", "key", "read"),
    [
        ("PAPERBOY_WEB__PORT", "0", "web", "port", 0),
        ("PAPERBOY_ARXIV__CATEGORIES", "cs.LG, math ,cs.*", "arxiv", "categories", ("cs.LG", "math", "cs.*")),
        ("PAPERBOY_WEB__ENABLED", "false", "web", "enabled", False),
        ("PAPERBOY_WEB__ENABLED", "0", "web", "enabled", False),
        ("PAPERBOY_CHAT__EVERYONE_MAY_SUBSCRIBE", "TRUE", "chat", "everyone_may_subscribe", True),
        ("PAPERBOY_CHAT__EVERYONE_MAY_SUBSCRIBE", "on", "chat", "everyone_may_subscribe", True),
        ("PAPERBOY_DIGEST__AT", "06:45", "digest", "at", time(6, 45)),
        ("PAPERBOY_DIGEST__TIMEZONE", "Europe/Berlin", "digest", "timezone", "Europe/Berlin"),
        ("PAPERBOY_SLACK__API_URL", "http://127.0.0.1:9/api", "slack", "api_url", "http://127.0.0.1:9/api/"),
        ("PAPERBOY_SLACK__API_URL", "http://127.0.0.1:9/api/", "slack", "api_url", "http://127.0.0.1:9/api/"),
        ("PAPERBOY_ARXIV__RSS_URL", "http://mirror.test/", "arxiv", "rss_url", "http://mirror.test"),
        ("PAPERBOY_DISCORD__GATEWAY_URL", "ws://127.0.0.1:9", "discord", "gateway_url", "ws://127.0.0.1:9"),
        ("PAPERBOY_DISCORD__API_URL", "", "discord", "api_url", ""),
        ("HF_ENDPOINT", "http://mirror.test", "huggingface", "endpoint", "http://mirror.test"),
    ],
)  # fmt: skip
def test_a_value_of_the_environment_is_read_as_what_it_means(name, value, table, key, read):
    assert getattr(getattr(read_settings({name: value}), table), key) == read


def test_our_own_name_of_the_hugging_face_address_wins_over_the_common_one():
    environ = {"PAPERBOY_HUGGINGFACE__ENDPOINT": "http://a.test", "HF_ENDPOINT": "http://b.test"}
    assert read_settings(environ).huggingface.endpoint == "http://a.test"
    assert read_settings(dict(reversed(environ.items()))).huggingface.endpoint == "http://a.test"


def test_the_data_folder_has_a_name_of_its_own(tmp_path):
    assert read_settings({"PAPERBOY_HOME": str(tmp_path)}).home == tmp_path
    assert read_settings({"PAPERBOY_HOME": ""}).home == Path("data")


def test_variables_of_others_are_left_alone():
    assert read_settings({"PATH": "/bin", "SLACK_TEAM": "x"}) == read_settings({})


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PAPERBOY_WEB__PORT", "abc", "a whole number between 0 and 65535"),
        ("PAPERBOY_WEB__PORT", "", "a whole number between 0 and 65535"),
        ("PAPERBOY_WEB__PORT", "65536", "a whole number between 0 and 65535"),
        ("PAPERBOY_WEB__PORT", "80.5", "a whole number between 0 and 65535"),
        ("PAPERBOY_DIGEST__TOP", "0", "a whole number between 1 and 50"),
        ("PAPERBOY_ARXIV__MIN_INTERVAL", "soon", "a number between 0 and 3600"),
        ("PAPERBOY_ARXIV__MIN_INTERVAL", "nan", "a number between 0 and 3600"),
        ("PAPERBOY_WEB__ENABLED", "maybe", "true or false"),
        ("PAPERBOY_DIGEST__AT", "25:00", "a time such as 08:00"),
        ("PAPERBOY_DIGEST__AT", "08:00+02:00", "a time such as 08:00"),
        ("PAPERBOY_DIGEST__AT", "8", "a time such as 08:00"),
        ("PAPERBOY_DIGEST__DAYS", "never", "'daily', 'weekdays' or 'weekly'"),
        ("PAPERBOY_DIGEST__TIMEZONE", "Mars/Base", "a time zone such as Europe/Berlin or UTC"),
        ("PAPERBOY_LOG__LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("PAPERBOY_ARXIV__CATEGORIES", "Learning", "an arXiv category such as cs.LG or math"),
        ("PAPERBOY_ARXIV__API_URL", "example.org", "an address such as https://example.org"),
        ("PAPERBOY_ARXIV__API_URL", "http://[::1", "an address such as https://example.org"),
        ("PAPERBOY_DISCORD__API_URL", "nope", "an address such as https://example.org"),
        ("PAPERBOY_FETCH__CONTACT", "me\r\nX-Evil: 1", "one line of text, such as you@example.org"),
        ("PAPERBOY_FETCH__CONTACT", "me\x7f", "one line of text, such as you@example.org"),
        ("PAPERBOY_FETCH__CONTACT", "me\x85you", "one line of text, such as you@example.org"),
        ("PAPERBOY_WEB__PROXIES", "*", "addresses or networks, such as 127.0.0.1 or 172.16.0.0/12"),
        ("PAPERBOY_WEB__PROXIES", "::1,proxy.local", "addresses or networks, such as 127.0.0.1 or 172.16.0.0/12"),
        ("PAPERBOY_WEB__PROXIES", "172.16.0.1/12", "addresses or networks, such as 127.0.0.1 or 172.16.0.0/12"),
        ("PAPERBOY_ARXIV__API_URL", "http://a.test:99999", "an address such as https://example.org"),
        ("PAPERBOY_ARXIV__API_URL", "ws://a.test", "an address such as https://example.org"),
        ("PAPERBOY_ARXIV__API_URL", 'http://a"b.test', "an address such as https://example.org"),
        ("PAPERBOY_WEB__BASE_URL", "https://a.test/?x=1", f"{BASE_URL}, with nothing behind it"),
        ("PAPERBOY_WEB__BASE_URL", "https://a.test/#x", f"{BASE_URL}, with nothing behind it"),
        ("PAPERBOY_DISCORD__GATEWAY_URL", "a.test", "an address such as wss://example.org"),
        ("PAPERBOY_DISCORD__APPLICATION_ID", "abc", "a number of 15 to 20 digits, or empty"),
        ("HF_ENDPOINT", "ftp://a.test", "an address such as https://example.org"),
    ],
)
def test_a_bad_value_is_one_sentence_with_its_place_and_what_is_allowed(name, value, allowed):
    assert problems_of({name: value}) == [f"{name}: {value!r} is not allowed; it must be {allowed}."]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[web]\nport = true", "[web] port: True is not allowed; it must be a whole number between 0 and 65535."),
        ("[web]\nhost = 5", "[web] host: 5 is not allowed; it must be text."),
        ("[web]\nenabled = 'x'", "[web] enabled: 'x' is not allowed; it must be true or false."),
        ("[digest]\nat = 8", "[digest] at: 8 is not allowed; it must be a time such as 08:00."),
        ("[arxiv]\ncategories = []", "[arxiv] categories: [] is not allowed; it must be a list of texts, not empty."),
        ("[arxiv]\ncategories = [5]", "[arxiv] categories: 5 is not allowed; it must be a list of texts, not empty."),
        ("web = 5", "web: 5 is not allowed; it must be a table, with its keys below its name in brackets."),
        ("[web]\nprot = 1", f"[web] prot: there is no such key; allowed are {WEB_KEYS}."),
    ],
)  # fmt: skip
def test_a_bad_value_in_the_file_is_told_with_file_and_place(written, content, sentence):
    environ = written(content)
    assert problems_of(environ) == [f"{environ['PAPERBOY_CONFIG']}, {sentence}"]


def test_an_unknown_table_is_told_with_the_known_ones(written):
    environ = written("[wbe]\nport = 1")
    tables = ", ".join(sorted(set(Settings.model_fields) - {"secrets", "home"}))
    assert problems_of(environ) == [f"{environ['PAPERBOY_CONFIG']}, wbe: there is no such table; allowed are {tables}."]
    assert problems_of({"PAPERBOY_WBE__PORT": "1"}) == [
        f"PAPERBOY_WBE__PORT: there is no such table; allowed are {tables}."
    ]


def test_an_unknown_key_of_the_environment_is_told():
    assert problems_of({"PAPERBOY_WEB__PROT": "1"}) == [
        f"PAPERBOY_WEB__PROT: there is no such key; allowed are {WEB_KEYS}."
    ]
    assert problems_of({"PAPERBOY_WEBPORT": "1"}) == [
        "PAPERBOY_WEBPORT: settings in the environment are written PAPERBOY_<TABLE>__<KEY>."
    ]


def test_all_mistakes_are_told_at_once(written):
    environ = written("[web]\nport = -1\n[log]\nlevel = 'x'", PAPERBOY_FOO="1", PAPERBOY_DIGEST__TOP="many")
    assert len(problems_of(environ)) == 4


def test_a_file_that_was_named_must_be_there(tmp_path):
    missing = tmp_path / "missing.toml"
    assert problems_of({"PAPERBOY_CONFIG": str(missing)}) == [
        f"PAPERBOY_CONFIG: {missing} cannot be read (No such file or directory); name a file that can be."
    ]
    assert "cannot be read (Is a directory)" in problems_of({"PAPERBOY_CONFIG": str(tmp_path)})[0]


def test_a_settings_file_that_may_have_no_end_is_not_read(tmp_path):
    pipe, large = tmp_path / "pipe", tmp_path / "large"
    os.mkfifo(pipe)
    large.write_text("#" * (MAX_FILE + 1))
    for path in (Path("/dev/zero"), pipe, large):
        what = "it holds more than 1 MB" if path == large else "it is not a regular file"
        assert problems_of({"PAPERBOY_CONFIG": str(path)}) == [
            f"PAPERBOY_CONFIG: {path} cannot be read ({what}); name a file that can be."
        ]
        assert problems_of({"DISCORD_TOKEN_FILE": str(path)}) == [
            f"DISCORD_TOKEN_FILE: {path} cannot be read ({what})."
        ]


def test_a_settings_file_may_be_as_large_as_a_megabyte(written):
    assert read_settings(written("[web]\nport = 1\n".ljust(MAX_FILE, "#"))).web.port == 1


@pytest.mark.parametrize("content", [b"a = " + b"[" * 9000, b"[web", b"port 80", b"\xff\xfe", b"a = 1\na = 2"])
def test_a_file_that_is_not_toml_is_one_sentence(tmp_path, content):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    (problem,) = problems_of({"PAPERBOY_CONFIG": str(path)})
    assert problem.startswith(f"{path}: this is not TOML: ")
    assert problem.endswith(".")


def test_less_than_three_seconds_between_requests_is_refused_for_arxiv_itself():
    (problem,) = problems_of({"PAPERBOY_ARXIV__MIN_INTERVAL": "1"})
    assert problem == (
        "arxiv.min_interval: 1 is too short for export.arxiv.org (arxiv.api_url); "
        "arXiv's terms ask for 3 seconds or more."
    )


@pytest.mark.parametrize("left", ["API_URL", "RSS_URL", "OAI_URL", "LIST_URL"])
def test_a_short_interval_needs_every_address_to_be_a_stand_in(left):
    stand_ins = {
        f"PAPERBOY_ARXIV__{name}": "http://127.0.0.1:9/x" for name in ("API_URL", "RSS_URL", "OAI_URL", "LIST_URL")
    }
    assert read_settings({**stand_ins, "PAPERBOY_ARXIV__MIN_INTERVAL": "0"}).arxiv.min_interval == 0
    for host in ("arxiv.org", "WWW.arXiv.ORG", "rss.arxiv.org:443"):
        mixed = {**stand_ins, f"PAPERBOY_ARXIV__{left}": f"https://{host}", "PAPERBOY_ARXIV__MIN_INTERVAL": "2.9"}
        assert "arXiv's terms ask" in problems_of(mixed)[0]
    other = {**stand_ins, f"PAPERBOY_ARXIV__{left}": "https://notarxiv.org", "PAPERBOY_ARXIV__MIN_INTERVAL": "0"}
    assert read_settings(other).arxiv.min_interval == 0


def test_secrets_come_by_the_names_of_their_platforms_or_from_files(tmp_path):
    file = tmp_path / "token"
    file.write_text("from-the-file\n")
    settings = read_settings({"DISCORD_TOKEN": " from-the-environment ", "HF_TOKEN_FILE": str(file)})
    assert settings.secrets.discord_token.get_secret_value() == "from-the-environment"
    assert settings.secrets.hf_token.get_secret_value() == "from-the-file"


def test_the_environment_wins_over_the_file_of_a_secret(tmp_path):
    environ = {"HF_TOKEN": "direct", "HF_TOKEN_FILE": str(tmp_path / "missing")}
    assert read_settings(environ).secrets.hf_token.get_secret_value() == "direct"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read (No such file or directory)."),
        (b"\xff\xfe\x00", "cannot be read (not text)."),
        (b" \n", "is empty; it must hold the secret."),
    ],
)
def test_a_file_of_a_secret_that_holds_none_is_one_sentence(tmp_path, content, told):
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    assert problems_of({"HF_TOKEN_FILE": str(path)}) == [f"HF_TOKEN_FILE: {path} {told}"]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_never_shown(name):
    environ = {"SLACK_BOT_TOKEN": "xoxb-hush", "SLACK_APP_TOKEN": "xapp-hush"}
    if "CLIENT" in name:
        environ = {f"SLACK_{part}": "hush" for part in ("CLIENT_ID", "CLIENT_SECRET", "SIGNING_SECRET")}
    secret = ("postgresql://db/" if name == "DATABASE_URL" else "") + "very-hush" * 4
    environ |= {name: secret}
    settings = read_settings(environ)
    for shown in (
        repr(settings),
        str(settings),
        repr(settings.secrets),
        str(settings.model_dump()),
        settings.model_dump_json(),
    ):
        assert "hush" not in shown
    assert getattr(settings.secrets, name.lower()).get_secret_value() == secret


@pytest.mark.parametrize("bad", ["hush hush", "hush\x00x", "hüsh", '"hush\nhush"'])
def test_a_secret_that_can_be_none_is_refused_without_showing_it(bad):
    assert problems_of({"DISCORD_TOKEN": bad}) == [
        "DISCORD_TOKEN: this is no token; it must be one word of plain letters, digits and marks."
    ]


def test_a_secret_in_a_wrong_place_is_refused_without_showing_it(written):
    for environ in (written("[secrets]\nhf_token = 'hush'"), {"PAPERBOY_SECRETS__HF_TOKEN": "hush"}):
        (problem,) = problems_of(environ)
        assert "secrets" in problem.lower()
        assert "hush" not in problem


def test_a_password_in_a_bad_address_is_not_shown():
    (problem,) = problems_of({"PAPERBOY_ARXIV__API_URL": "gopher://me:hush@a.test"})
    assert "'gopher://***@a.test' is not allowed" in problem


def test_a_very_long_value_is_shown_shortly():
    assert len(problems_of({"PAPERBOY_WEB__PORT": "9" * 5000})[0]) < 200


def test_slack_needs_both_its_tokens():
    assert problems_of({"SLACK_APP_TOKEN": "xapp-1"})[0].startswith(
        "SLACK_APP_TOKEN is set, but SLACK_BOT_TOKEN is not"
    )
    assert problems_of({"SLACK_BOT_TOKEN": "xoxb-1"})[0].startswith(
        "SLACK_BOT_TOKEN is set, but neither SLACK_APP_TOKEN (Socket Mode) nor SLACK_SIGNING_SECRET"
    )


NO_DATABASES = (
    "mysql://me:hush@db/x",
    "postgresql://me:hush@db",
    "postgresql://me:hush@db:port/x",
    "hush",
    "postgresql://me:a@hush@db/x",
    "postgresql://me:a@hush/1@db/x",
    "postgresql://me:hush%@db/x",
    "postgresql://me:hush%00@db/x",
)


def test_a_blank_database_is_a_mistake_and_not_the_data_folder_unasked():
    (problem,) = problems_of({"DATABASE_URL": " "})
    assert problem.startswith("DATABASE_URL: it is blank; allowed is postgresql://")
    assert read_settings({"DATABASE_URL": ""}).secrets.database_url is None, "as compose sets what is not set"


@pytest.mark.parametrize("url", NO_DATABASES)
def test_what_names_no_postgresql_database_is_refused_without_showing_its_password(url):
    (problem,) = problems_of({"DATABASE_URL": url})
    assert problem.startswith("DATABASE_URL: allowed is postgresql://USER:PASSWORD@HOST:PORT/NAME, with @")
    assert "hush" not in problem


@pytest.mark.parametrize(
    "url", ["postgresql://me:hush@db/x", "postgres://db:6432/x?sslmode=require", "postgresql:///x"]
)
def test_a_postgresql_database_is_a_secret_like_others(url):
    settings = read_settings({"DATABASE_URL": url})
    assert settings.secrets.database_url is not None
    assert settings.secrets.database_url.get_secret_value() == url
    assert "hush" not in repr(settings)


def test_a_file_that_ships_is_found_and_one_that_does_not_has_a_path_all_the_same():
    assert config_file("paperboy.toml").is_file()
    assert config_file("nothing.toml").name == "nothing.toml"


KEYS = [(table, key) for table, keys in tables_of(Settings()).items() for key in keys]
JARGON = ("Input", "valid", "parse", "instance", "dictionary", "validation", "item", "pydantic", "str ", "None")


@given(st.sampled_from(KEYS), st.text(max_size=30))
def test_any_value_is_either_read_or_told_in_plain_words(place, value):
    name = f"PAPERBOY_{place[0]}__{place[1]}".upper()
    try:
        read_settings({name: value})
    except SettingsError as error:
        for problem in error.problems:
            assert problem.startswith((name, "arxiv.min_interval"))
            assert problem.endswith(".")
            assert not [word for word in JARGON if word in problem.replace(repr(value)[:60], "")]


def test_dev_null_is_the_usual_way_to_name_no_file():
    assert read_settings({"PAPERBOY_CONFIG": os.devnull}) == Settings()
