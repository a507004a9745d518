"""PAPERBOY_SECRET_KEY is changed: nothing that was sealed, signed or named with the old one is lost."""

from __future__ import annotations

import ast
from argparse import Namespace
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import InvalidToken
from hypothesis import given
from hypothesis import strategies as st

from bots.email.names import KEPT_AS, Names, fitting_key
from bots.resealing import SEALS, Resealed, reseal, reseal_at_start
from bots.state import open_store
from bots.terminal.upkeep import migrate, seal_anew
from core.delivery.optin import block, name_of
from core.errors import PaperboyError, StoreError
from core.keys import KEPT_IN, Keys, open_keys
from core.settings import Settings, read_settings
from core.store.correspondents import Correspondent
from tests.fakes import MemoryStore
from tests.mailrooms import BASE, PLACE, READER, open_mailroom, path_in
from tests.worlds import MONDAY, open_world

ROOT = Path(__file__).parents[2]
LEAVER = "leaves@example.org"
FIRST, SECOND, THIRD = (f"{word} secret of thirty-two characters or more" for word in ("first", "second", "third"))


def secrets(new, *old):
    return {"paperboy_secret_key": new} | ({"paperboy_secret_key_old": "\n".join(old)} if old else {})


@asynccontextmanager
async def room_with(folder, store, new, *old):
    """A mail room whose store and papers were there before, started again with these secrets."""
    async with open_mailroom(folder, records=[], secrets=secrets(new, *old), store=store) as room:
        await reseal_at_start(room.world.house)
        yield room


@asynccontextmanager
async def house_with(folder, store, new, *old):
    async with open_world(folder, store=store, home=folder, secrets=secrets(new, *old)) as world:
        yield world.house


# Everything at once, as readers live through it


async def test_links_in_mails_from_before_work_and_whoever_left_stays_left_after_two_changes(tmp_path):
    async with open_mailroom(tmp_path, secrets=secrets(FIRST)) as room:
        store = room.world.house.store
        await room.join()
        mail = await room.digest()
        await room.join(email=LEAVER)
        name = await room.platform.signer.names.of(f"email:{LEAVER}")
        await room.press(room.platform.signer.preferences(name).removeprefix(BASE), do="delete", sure="yes")
    async with room_with(tmp_path, store, SECOND, FIRST) as room:
        assert READER in (await room.client.get(path_in(mail, "preferences"))).text
        assert "deleted" in await room.platform.reachable(f"email:{LEAVER}")
        await room.subscribe(LEAVER)
        assert not (await store.correspondent(name)).wishes
    async with room_with(tmp_path, store, THIRD, SECOND) as room:
        assert "deleted" in await room.platform.reachable(f"email:{LEAVER.upper()}"), "no secret of then is known"
        assert (await room.client.get(path_in(mail, "preferences"))).status_code == 404, "what FIRST signed has ended"
    async with room_with(tmp_path, store, THIRD, SECOND, FIRST) as room:
        answer = await room.press(path_in(mail, "unsubscribe"))
        assert answer.status_code == 200
        assert await store.subscriptions(PLACE) == []


async def test_a_form_that_was_opened_before_the_change_can_be_sent_after_it(tmp_path):
    async with open_mailroom(tmp_path, secrets=secrets(FIRST)) as room:
        store = room.world.house.store
        path = await room.confirmation()
        form, cookies = await room.form(path), room.client.cookies
    async with room_with(tmp_path, store, SECOND, FIRST) as room:
        room.client.cookies.update(cookies)
        assert "It is set up" in (await room.client.post(path, data=form)).text
        assert len(await store.subscriptions(PLACE)) == 1


# Names of addresses


async def test_the_name_of_an_address_is_the_same_under_every_secret_to_come():
    store = MemoryStore()
    first = await Names(Keys(FIRST), store).of(PLACE)
    assert first == name_of(PLACE, Keys(FIRST).derive("mail addresses"))
    assert await Names(Keys(SECOND, [FIRST]), store).of(PLACE) == first
    with pytest.raises(StoreError, match="name it in PAPERBOY_SECRET_KEY_OLD"):
        await Names(Keys(SECOND), store).of(PLACE)


@given(st.sampled_from([0, 1, 2]), st.booleans())
def test_people_who_were_named_before_the_key_was_kept_keep_their_names(made_with, erased):
    keys = Keys(THIRD, [SECOND, FIRST]).derive_all("mail addresses")
    name = name_of(PLACE, keys[made_with])
    people = [block("0" * 64, None), Correspondent(name, PLACE)]
    assert fitting_key(people, keys) == keys[made_with]
    assert fitting_key([block(name, None)], keys) == keys[-1], "nobody can tell, so it is the secret of long ago"
    assert fitting_key([], keys) == keys[0]


# What is sealed


async def test_what_is_sealed_is_sealed_anew_once_and_then_needs_no_secret_from_before(tmp_path):
    store = MemoryStore()
    await store.keep_sealed("slack:T1", Keys(FIRST).box("slack tokens").encrypt(b"xoxb-1").decode())
    await Names(Keys(FIRST), store).of(PLACE)
    async with house_with(tmp_path, store, SECOND, FIRST) as house:
        assert await reseal(house.store, house.keys) == Resealed(2)
        assert await reseal(house.store, house.keys) == Resealed()
    opened = Keys(SECOND).box("slack tokens").decrypt((await store.sealed("slack:T1")).encode())
    assert opened == b"xoxb-1"
    with pytest.raises(InvalidToken):
        Keys(FIRST).box("slack tokens").decrypt((await store.sealed("slack:T1")).encode())


async def test_a_token_that_is_renewed_while_it_is_sealed_anew_is_not_overwritten(tmp_path):
    class Busy(MemoryStore):
        async def replace_sealed(self, name, sealed, *, expected):
            if (await self.sealed(name)) == stale:
                await self.keep_sealed(name, renewed)
            return await super().replace_sealed(name, sealed, expected=expected)

    store = Busy()
    stale = Keys(FIRST).box("slack tokens").encrypt(b"xoxb-old").decode()
    renewed = Keys(FIRST).box("slack tokens").encrypt(b"xoxb-renewed").decode()
    await store.keep_sealed("slack:T1", stale)
    async with house_with(tmp_path, store, SECOND, FIRST) as house:
        assert await reseal(house.store, house.keys) == Resealed(1)
    assert Keys(SECOND).box("slack tokens").decrypt((await store.sealed("slack:T1")).encode()) == b"xoxb-renewed"


async def test_without_the_old_secret_nothing_is_touched_and_it_is_said(tmp_path, caplog, capsys):
    store = MemoryStore()
    sealed = Keys(FIRST).box("slack tokens").encrypt(b"xoxb-1").decode()
    await store.keep_sealed("slack:T1", sealed)
    async with house_with(tmp_path, store, SECOND) as house:
        await reseal_at_start(house)
        assert "No secret opens what is sealed as slack:T1" in caplog.text
        with pytest.raises(PaperboyError, match="No secret opens"):
            await seal_anew(house.store, house.keys, forget=False)
        assert await store.sealed("slack:T1") == sealed
        await seal_anew(house.store, house.keys, forget=True)
    assert "Forgot what no secret opens: slack:T1." in capsys.readouterr().out
    assert await store.sealed("slack:T1") is None


@pytest.mark.parametrize("shared", [False, True], ids=["data folder", "database"])
async def test_migrate_seals_anew_wherever_the_state_lies(tmp_path, capsys, shared, request):
    place = {"database_url": request.getfixturevalue("database_url")} if shared else {}

    def settings(*given):
        return Settings.model_validate({"home": tmp_path, "secrets": {**secrets(*given), **place}})

    async with open_store(settings(FIRST)) as store:
        await store.keep_sealed("slack:T1", Keys(FIRST).box("slack tokens").encrypt(b"xoxb-1").decode())
    for told in ("1 text was sealed anew", ""):
        assert await migrate(Namespace(forget_sealed=False), settings(SECOND, FIRST)) == 0
        assert ("sealed anew" in capsys.readouterr().out) == bool(told)
    async with open_store(settings(SECOND)) as store:
        assert await reseal(store, lambda: Keys(SECOND)) == Resealed()


async def test_where_nothing_is_sealed_no_secret_is_made(tmp_path):
    async with open_world(tmp_path, home=tmp_path) as world:
        assert await reseal(world.house.store, world.house.keys) == Resealed()
    assert not (tmp_path / KEPT_IN).exists()


def test_every_purpose_that_seals_is_sealed_anew():
    found = set()
    for path in [*(ROOT / "bots").rglob("*.py"), *(ROOT / "core").rglob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            node.targets[0].id: node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "box":
                (purpose,) = node.args
                found.add(constants.get(getattr(purpose, "id", ""), ast.unparse(purpose)))
    assert found - {"purpose"} == set(SEALS.values())
    assert KEPT_AS.startswith(tuple(SEALS))


# Where secrets come from


def settings_for(folder, **environ):
    return read_settings({"PAPERBOY_HOME": str(folder), **environ})


def test_the_file_may_hold_the_secret_of_now_and_below_it_those_from_before(tmp_path):
    (tmp_path / KEPT_IN).write_text(f"{SECOND}\n{FIRST}\n", encoding="ascii")
    keys = open_keys(settings_for(tmp_path))
    assert keys.derive_all("x") == Keys(SECOND, [FIRST]).derive_all("x")
    (tmp_path / KEPT_IN).write_text(f"{SECOND}\nshort\n", encoding="ascii")
    with pytest.raises(StoreError, match="less than the 32 characters"):
        open_keys(settings_for(tmp_path))


def test_a_secret_in_the_environment_takes_over_from_the_file_which_is_believed_as_long_as_it_lies_there(tmp_path):
    (tmp_path / KEPT_IN).write_text(f"{FIRST}\n", encoding="ascii")
    keys = open_keys(settings_for(tmp_path, PAPERBOY_SECRET_KEY=SECOND))
    assert keys.derive_all("x") == Keys(SECOND, [FIRST]).derive_all("x")
    assert open_keys(settings_for(tmp_path, PAPERBOY_SECRET_KEY=FIRST)).old == 0
    (tmp_path / KEPT_IN).unlink()
    assert open_keys(settings_for(tmp_path, PAPERBOY_SECRET_KEY=SECOND)).old == 0


def test_old_secrets_stand_one_a_line_newest_first_also_in_a_file(tmp_path):
    (tmp_path / "old").write_text(f"\n  {SECOND}\n{FIRST}\n\n", encoding="utf-8")
    given_by_file = {"PAPERBOY_SECRET_KEY": THIRD, "PAPERBOY_SECRET_KEY_OLD_FILE": str(tmp_path / "old")}
    keys = open_keys(settings_for(tmp_path / "data", **given_by_file))
    assert keys.derive_all("x") == Keys(THIRD, [SECOND, FIRST]).derive_all("x")


@given(st.integers(min_value=0, max_value=2))
def test_a_link_signed_with_any_secret_that_is_still_believed_can_be_read(signed_with):
    every = [THIRD, SECOND, FIRST]
    now = MONDAY
    token = Keys(every[signed_with]).sign("mark", ["up"], until=now + timedelta(days=1))
    assert Keys(THIRD, [SECOND, FIRST]).read("mark", token, now=now) == ["up"]
    fresh = Keys(THIRD, [SECOND, FIRST]).sign("mark", ["up"], until=now + timedelta(days=1))
    assert Keys(THIRD).read("mark", fresh, now=now) == ["up"], "the newest signs"
