"""Forms, App Home, mentions, links, shortcuts and what happens to channels: in both modes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import time

import pytest

from bots.slack.threads import Threads
from core.chat import commands as c
from core.chat.message import Button, Card, Kind, Message, Span, text
from core.digests.subscription import Pause
from core.store import State
from tests.fakes import make_change, make_delivery, make_mark, make_subscription
from tests.integration.slack_rooms import WAYS, open_room
from tests.servers.slack import ALICE, MEMBER, Fault

ME = f"slack:T1/{ALICE}"
HERE = f"slack:T1/{MEMBER}"
PREVIEW = Message(Kind.ANSWER, lines=(text("In the last 7 days 3 of 200 papers matched:"),))
DONE = Message(Kind.ANSWER, lines=(text("Subscribed as #1 to grokking."),))
REFUSED = Message(Kind.ERROR, lines=(text("This place is subscribed to that already, as #1."),))
TYPED = "paperboy-form:interests"


@pytest.fixture(name="room", params=WAYS)
async def run_room(request):
    async with open_room(WAYS[request.param]) as opened:
        opened.desk.answers |= {c.Preview: PREVIEW, c.Subscribe: DONE, c.Edit: DONE, c.Saved: Message(Kind.ANSWER)}
        yield opened


def fields(view):
    return {block["block_id"]: block["element"] for block in view["blocks"] if block["type"] == "input"}


# Forms


async def test_subscribe_without_words_opens_a_form_for_the_channel_in_the_persons_zone(room):
    await room.server.slash("subscribe")
    view = await room.opened()
    assert fields(view)["zone"]["initial_option"]["value"] == "Europe/Berlin"
    assert fields(view)["at"]["initial_time"] == "08:00"
    assert [option["value"] for option in fields(view)["days"]["initial_options"]] == ["0", "1", "2", "3", "4"]
    assert fields(view)["top"]["initial_value"] == "5"
    assert "place" not in fields(view)
    assert room.server.replies == []


async def test_a_sent_form_subscribes_what_was_filled_in_and_shows_the_answer(room):
    await room.server.slash("subscribe")
    view = await room.opened()
    values = {
        "interests": {"value": " grokking "},
        "at": {"selected_time": "07:30"},
        "zone": {"selected_option": {"value": "Asia/Tokyo"}},
        "days": {"selected_options": [{"value": "3"}, {"value": "0"}]},
        "top": {"value": "7"},
        "more": {"selected_options": [{"value": "quiet"}]},
    }
    await room.server.submit(view, values)
    assert room.server.acknowledged["response_action"] == "update"
    await room.shows("Subscribed as #1")
    options = c.Options(
        at=time(7, 30), timezone="Asia/Tokyo", days=(0, 3), weekly=False, top=7, quiet=True, no_repeats=False
    )
    (request,) = room.desk.requests
    assert request.command == c.Subscribe("grokking", options)
    assert (request.person, request.place, request.may_manage) == (ME, HERE, True)


@pytest.mark.parametrize(
    ("more", "options"),
    [
        (["ready"], {"when_ready": True, "by": time(8)}),
        (["weekly"], {"weekly": True, "days": (0,), "at": time(8)}),
        (["no-repeats", "quiet"], {"no_repeats": True, "quiet": True, "at": time(8)}),
    ],
)
async def test_what_else_can_be_chosen_is_what_the_command_means_by_it(room, more, options):
    await room.server.slash("subscribe")
    await room.server.submit(await room.opened(), {"more": {"selected_options": [{"value": value} for value in more]}})
    await room.shows("Subscribed as #1")
    plain = {"timezone": "Europe/Berlin", "days": (0, 1, 2, 3, 4), "weekly": False, "top": 5}
    untouched = {"quiet": False, "no_repeats": False}
    assert room.desk.commands == [c.Subscribe("", c.Options(**(plain | untouched | options)))]


@pytest.mark.parametrize(
    ("values", "field", "told"),
    [
        ({"interests": {"value": 'diffusion "open'}}, "interests", "open"),
        ({"top": {"value": "0"}}, "top", "between 1 and 50"),
        ({"top": {"value": "99"}}, "top", "between 1 and 50"),
        ({"zone": {"selected_option": {"value": "Mars/Olympus"}}}, "zone", "Choose a city"),
    ],
)
async def test_what_is_wrong_in_a_form_is_told_at_its_field_and_nothing_is_done(room, values, field, told):
    await room.server.slash("subscribe")
    await room.server.submit(await room.opened(), values)
    assert room.server.acknowledged["response_action"] == "errors"
    (name,) = room.server.acknowledged["errors"]
    assert name == field
    assert told in room.server.acknowledged["errors"][field]
    assert room.desk.requests == []


async def test_a_form_that_is_refused_stays_as_it_was_filled_in_and_says_why(room):
    room.desk.answers[c.Subscribe] = REFUSED
    await room.server.slash("subscribe")
    await room.server.submit(await room.opened(), {"interests": {"value": "grokking"}, "top": {"value": "9"}})
    view = await room.shows("subscribed to that already")
    assert fields(view)["interests"]["initial_value"] == "grokking"
    assert fields(view)["top"]["initial_value"] == "9"


async def test_interests_are_looked_at_while_they_are_typed_and_only_the_last_ones(room):
    await room.server.slash("subscribe")
    view = await room.opened()
    for words in ("g", "gro", "grokking"):
        state = {"values": {"interests": {TYPED: {"type": "plain_text_input", "value": words}}}}
        await room.server.press_in_view({**view, "state": state}, TYPED, value=words)
    shown = await room.shows("3 of 200 papers matched")
    assert room.desk.commands == [c.Preview("grokking")]
    assert fields(shown)["interests"]["initial_value"] == "grokking"


async def test_interests_that_cannot_be_read_are_told_while_they_are_typed(room):
    await room.server.slash("subscribe")
    view = await room.opened()
    state = {"values": {"interests": {TYPED: {"type": "plain_text_input", "value": '"open'}}}}
    await room.server.press_in_view({**view, "state": state}, TYPED, value='"open')
    await room.shows("⚠️")
    assert room.desk.requests == []


async def test_zones_are_offered_by_city(room):
    offered = await room.server.suggest("paperboy-form:zone", "new y")
    assert offered[0]["value"] == "America/New_York"
    assert all("new_y" in option["value"].lower() for option in offered)
    assert len(await room.server.suggest("paperboy-form:zone", "")) <= 100


async def test_edit_with_a_number_alone_opens_the_form_of_that_subscription(room):
    kept = make_subscription(
        address=HERE, interests="kernels", at=time(9, 15), timezone="Asia/Tokyo", top=3, quiet=True, no_repeats=True
    )
    await room.store.add_subscription(kept, make_change())
    await room.server.slash("edit 1")
    view = await room.opened()
    assert view["title"]["text"] == "Change #1"
    assert fields(view)["interests"]["initial_value"] == "kernels"
    assert fields(view)["at"]["initial_time"] == "09:15"
    assert fields(view)["zone"]["initial_option"]["value"] == "Asia/Tokyo"
    await room.server.submit(view, {"interests": {"value": "kernel methods"}})
    await room.shows("Subscribed as #1")
    (command,) = room.desk.commands
    assert (command.number, command.interests) == (1, "kernel methods")
    assert (command.options.quiet, command.options.no_repeats) == (True, True)


async def test_a_subscription_that_is_gone_is_told_in_a_sentence(room):
    await room.server.slash("edit 7")
    assert "There is no #7" in str(await room.opened())


async def test_help_and_list_carry_buttons_that_open_forms(room):
    lines = (text(Span("#1 ", bold=True), "grokking"), text(Span("#3 ", bold=True), "kernels"))
    room.desk.answers["list"] = Message(Kind.ANSWER, heading="Subscriptions here", lines=lines)
    await room.store.add_subscription(make_subscription("a", HERE, interests="kernels"), make_change())
    await room.server.slash("list")
    answer = await room.replied()
    labels = [
        item["text"]["text"] for block in answer["blocks"] for item in block.get("elements", ()) if "text" in item
    ]
    assert [label for label in labels if isinstance(label, str) and "…" in label] == [
        "Subscribe…",
        "Edit #1…",
        "Edit #3…",
    ]
    await room.server.press(answer, "paperboy:open:2", alone=True)
    assert (await room.opened())["title"]["text"] == "Change #1"
    await room.server.slash("help")
    assert "Subscribe…" in str(await room.replied(2))


async def test_when_slack_opens_no_form_in_time_nothing_breaks(room, caplog):
    room.server.fail("views.open", Fault(error="expired_trigger_id"))
    await room.server.slash("subscribe")
    await room.server.until(lambda: "could not be opened" in caplog.text)
    await room.server.slash("search q")
    assert await room.replied()


@pytest.mark.parametrize("mark", ["is_restricted", "is_ultra_restricted", "is_stranger"])
async def test_guests_are_told_apart_from_full_members_where_a_channel_is_changed(room, mark):
    room.server.profiles[ALICE] = {mark: True}
    for count, words in enumerate(("pause 1", "search q"), 1):
        await room.server.slash(words)
        await room.replied(count)
    assert [request.may_manage for request in room.desk.requests] == [False, None]


async def test_a_guest_may_change_what_comes_to_them_alone(room):
    room.server.profiles[ALICE] = {"is_restricted": True}
    await room.server.slash("pause 1", channel="D1ALICE", name="directmessage")
    await room.replied()
    assert room.desk.requests[0].may_manage is True


# App Home


async def stock(room):
    own = await room.store.add_subscription(make_subscription("own", ME, interests="grokking"), make_change())
    await room.store.add_subscription(make_subscription("here", HERE, interests="kernels"), make_change())
    await room.store.add_subscription(make_subscription("else", "slack:T1/C9SECRET", interests="hush"), make_change())
    room.server.joined[ALICE] = [MEMBER]
    await room.store.mark(make_mark("up", person=ME))
    await room.store.mark(make_mark("saved", person=ME))
    room.desk.answers[c.Saved] = Message(
        Kind.ANSWER, cards=(Card("2310.01234", "A saved paper", "https://arxiv.org/abs/x"),)
    )
    link = "https://test.example/archives/C1/p1"
    await room.store.enqueue(make_delivery("here", state=State.SENT, note=link, address=HERE))
    return own


async def test_app_home_shows_what_comes_to_me_and_my_channels_and_what_came_and_nothing_of_others(room):
    await stock(room)
    await room.server.event("app_home_opened", user=ALICE, tab="home", channel="D1")
    view = await room.drawn(ALICE)
    shown = json.dumps(view, ensure_ascii=False)
    for words in ("grokking", "kernels", "A saved paper", "1 👍 and 0 👎", "2 papers", "archives/C1/p1", "next "):
        assert words in shown
    assert {"type": "channel", "channel_id": MEMBER} in [
        item for block in view["blocks"] if block["type"] == "rich_text" for item in block["elements"][0]["elements"]
    ]
    assert "hush" not in shown
    assert "https://papers.example.org/privacy" in shown


async def test_an_empty_app_home_tells_how_to_begin(room):
    await room.server.event("app_home_opened", user=ALICE, tab="home")
    shown = str(await room.drawn(ALICE))
    for words in ("Subscribe…", "type /papers subscribe in one", "🔖 below a paper", "👍 and 👎 below papers teach"):
        assert words in shown
    assert not room.server.made("users.conversations")


async def test_the_messages_tab_draws_nothing(room):
    await room.server.event("app_home_opened", user=ALICE, tab="messages")
    await room.server.slash("search q")
    await room.replied()
    assert room.server.homes == {}


async def test_app_home_pauses_and_is_drawn_again_with_it(room):
    kept = await stock(room)

    await room.server.event("app_home_opened", user=ALICE, tab="home")
    view = await room.drawn(ALICE, "grokking")
    answers = room.desk.answer

    async def pause(request):
        if isinstance(request.command, c.Pause):
            paused = replace(kept, pause=Pause("by request", room.clock()))
            await room.store.replace_subscription(paused, make_change())
        return await answers(request)

    room.desk.answer = pause
    room.slack._parts.homes.opened(ME, pause)
    await room.server.press_in_view(view, "paperboy-home:pause", value=f"{ME} 1")
    await room.server.until(lambda: c.Pause(1) in room.desk.commands)
    assert next(item for item in room.desk.requests if item.command == c.Pause(1)).place == ME


async def test_app_home_opens_forms_to_edit_and_to_subscribe_a_channel(room):
    await stock(room)
    await room.server.event("app_home_opened", user=ALICE, tab="home")
    view = await room.drawn(ALICE, "grokking")
    await room.server.press_in_view(view, "paperboy-home:edit", value=f"{HERE} 1")
    assert fields(await room.opened())["interests"]["initial_value"] == "kernels"
    room.server.views.clear()
    await room.server.press_in_view(view, "paperboy-home:new", value="new")
    form = await room.opened()
    await room.server.submit(form, {"place": {"selected_conversation": "C5"}, "interests": {"value": "x"}})
    await room.server.until(lambda: any(isinstance(command, c.Subscribe) for command in room.desk.commands))
    request = next(item for item in room.desk.requests if isinstance(item.command, c.Subscribe))
    assert (request.place, request.person) == ("slack:T1/C5", ME)


async def test_what_app_home_is_asked_for_is_told_in_a_modal(room):
    await stock(room)
    room.desk.answers["saved"] = Message(Kind.ANSWER, heading="Saved: 1", buttons=(Button("x", "page", "1 q"),))
    await room.server.event("app_home_opened", user=ALICE, tab="home")
    view = await room.drawn(ALICE, "grokking")
    await room.server.press_in_view(view, "paperboy-home:ask:saved", value="saved")
    shown = await room.shows("Saved: 1")
    assert not [block for block in shown["blocks"] if block["type"] == "actions"]


async def test_a_person_can_have_deleted_what_is_kept_about_them(room):
    await stock(room)
    await room.server.event("app_home_opened", user=ALICE, tab="home")
    await room.server.press_in_view(await room.drawn(ALICE, "grokking"), "paperboy-home:erase", value="me")
    await room.shows("It is deleted")
    assert [item.id for item in await room.store.subscriptions()] == ["here", "else"]
    assert list(await room.store.marks(person=ME)) == []


async def test_only_who_runs_the_workspace_can_have_all_of_it_deleted(room):
    await stock(room)
    await room.server.event("app_home_opened", user=ALICE, tab="home")
    view = await room.drawn(ALICE, "grokking")
    assert "Delete all this workspace kept" not in str(view)
    button = {"type": "button", "action_id": "paperboy-home:erase:2", "value": "workspace"}
    forged = {**view, "blocks": [{"type": "actions", "elements": [button]}]}
    await room.server.press_in_view(forged, "paperboy-home:erase:2", value="workspace")
    await room.shows("Only owners and administrators")
    assert len(await room.store.subscriptions()) == 3
    room.server.profiles[ALICE] = {"is_admin": True}
    room.server.views.clear()
    await room.server.press_in_view(forged, "paperboy-home:erase:2", value="workspace")
    await room.shows("It is deleted")
    assert list(await room.store.subscriptions()) == []


async def test_who_administers_another_workspace_cannot_have_this_one_deleted(room):
    await stock(room)
    room.server.profiles[ALICE] = {"is_owner": True, "team_id": "T2"}
    button = {"type": "button", "action_id": "paperboy-home:erase:2", "value": "workspace"}
    forged = {"type": "home", "id": "H1", "blocks": [{"type": "actions", "elements": [button]}]}
    await room.server.press_in_view(forged, "paperboy-home:erase:2", value="workspace")
    await room.shows("Only owners and administrators")
    assert len(await room.store.subscriptions()) == 3


@pytest.mark.parametrize("value", ["", "x", "slack:T2/C1 1", f"{HERE} x"])
async def test_a_stale_or_forged_button_of_app_home_says_so(room, value):
    button = {"type": "button", "action_id": "paperboy-home:pause", "value": value}
    view = {"type": "home", "id": "H1", "blocks": [{"type": "actions", "elements": [button]}]}
    await room.server.press_in_view(view, "paperboy-home:pause", value=value)
    assert "another version" in str(await room.opened())
    assert room.desk.requests == []


@pytest.mark.parametrize("action", ["edit", "pause", "resume", "remove"])
@pytest.mark.parametrize("place", ["slack:T1/C9SECRET", "slack:T1/U2BOB", HERE])
async def test_who_left_a_channel_learns_and_changes_nothing_there_by_a_button_of_before(room, action, place):
    await stock(room)
    room.server.joined[ALICE] = []
    button = {"type": "button", "action_id": f"paperboy-home:{action}", "value": f"{place} 1"}
    view = {"type": "home", "id": "H1", "blocks": [{"type": "actions", "elements": [button]}]}
    await room.server.press_in_view(view, f"paperboy-home:{action}", value=f"{place} 1")
    shown = await room.shows("You are not in that channel")
    assert "hush" not in str(shown)
    assert room.desk.requests == []


async def test_app_home_that_cannot_be_drawn_is_one_line_in_the_log(room, caplog):
    room.server.fail("views.publish", Fault(error="not_enabled"))
    await room.server.event("app_home_opened", user=ALICE, tab="home")
    await room.server.until(lambda: "could not be drawn" in caplog.text)
    assert "Traceback" not in caplog.text


# Mentions, links, shortcuts, buttons of old


async def test_a_mention_is_answered_like_the_command_to_the_asker_alone(room):
    await room.server.event("app_mention", user=ALICE, channel=MEMBER, text="<@U0BOT> search q", ts="9.1")
    answer = await room.replied()
    assert room.desk.commands == ["search q"]
    assert (answer["channel"], answer["user"]) == (MEMBER, ALICE)
    assert len(room.server.made("chat.postEphemeral")) == 1


async def test_a_mention_in_a_thread_is_answered_in_the_thread(room):
    await room.server.event("app_mention", user=ALICE, channel=MEMBER, text="<@U0BOT> list", ts="9.1", thread_ts="9.0")
    assert (await room.replied())["thread_ts"] == "9.0"


async def test_what_is_written_in_a_direct_message_is_answered_there(room):
    await room.server.event("message", channel_type="im", user=ALICE, channel="D1ALICE", text="search q", ts="9.1")
    await room.server.until(lambda: room.server.posts)
    assert room.server.posts[0]["channel"] == "D1ALICE"
    assert room.desk.requests[0].place == ME


@pytest.mark.parametrize("more", [{"bot_id": "B0"}, {"subtype": "message_changed"}, {"user": None}])
async def test_what_paperboy_or_slack_itself_writes_is_not_answered(room, more):
    event = {"channel_type": "im", "user": ALICE, "channel": "D1", "text": "list", "ts": "9.1"} | more
    await room.server.event("message", **event)
    await room.server.slash("search q")
    await room.replied()
    assert room.desk.commands == ["search q"]


async def test_an_event_that_slack_repeats_is_done_once(room):
    for retry in (0, 1, 2, 3):
        await room.server.event(
            "app_mention", event_id="Ev7", retry=retry, user=ALICE, channel=MEMBER, text="<@U0BOT> list", ts="9.1"
        )
    await room.server.slash("search q")
    await room.replied(2)
    assert sorted(room.desk.commands) == ["list", "search q"]


LINKS = [
    {"domain": "arxiv.org", "url": "https://arxiv.org/abs/2310.01234v2"},
    {"domain": "huggingface.co", "url": "https://huggingface.co/papers/2310.01234"},
    {"domain": "huggingface.co", "url": "https://huggingface.co/docs"},
]


async def test_links_to_papers_get_a_card_and_other_links_are_left_alone(room):
    room.desk.answers[c.Show("2310.01234")] = Message(Kind.ANSWER, cards=(Card("2310.01234", "A <paper>"),))
    await room.server.event("link_shared", user=ALICE, channel=MEMBER, message_ts="9.1", links=LINKS)
    await room.server.until(lambda: room.server.unfurls)
    (unfurl,) = room.server.unfurls
    assert set(unfurl["unfurls"]) == {link["url"] for link in LINKS[:2]}
    assert (unfurl["channel"], unfurl["ts"]) == (MEMBER, "9.1")
    assert "A <paper>" in str(unfurl["unfurls"])


async def test_links_in_a_message_that_is_still_being_written_get_their_card_there(room):
    room.desk.answers[c.Show] = Message(Kind.ANSWER, cards=(Card("2310.01234", "A paper"),))
    await room.server.event(
        "link_shared", user=ALICE, channel="COMPOSER", message_ts="x", links=LINKS, source="composer", unfurl_id="C.1"
    )
    await room.server.until(lambda: room.server.unfurls)
    assert (room.server.unfurls[0]["unfurl_id"], room.server.unfurls[0]["source"]) == ("C.1", "composer")


async def test_a_paper_that_is_not_in_the_library_gets_no_card(room):
    room.desk.answers[c.Show] = Message(Kind.ERROR, lines=(text("not in the library"),))
    await room.server.event("link_shared", user=ALICE, channel=MEMBER, message_ts="9.1", links=LINKS)
    await room.server.until(lambda: len(room.desk.requests) == 2)
    await room.server.slash("search q")
    await room.replied()
    assert not room.server.made("chat.unfurl")


async def test_the_shortcut_finds_papers_about_a_message_for_the_asker_alone(room):
    await room.server.shortcut("find_papers", 'Does *"grokking"* OR memorization matter?')
    answer = await room.replied()
    assert room.desk.commands == [c.Search("does grokking or memorization matter")]
    assert answer["response_type"] == "ephemeral"


@pytest.mark.parametrize("action", ["paperboy:gone", "paperboy-v0:up", "something"])
async def test_a_button_of_another_version_is_answered_and_never_left_hanging(room, action):
    await room.server.slash("search q")
    await room.replied()
    button = {"type": "button", "action_id": action, "value": "1"}
    await room.server.press({"blocks": [{"type": "actions", "elements": [button]}]}, action, alone=True)
    await room.replied(2)
    assert isinstance(room.desk.commands[1], c.Press)


# Details


DETAILS = Message(Kind.ANSWER, lines=(text("The whole abstract."),))
POSTED = {
    "blocks": [
        {"type": "actions", "elements": [{"type": "button", "action_id": "paperboy:details", "value": "2310.01234"}]}
    ]
}


async def digest_post(room):
    await room.slack.deliver(HERE, Message(Kind.ANSWER, lines=(text("digest"),)), key="k")
    room.desk.answers["details"] = DETAILS
    return POSTED | {"ts": room.server.posts[0]["ts"]}


async def test_details_stand_in_the_thread_below_the_digest_once_however_many_ask(room):
    post = await digest_post(room)
    await room.server.press(post, "paperboy:details", alone=False)
    await room.server.until(lambda: len(room.server.posts) == 2)
    assert room.server.posts[1]["thread_ts"] == post["ts"]
    assert "The whole abstract." in room.server.posts[1]["text"]
    await room.server.press(post, "paperboy:details", alone=False)
    answer = await room.replied()
    assert answer["response_type"] == "ephemeral"
    assert len(room.server.posts) == 2


async def test_details_that_stand_in_the_thread_are_not_told_twice_after_a_restart(room):
    post = await digest_post(room)
    await room.server.press(post, "paperboy:details", alone=False)
    await room.server.until(lambda: len(room.server.posts) == 2)
    again = Threads(room.slack._workspaces, room.store, room.clock)
    request = c.Request(c.Press("details", "2310.01234"), person=ME, place=HERE)
    body = {"team": {"id": "T1"}, "container": {"channel_id": MEMBER, "message_ts": post["ts"]}}
    assert not await again.tell(DETAILS, request, body)
    await room.slack.deliver(HERE, Message(Kind.ANSWER, lines=(text("another digest"),)), key="l")
    below = {"channel_id": MEMBER, "message_ts": room.server.posts[-1]["ts"]}
    assert await again.tell(DETAILS, request, {"team": {"id": "T1"}, "container": below})
    assert len(room.server.posts) == 4


async def test_details_that_could_not_be_posted_can_be_later(room):
    post = await digest_post(room)
    room.server.fail("chat.postMessage", Fault(error="restricted_action"))
    await room.server.press(post, "paperboy:details", alone=False)
    await room.replied()
    await room.server.press(post, "paperboy:details", alone=False)
    await room.server.until(lambda: len(room.server.posts) == 2)


async def test_details_of_an_answer_that_only_one_person_sees_are_for_that_person(room):
    await room.server.press(await digest_post(room), "paperboy:details", alone=True)
    assert (await room.replied())["response_type"] == "ephemeral"
    assert len(room.server.posts) == 1


async def test_where_details_cannot_be_posted_the_asker_gets_them(room):
    post = await digest_post(room)
    room.server.channels[MEMBER].refuses = "restricted_action"
    await room.server.press(post, "paperboy:details", alone=False)
    assert "The whole abstract." in (await room.replied())["text"]


# Channels that are lost and found


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("channel_archive", "archived"),
        ("group_archive", "archived"),
        ("channel_left", "/invite @paperboy"),
        ("group_left", "/invite @paperboy"),
        ("channel_deleted", "no such channel"),
        ("group_deleted", "no such channel"),
    ],
)
async def test_what_goes_to_a_channel_that_is_lost_is_paused_with_the_reason_and_written_down(room, event, reason):
    await stock(room)
    await room.server.event(event, channel=MEMBER)
    await room.server.until(lambda: room.store._subscriptions["here"].pause is not None)
    kept = await room.store.subscription("here")
    assert reason in kept.pause.reason
    assert not kept.pause.by_hand
    assert (await room.store.subscription("else")).pause is None
    assert (await room.store.changes(HERE))[0].person == "paperboy"


@pytest.mark.parametrize("event", ["channel_unarchive", "group_unarchive", "member_joined_channel"])
async def test_what_goes_to_a_channel_that_is_back_goes_on_but_not_what_people_paused(room, event):
    await stock(room)
    lost = Pause("archived", room.clock(), by_hand=False)
    await room.store.replace_subscription(replace(await room.store.subscription("here"), pause=lost), make_change())
    await room.store.add_subscription(
        make_subscription("mine", HERE, pause=Pause("by request", room.clock())), make_change()
    )
    await room.server.event(event, channel=MEMBER, user="U0BOT")
    await room.server.until(lambda: room.store._subscriptions["here"].pause is None)
    assert (await room.store.subscription("mine")).pause.by_hand


async def test_a_channel_that_somebody_else_joins_changes_nothing(room):
    await stock(room)
    room.server.channels[MEMBER].member = False
    lost = Pause("left", room.clock(), by_hand=False)
    await room.store.replace_subscription(replace(await room.store.subscription("here"), pause=lost), make_change())
    await room.server.event("member_joined_channel", channel=MEMBER, user="U2")
    await room.server.until(lambda: room.server.made("conversations.info"))
    await asyncio.sleep(0)
    assert (await room.store.subscription("here")).pause == lost
