"""Many workspaces: installed by their own people, tokens sealed and renewed, forgotten as promised."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bots.resealing import Resealed, reseal
from core.chat.message import Kind, Message, text
from core.errors import DeliveryError, DeliveryFailure
from core.keys import Keys
from tests.fakes import make_change, make_mark, make_subscription
from tests.integration.slack_rooms import open_room
from tests.servers.slack import ALICE, MEMBER, Fault
from tests.slacks import MANY, SECRET_KEY
from tests.worlds import open_world

HELLO = Message(Kind.ANSWER, lines=(text("hello"),))
PLACE = f"slack:T7/{MEMBER}"
TEAM = {"team": {"id": "T7", "name": "Seven <&>"}}


@pytest.fixture(name="room")
async def run_room():
    async with open_room(MANY) as opened:
        yield opened


async def begin(client):
    """Open the install page and return the state behind its button; the cookie goes by hand, for it is Secure."""
    page = await client.get("/slack/install")
    address = page.text.partition('href="')[2].partition('"')[0].replace("&amp;", "&")
    state = parse_qs(urlsplit(address).query)["state"][0]
    return page, address, state, {"Cookie": f"slack-app-oauth-state={state}"}


def browser(room):
    return httpx.AsyncClient(base_url=room.page, cookies=None)


async def install(room, answer=TEAM):
    async with browser(room) as client:
        _, _, state, cookie = await begin(client)
        client.cookies.clear()
        room.server.codes["code"] = answer
        return await client.get("/slack/oauth_redirect", params={"code": "code", "state": state}, headers=cookie)


async def test_the_install_page_leads_to_slack_with_the_scopes_and_a_state_and_names_privacy(room):
    async with browser(room) as client:
        page, address, state, _ = await begin(client)
    asked = parse_qs(urlsplit(address).query)
    assert address.startswith("https://slack.com/oauth/v2/authorize?")
    assert asked["client_id"] == [MANY["client_id"]]
    assert set(asked["scope"][0].split(",")) == set(room.server.scopes.split(","))
    assert asked["redirect_uri"] == ["https://papers.example.org/slack/oauth_redirect"]
    assert state in page.headers["set-cookie"]
    assert "HttpOnly" in page.headers["set-cookie"]
    assert '<a href="/privacy">' in page.text
    assert '<a href="/support">' in page.text


async def test_an_installed_workspace_is_served_with_a_token_of_its_own(room):
    page = await install(room)
    assert page.status_code == 200
    assert "Seven &lt;&amp;&gt;" in page.text
    await room.slack.deliver(PLACE, HELLO, key="k")
    (call,) = room.server.made("chat.postMessage")
    assert room.server.tokens[call.token] == "T7"
    await room.server.slash("search q", team="T7")
    assert (await room.replied())["text"].startswith("Search: q")
    assert room.desk.requests[0].place == PLACE


async def test_a_token_lies_in_the_store_sealed_with_the_secret_key(room):
    await install(room)
    (token,) = [token for token, team in room.server.tokens.items() if team == "T7"]
    sealed = await room.store.sealed("slack:T7")
    assert token not in sealed
    assert token in Keys(SECRET_KEY).box("slack tokens").decrypt(sealed.encode()).decode()


async def test_an_installation_outlives_a_restart(room):
    await install(room)
    tokens = room.server.tokens
    async with open_room(MANY, store=room.store, prepare=lambda server: server.tokens.update(tokens)) as later:
        assert (await later.slack.deliver(PLACE, HELLO, key="k")).parts


async def test_two_workspaces_keep_to_their_own_tokens(room):
    await install(room)
    await install(room, {"team": {"id": "T8", "name": "Eight"}})
    await asyncio.gather(*(room.slack.deliver(f"slack:{team}/{MEMBER}", HELLO, key="k") for team in ("T7", "T8")))
    assert {room.server.tokens[call.token] for call in room.server.made("chat.postMessage")} == {"T7", "T8"}


async def test_a_workspace_without_installation_gets_one_sentence_and_no_call(room):
    with pytest.raises(DeliveryError, match="install it at https://papers") as raised:
        await room.slack.deliver(PLACE, HELLO, key="k")
    assert raised.value.kind is DeliveryFailure.GONE
    assert "install it at" in await room.slack.reachable(PLACE)
    assert room.server.calls == []
    await room.server.slash("search q", team="T7")
    await room.server.until(lambda: room.server.made("response_url"))
    assert "install it again" in str(room.server.made("response_url")[0].args)
    assert room.desk.requests == []


async def answer_to(room, **query):
    async with browser(room) as client:
        _, _, state, cookie = await begin(client)
        client.cookies.clear()
        given = {"code": "code", "state": state} | query
        return await client.get(
            "/slack/oauth_redirect",
            params={k: v for k, v in given.items() if v},
            headers=cookie if given["state"] else {},
        )


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"state": "forged"}, "did not begin the installation"),
        ({"state": ""}, "did not begin the installation"),
        ({"code": ""}, "sent no code"),
        ({"code": "unknown"}, "did not confirm"),
        ({"error": "access_denied"}, "cancelled"),
        ({"error": "<script>"}, "Slack ended the installation"),
    ],
)
async def test_an_installation_that_goes_wrong_says_so_and_keeps_nothing(room, query, told):
    page = await answer_to(room, **query)
    assert told in page.text
    assert "<script>" not in page.text
    assert 'href="/slack/install"' in page.text
    assert list(await room.store.sealed_names("")) == []


async def test_a_state_is_good_for_one_use_ten_minutes_and_the_browser_that_began(room):
    room.server.codes |= {"one": TEAM, "two": TEAM, "three": TEAM}
    async with browser(room) as client:
        _, _, state, cookie = await begin(client)
        _, _, other, _ = await begin(client)
        client.cookies.clear()

        async def come_back(code, state, headers):
            return await client.get("/slack/oauth_redirect", params={"code": code, "state": state}, headers=headers)

        assert "did not begin" in (await come_back("one", state, {})).text
        assert "did not begin" in (await come_back("one", other, cookie)).text
        assert (await come_back("one", state, cookie)).status_code == 200
        assert "finished before" in (await come_back("two", state, cookie)).text
        _, _, late, cookie = await begin(client)
        client.cookies.clear()
        room.clock.pass_by(minutes=11)
        assert "longer than ten minutes" in (await come_back("three", late, cookie)).text


@pytest.mark.parametrize(
    "fault", [Fault(status=503), Fault(drop=True), Fault(body="<html>"), Fault(error="fatal_error")]
)
async def test_when_slack_fails_in_the_middle_of_an_installation_it_is_told_without_a_traceback(room, fault, caplog):
    room.server.fail("oauth.v2.access", *[fault] * 3)
    page = await answer_to(room)
    assert "did not confirm" in page.text
    assert "Traceback" not in page.text + caplog.text


async def test_an_enterprise_installation_is_told_as_unsupported_and_its_token_given_back(room):
    page = await install(room, {"team": None, "enterprise": {"id": "E1", "name": "Org"}, "is_enterprise_install": True})
    assert page.status_code == 400
    assert "whole Enterprise organization" in page.text
    assert room.server.made("auth.revoke")
    assert "E1" not in room.server.tokens.values()
    assert list(await room.store.sealed_names("")) == []


# Rotation


@pytest.fixture(name="rotating")
async def run_rotating():
    async with open_room(MANY, prepare=lambda server: setattr(server, "expires_in", 12 * 3600)) as room:
        await install(room)
        yield room


async def test_a_token_is_renewed_two_hours_before_it_ends_and_once_however_many_need_it(rotating):
    room = rotating
    (first,) = [token for token, team in room.server.tokens.items() if team == "T7"]
    await room.slack.deliver(PLACE, HELLO, key="a")
    room.clock.pass_by(hours=10, minutes=1)
    await asyncio.gather(*(room.slack.deliver(PLACE, HELLO, key=f"b{number}") for number in range(5)))
    tokens = [call.token for call in room.server.made("chat.postMessage")]
    assert tokens[0] == first
    assert len(set(tokens[1:])) == 1
    assert tokens[1] != first
    assert len([call for call in room.server.made("oauth.v2.access") if "refresh_token" in call.args]) == 1


async def test_a_refresh_token_is_used_once_and_the_next_time_its_successor(rotating):
    room = rotating
    for _ in range(3):
        room.clock.pass_by(hours=11)
        await room.slack.deliver(PLACE, HELLO, key="k")
    used = [call.args["refresh_token"] for call in room.server.made("oauth.v2.access") if "refresh_token" in call.args]
    assert len(used) == len(set(used)) == 3
    later = room.server
    async with open_room(
        MANY,
        store=room.store,
        clock=room.clock,
        prepare=lambda server: (server.tokens.update(later.tokens), server.refresh.update(later.refresh)),
    ) as again:
        again.server.expires_in = 12 * 3600
        room.clock.pass_by(hours=11)
        assert (await again.slack.deliver(PLACE, HELLO, key="k")).parts


async def test_two_processes_renew_a_token_once_and_both_go_on_with_the_new_one(rotating):
    room = rotating
    async with open_room(
        MANY,
        store=room.store,
        clock=room.clock,
        prepare=lambda server: (server.tokens.update(room.server.tokens), server.refresh.update(room.server.refresh)),
    ) as other:
        await other.slack.deliver(PLACE, HELLO, key="known here too")
        other.server.refresh.clear()  # each process has a Slack of its own here, and the first one renews
        room.clock.pass_by(hours=11)
        await room.slack.deliver(PLACE, HELLO, key="a")
        new = room.server.made("chat.postMessage")[-1].token
        other.server.tokens[new] = "T7"
        await other.slack.deliver(PLACE, HELLO, key="b")
        assert other.server.made("chat.postMessage")[-1].token == new
        assert other.server.made("oauth.v2.access") == []


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(drop=True), Fault(error="invalid_refresh_token")])
async def test_while_a_token_cannot_be_renewed_the_old_one_serves_as_long_as_it_holds(rotating, fault, caplog):
    room = rotating
    room.clock.pass_by(hours=11)
    room.server.fail("oauth.v2.access", fault)
    assert (await room.slack.deliver(PLACE, HELLO, key="k")).parts
    assert "could not be renewed" in caplog.text
    assert (await room.slack.deliver(PLACE, HELLO, key="k2")).parts
    asked = [call for call in room.server.made("oauth.v2.access") if "refresh_token" in call.args]
    assert len(asked) == 1  # not again at each call
    room.clock.pass_by(minutes=6)
    await room.slack.deliver(PLACE, HELLO, key="k3")
    assert len([call for call in room.server.made("oauth.v2.access") if "refresh_token" in call.args]) == 2
    assert not any(token in caplog.text for token in (*room.server.tokens, *room.server.refresh))


# Leaving


async def fill(store):
    for team in ("T7", "T8"):
        place = f"slack:{team}/{MEMBER}"
        await store.add_subscription(make_subscription(team, place), make_change(address=place))
        await store.mark(make_mark(person=f"slack:{team}/{ALICE}", place=place))


@pytest.mark.parametrize("event", [("app_uninstalled", {}), ("tokens_revoked", {"tokens": {"bot": ["U0BOT"]}})])
async def test_a_workspace_that_removes_paperboy_loses_its_tokens_at_once_and_its_data_after_thirty_days(room, event):
    await install(room)
    await fill(room.store)
    sealed = await room.store.sealed("slack:T7")
    kind, fields = event
    await room.server.event(kind, team="T7", **fields)
    await room.server.until(lambda: room.store._sealed.get("slack:T7") != sealed)
    opened = Keys(SECRET_KEY).box("slack tokens").decrypt(room.store._sealed["slack:T7"].encode()).decode()
    assert "xox" not in opened
    with pytest.raises(DeliveryError, match="not installed"):
        await room.slack.deliver(PLACE, HELLO, key="k")
    room.clock.pass_by(days=29, hours=23)
    assert await room.slack._installations.forget_those_who_left() == []
    assert [item.id for item in await room.store.subscriptions()] == ["T7", "T8"]
    room.clock.pass_by(hours=2)
    assert await room.slack._installations.forget_those_who_left() == ["T7"]
    assert [item.id for item in await room.store.subscriptions()] == ["T8"]
    assert [mark.place for mark in await room.store.marks()] == [f"slack:T8/{MEMBER}"]
    assert await room.store.sealed("slack:T7") is None


async def test_a_workspace_that_comes_back_in_time_keeps_its_data(room):
    await install(room)
    await fill(room.store)
    await room.server.event("app_uninstalled", team="T7")
    await room.server.until(lambda: "T7" not in room.slack._installations._known)
    room.clock.pass_by(days=20)
    await install(room)
    room.clock.pass_by(days=20)
    assert await room.slack._installations.forget_those_who_left() == []
    assert (await room.slack.deliver(PLACE, HELLO, key="k")).parts


async def test_a_person_who_takes_back_their_own_token_takes_nothing(room):
    await install(room)
    await room.server.event("tokens_revoked", team="T7", tokens={"oauth": [ALICE]})
    await room.server.slash("search q", team="T7")
    await room.replied()
    assert (await room.slack.deliver(PLACE, HELLO, key="k")).parts


async def test_a_token_that_slack_refuses_concerns_that_workspace_alone(room):
    await install(room)
    await install(room, {"team": {"id": "T8", "name": "Eight"}})
    room.server.refused_tokens = {
        token: "account_inactive" for token, team in room.server.tokens.items() if team == "T7"
    }
    with pytest.raises(DeliveryError, match="not installed in this Slack workspace") as raised:
        await room.slack.deliver(PLACE, HELLO, key="k")
    assert raised.value.kind is DeliveryFailure.GONE
    assert (await room.slack.deliver(f"slack:T8/{MEMBER}", HELLO, key="k")).parts


async def test_tokens_that_were_sealed_with_another_key_are_told_and_not_lost(room, caplog):
    await room.store.keep_sealed(
        "slack:T7", Keys("another key of thirty-two characters").box("x").encrypt(b"{}").decode()
    )
    with pytest.raises(DeliveryError, match="not installed"):
        await room.slack.deliver(PLACE, HELLO, key="k")
    assert "sealed with another PAPERBOY_SECRET_KEY" in caplog.text
    assert await room.store.sealed("slack:T7")


async def test_a_workspace_is_served_on_through_a_change_of_the_secret_and_after_the_old_one_is_gone(room, tmp_path):
    await install(room)
    new, tokens = "another key of the tests, which is long enough", room.server.tokens

    def again(**secrets):
        return open_room(MANY, store=room.store, secrets=secrets, prepare=lambda server: server.tokens.update(tokens))

    both = {"paperboy_secret_key": new, "paperboy_secret_key_old": SECRET_KEY}
    async with again(**both) as changed:
        assert (await changed.slack.deliver(PLACE, HELLO, key="before it is sealed anew")).parts
    async with open_world(tmp_path, store=room.store, secrets=both) as world:
        assert await reseal(world.house.store, world.house.keys) == Resealed(1)
    async with again(paperboy_secret_key=new) as later:
        assert (await later.slack.deliver(PLACE, HELLO, key="and after")).parts
    async with again(paperboy_secret_key=SECRET_KEY) as former:
        with pytest.raises(DeliveryError, match="not installed"):
            await former.slack.deliver(PLACE, HELLO, key="with the old one alone")


async def test_the_doctor_looks_at_each_workspace(room):
    await install(room)
    lines = await room.slack.check()
    assert ("Slack bot token", True, "paperboy in the workspace Test") in lines
    assert any(name == "Slack over HTTP" and "/slack/install" in told for name, _, told in lines)
