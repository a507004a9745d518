from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import InvalidToken
from hypothesis import given
from hypothesis import strategies as st

from core.errors import LinkError, SettingsError, StoreError
from core.keys import KEPT_IN, Keys, open_keys
from core.settings import read_settings

NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
KEYS = Keys("correct horse battery staple, twice")


def settings_for(folder, **environ):
    return read_settings({"PAPERBOY_HOME": str(folder), **environ})


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path):
    first = open_keys(settings_for(tmp_path / "data"))
    assert stat.S_IMODE((tmp_path / "data" / KEPT_IN).stat().st_mode) == 0o600
    assert open_keys(settings_for(tmp_path / "data")).derive("x") == first.derive("x")
    assert open_keys(settings_for(tmp_path / "other")).derive("x") != first.derive("x")
    assert [path.name for path in (tmp_path / "data").iterdir()] == [KEPT_IN]


def test_a_secret_that_is_set_is_used_and_none_is_made(tmp_path):
    secret = "any text will do, if there is enough of it"
    assert open_keys(settings_for(tmp_path, PAPERBOY_SECRET_KEY=secret)).derive("x") == Keys(secret).derive("x")
    (tmp_path / "key").write_text(f"{secret}\n", encoding="utf-8")
    named = settings_for(tmp_path, PAPERBOY_SECRET_KEY_FILE=str(tmp_path / "key"))
    assert open_keys(named).derive("x") == Keys(secret).derive("x")
    assert not (tmp_path / KEPT_IN).exists()


def test_a_secret_that_is_too_short_stops_the_start_and_is_not_told(tmp_path):
    with pytest.raises(SettingsError) as caught:
        settings_for(tmp_path, PAPERBOY_SECRET_KEY="hunter2")
    assert str(caught.value) == ("PAPERBOY_SECRET_KEY: this is too short; it must be a text of 32 characters or more.")


def test_a_secret_that_cannot_be_read_is_one_sentence(tmp_path):
    (tmp_path / KEPT_IN).mkdir()
    with pytest.raises(StoreError, match="cannot be read or made"):
        open_keys(settings_for(tmp_path))


@pytest.mark.parametrize("left", ["", "\n", "too short"])
def test_a_secret_that_was_cut_off_makes_no_keys_that_anybody_could_make(tmp_path, left):
    (tmp_path / KEPT_IN).write_text(left, encoding="ascii")
    with pytest.raises(StoreError, match="holds less than the 32 characters of a secret; bring it back") as caught:
        open_keys(settings_for(tmp_path))
    assert "too short" not in str(caught.value)


def test_what_a_killed_start_left_keeps_the_next_from_nothing(tmp_path):
    (tmp_path / f"{KEPT_IN}.{os.getpid()}").write_text("half", encoding="ascii")
    assert open_keys(settings_for(tmp_path)).derive("x") == open_keys(settings_for(tmp_path)).derive("x")


@given(st.text(max_size=30), st.text(max_size=30))
def test_each_purpose_has_a_key_of_its_own(one, other):
    assert (KEYS.derive(one) == KEYS.derive(other)) == (one == other)


def test_what_is_sealed_for_one_purpose_opens_for_no_other():
    sealed = KEYS.box("tokens").encrypt(b"xoxb-1")
    assert KEYS.box("tokens").decrypt(sealed) == b"xoxb-1"
    with pytest.raises(InvalidToken):
        KEYS.box("mail").decrypt(sealed)


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists))
def test_a_token_carries_its_data_through_an_address(data):
    token = KEYS.sign("mark", data, until=LATER)
    assert KEYS.read("mark", token, now=NOW) == data
    assert all(letter.isalnum() or letter in "-_." for letter in token)


def test_a_token_ends_and_says_when():
    token = KEYS.sign("mark", 1, until=LATER)
    assert KEYS.read("mark", token, now=LATER) == 1
    with pytest.raises(LinkError, match=r"has ended \(2026-11-26 08:00 UTC\)"):
        KEYS.read("mark", token, now=LATER + timedelta(seconds=1))


@given(st.data())
def test_a_token_that_was_changed_or_made_up_is_refused(data):
    token = KEYS.sign("mark", ["up", "2310.01234"], until=LATER)
    place = data.draw(st.integers(0, len(token) - 2))  # the last letter holds two bits that say nothing
    letter = data.draw(st.sampled_from("abcXYZ019-_.").filter(lambda letter: letter != token[place]))
    changed = token[:place] + letter + token[place + 1 :]
    for wrong in (changed, data.draw(st.text(max_size=60))):
        with pytest.raises(LinkError):
            KEYS.read("mark", wrong, now=NOW)
    with pytest.raises(LinkError):
        KEYS.read("unsubscribe", token, now=NOW)
