"""Subscribe by mail and everything after: confirm, preferences, marks, unsubscribe, delete; GET asks, POST acts."""

from __future__ import annotations

import html
import logging
import re
from datetime import timedelta

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.delivery.optin import WORDING
from tests.mailrooms import BASE, PLACE, READER, open_mailroom, path_in
from tests.sites import Page


@pytest.fixture
async def room(tmp_path):
    async with open_mailroom(tmp_path) as opened:
        yield opened


async def kept(room):
    return [(item.interests, item.top) for item in await room.world.house.store.subscriptions(PLACE)]


async def test_nobody_is_subscribed_before_the_mail_is_answered_and_consent_is_kept_then(room):
    path = await room.confirmation()
    assert await kept(room) == []
    assert "grokking" in (await room.client.get(path)).text
    assert await kept(room) == [], "looking at the link is not agreeing"
    answer = await room.press(path)
    assert "It is set up" in answer.text
    assert await kept(room) == [("grokking", 3)]
    person = await room.world.house.store.correspondent(await room.platform.signer.names.of(PLACE))
    (consent,) = person.consents
    assert (consent.asked_from, consent.given_from, consent.wording) == ("192.0.2.7", "192.0.2.7", WORDING)
    assert consent.given_at == room.world.now
    assert person.wishes == ()


async def test_a_link_confirms_once(room):
    path = await room.confirmation()
    await room.press(path)
    again = await room.client.get(path)
    assert again.status_code == 404
    assert "used already" in again.text
    assert len(await kept(room)) == 1


async def test_the_answer_is_the_same_for_known_unknown_and_deleted_addresses(room):
    await room.join()
    known, unknown = await room.subscribe(interests="kernel"), await room.subscribe("someone@example.net")
    preferences = path_in(await room.digest(), "preferences")
    await room.press(preferences, do="delete", sure="yes")
    deleted = await room.subscribe()
    texts = {answer.text.replace(READER, "").replace("someone@example.net", "") for answer in (known, unknown, deleted)}
    assert len(texts) == 1
    assert {answer.status_code for answer in (known, unknown, deleted)} == {200}


async def test_an_address_gets_three_mails_a_day_that_ask_and_no_more_whoever_asks(room):
    for number in range(6):
        answer = await room.subscribe(interests=f"grokking {number}")
        assert answer.status_code == 200
    await room.platform.postman.round()
    assert len(room.server.letters) == 3
    await room.subscribe(READER.upper(), interests="other")
    await room.platform.postman.round()
    assert len(room.server.letters) == 3, "in capitals it is the same mailbox"


@pytest.mark.parametrize(
    ("interests", "shown"),
    [
        ('"length generalization" OR cat:cs.LG -cat:cs.* OR cat:math.PR au:"J. Smith"', True),
        ("cat:cond-mat.mes-hall min:20 e.g. kernels", False),
        ("You have won: https://evil.example/claim", False),
        ("claim it at evil.example", False),
        ("cat:evil.example", False),
        ("evil\uff0eexample", False),
        ("write to me@evil.example", False),
        ("a letter " + "of my own " * 20, False),
    ],
)
async def test_a_stranger_writes_no_letter_and_no_link_into_the_mailbox_that_is_asked(room, interests, shown):
    path = await room.confirmation(interests=interests)
    (letter,) = room.server.letters
    told = [" ".join(part.split()) for part in (letter.part("plain"), html.unescape(letter.part("html")))]
    told[1] = re.sub(r"</?em>", "", told[1])
    assert [f"papers about {interests.strip()}." in words for words in told] == [shown, shown]
    assert not any("evil" in words for words in told)
    assert interests.strip() in html.unescape((await room.client.get(path)).text)


async def test_unconfirmed_addresses_are_gone_after_seven_days(room):
    path = await room.confirmation()
    room.world.now += timedelta(days=7, hours=2)
    await room.platform.postman.round()
    assert list(await room.world.house.store.correspondents()) == []
    assert (await room.client.get(path)).status_code == 404


async def test_a_mail_that_asks_is_sent_again_later_where_the_server_puts_it_off(room):
    room.server.refuse[READER] = "451 4.7.1 greylisted"
    await room.subscribe()
    await room.platform.postman.round()
    assert room.server.letters == []
    room.server.refuse.clear()
    room.world.now += timedelta(minutes=2)
    await room.platform.postman.round()
    await room.platform.postman.round()
    assert len(room.server.letters) == 1


async def test_a_mail_program_unsubscribes_with_one_post_and_no_cookie_while_looking_only_asks(room):
    await room.join()
    letter = await room.digest()
    link = letter.mail["List-Unsubscribe"].strip("<>")
    assert f"\r\nList-Unsubscribe: <{link}>\r\n".encode() in letter.raw, "encoded words are a link to no mail program"
    assert letter.mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link.startswith(f"{BASE}/email/unsubscribe/")
    transport = httpx.ASGITransport(room.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport) as stranger:
        looked = await stranger.get(link)
        assert "End this digest?" in looked.text
        assert len(await kept(room)) == 1
        for _ in range(2):
            done = await stranger.post(link, data={"List-Unsubscribe": "One-Click"})
            assert (done.status_code, "It has ended" in done.text) == (200, True)
            assert not done.cookies
    assert await kept(room) == []


async def test_a_paper_is_marked_from_the_mail_by_a_button_behind_the_link(room):
    await room.join()
    path = path_in(await room.digest(), "mark")
    store = room.world.house.store
    assert (await room.client.get(f"{path}?as=saved")).status_code == 200
    assert await store.marks() == []
    for _ in range(2):
        assert "among your saved papers" in (await room.press(path, **{"as": "saved"})).text
    assert [(mark.person, mark.kind) for mark in await store.marks()] == [(PLACE, "saved")]
    await room.press(path, **{"as": "up"})
    await room.press(path, **{"as": "down"})
    assert {mark.kind for mark in await store.marks()} == {"saved", "down"}
    page = await room.client.get(path_in(room.server.letters[-1], "preferences"))
    assert "Grokking in Small Transformers" in page.text
    await room.press(path_in(room.server.letters[-1], "preferences"), do="unsave", paper="2611.00001")


async def test_preferences_change_pause_resume_and_end(room):
    await room.join()
    path = path_in(await room.digest(), "preferences")
    change = {"do": "change", "number": "1", "at": "09:30", "timezone": "Europe/Berlin", "days": "mon,thu"}
    answer = await room.press(path, **change, interests="kernel methods", top="7")
    assert answer.status_code == 200
    (item,) = await room.world.house.store.subscriptions(PLACE)
    assert (item.interests, item.top, item.timezone, item.days) == ("kernel methods", 7, "Europe/Berlin", (0, 3))
    assert f"{item.at:%H:%M}" == "09:30"
    await room.press(path, do="pause", number="1")
    assert (await room.world.house.store.subscriptions(PLACE))[0].pause.by_hand
    await room.press(path, do="resume", number="1")
    assert (await room.world.house.store.subscriptions(PLACE))[0].pause is None
    bad = await room.press(path, **{**change, "at": "29:99"}, interests="x", top="7")
    assert bad.status_code == 422
    assert 'role="alert"' in bad.text
    for top in ("0", "51", "0001000000", "-1", "٣"):
        assert (await room.press(path, **change, interests="x", top=top)).status_code == 422
    await room.press(path, do="end", number="1")
    assert await kept(room) == []


async def test_deleting_everything_leaves_a_hash_alone_and_any_old_link_lifts_it(room):
    await room.join()
    letter = await room.digest()
    path, store = path_in(letter, "preferences"), room.world.house.store
    await room.press(path_in(letter, "mark"), **{"as": "saved"})
    unsure = await room.press(path, do="delete")
    assert unsure.status_code == 422
    assert "Deleted" in (await room.press(path, do="delete", sure="yes")).text
    (left,) = await store.correspondents()
    assert (left.address, left.wishes, left.consents) == ("", (), ())
    everything = [*await store.subscriptions(), *await store.marks(), *await store.changes()]
    everything += [*await store.deliveries_of_paper("2611.00001"), left]
    assert READER not in str(everything)
    sent = len(room.server.letters)
    await room.subscribe()
    await room.platform.postman.round()
    assert len(room.server.letters) == sent
    assert "Welcome back" in (await room.press(path, do="lift")).text
    await room.subscribe()
    await room.platform.postman.round()
    assert len(room.server.letters) == sent + 1


async def test_a_form_from_elsewhere_does_nothing(room):
    await room.join()
    path = path_in(await room.digest(), "preferences")
    assert (await room.client.post(path, data={"do": "delete", "sure": "yes"})).status_code == 403
    assert (await room.client.post("/subscribe", data={"email": READER})).status_code == 403
    assert len(await kept(room)) == 1


async def test_subscribing_is_limited_by_client(tmp_path):
    async with open_mailroom(tmp_path, web={"subscribes_per_hour": 2}) as room:
        codes = [(await room.subscribe(f"r{number}@example.org")).status_code for number in range(3)]
    assert codes == [200, 200, 429]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"email": "nobody"}, "no mail address"),
        ({"email": "a@b.org\r\nBcc: x@y.org"}, "no mail address"),
        ({"interests": '"open'}, ""),
        ({"at": "25:00"}, ""),
        ({"timezone": "Mars/Base"}, ""),
        ({"days": "sometimes"}, ""),
        ({"top": "0"}, "between 1 and 50"),
        ({"top": "٣"}, "between 1 and 50"),
    ],
)
async def test_what_cannot_be_read_is_told_and_what_was_typed_stays(room, fields, said):
    answer = await room.subscribe(**fields)
    assert answer.status_code == 422
    assert said in answer.text
    assert 'role="alert"' in answer.text
    assert "Bcc: x" not in str(answer.headers)
    assert list(await room.world.house.store.correspondents()) == []


ODD = st.text(max_size=60) | st.sampled_from(
    ["<script>alert(1)</script>", "\x00", "a\r\nb", "\ud83d", "{{7*7}}", "' OR 1=1", "🔖" * 20, "9" * 500, "../../x"]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.fixed_dictionaries(dict.fromkeys(("email", "interests", "at", "timezone", "days", "top"), ODD)))
async def test_no_form_value_breaks_or_executes(room, values):
    values = {name: value.encode("utf-8", "replace").decode() for name, value in values.items()}
    answer = await room.subscribe(values.pop("email"), **values)
    assert answer.status_code in {200, 403, 422}
    assert "<script>alert" not in answer.text
    Page(answer.text)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(token=ODD, kind=st.sampled_from(["confirm", "preferences", "unsubscribe", "mark"]), post=st.booleans())
async def test_no_token_breaks_or_tells_anything(room, token, kind, post):
    path = httpx.URL(BASE).copy_with(raw_path=b"/email/" + kind.encode() + b"/" + _quoted(token))
    answer = await (room.client.post(path, data={"do": "delete", "sure": "yes"}) if post else room.client.get(path))
    assert answer.status_code in {404, 405, 400, 308}, answer.text  # 308: without the slash at its end
    assert answer.headers.get("location", BASE).startswith(BASE)
    assert "<script>alert" not in answer.text


def _quoted(token):
    from urllib.parse import quote  # noqa: PLC0415 - one use

    return quote(token.encode("utf-8", "replace"), safe="").encode() or b"x"


async def test_a_token_for_one_purpose_is_none_for_another(room):
    await room.join()
    letter = await room.digest()
    token = path_in(letter, "preferences").rpartition("/")[2]
    for kind in ("confirm", "unsubscribe", "mark"):
        assert (await room.client.get(f"/email/{kind}/{token}")).status_code == 404
    room.world.now += timedelta(days=500)
    assert (await room.client.get(f"/email/preferences/{token}")).status_code == 404


async def test_no_address_is_logged_whatever_happens(room, caplog):
    caplog.set_level(logging.DEBUG)
    await room.join()
    letter = await room.digest()
    room.server.refuse[READER] = f"550 5.1.1 <{READER}> unknown"
    await room.world.tick(room.world.now + timedelta(days=1))
    await room.press(path_in(letter, "preferences"), do="delete", sure="yes")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("bots", "core"))]
    assert ours
    assert READER not in "\n".join(ours)
    assert not [line for line in ours if "/email/" in line]


async def test_pages_of_links_are_kept_by_nobody(room):
    await room.join()
    letter = await room.digest()
    for kind in ("preferences", "unsubscribe", "mark", "digest"):
        answer = await room.client.get(path_in(letter, kind))
        assert answer.status_code == 200, kind
        assert "no-store" in answer.headers["cache-control"]
        assert "noindex" in answer.headers["x-robots-tag"]
        assert answer.headers["referrer-policy"] == "no-referrer"
