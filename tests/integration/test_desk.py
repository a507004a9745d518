"""Every command, as a person sees its answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from core.chat import commands as c
from core.chat.guide import MEANINGS
from core.chat.message import Kind, plain
from core.chat.parsing import FORMS
from tests.fakes import make_change
from tests.worlds import ALICE, MONDAY, PLACE, make_record, open_world, titles, upvotes, words

PAPERS = [
    make_record("2611.00001", "Grokking in Small Transformers", signals=upvotes(7)),
    make_record("2611.00002", "Kernel Methods Revisited", categories=("stat.ML", "cs.LG")),
    make_record("2611.00003", "A Survey of Grokking"),
    make_record("2611.00004", "Old but Gold: Grokking Explained", day=None),
    *(make_record(f"2611.001{number:02}", f"Optimizers Compared, Part {number}") for number in range(12)),
]


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, PAPERS) as opened:
        yield opened


def button(message, action):
    return next(button for button in message.buttons if button.action == action)


async def press(world, button, **fields):
    return await world.ask(c.Press(button.action, button.value), **fields)


async def test_a_search_shows_five_a_page_and_pages_on(world):
    first = await world.ask("search optimizers compared")
    assert len(first.cards) == 5
    assert "1-5 of 12" in words(first)
    assert [item.action for item in first.buttons] == ["page", "share"]
    second = await press(world, button(first, "page"))
    assert second.replaces
    assert "6-10 of 12" in words(second)
    last = await press(world, second.buttons[1])
    assert "11-12 of 12" in words(last)
    assert [item.label for item in last.buttons] == ["← Back", "Share here"]
    assert titles(await press(world, last.buttons[0])) == titles(second)
    assert len({*titles(first), *titles(second), *titles(last)}) == 12


async def test_paging_survives_a_query_too_long_for_a_button(world):
    query = "optimizers compared " + "and again " * 200
    first = await world.ask(c.Search(query))
    more = button(first, "page")
    assert len(more.value) <= 80
    assert titles(await press(world, more)) != titles(first)


async def test_a_query_that_looks_like_a_kept_one_is_taken_as_typed(world):
    first = await world.ask(c.Search("~optimizers compared"))
    assert titles(await press(world, button(first, "share"))) == titles(first)


async def test_a_shared_search_is_public_and_has_no_buttons_of_the_asker(world):
    found = await world.ask("search kernel")
    shared = await press(world, button(found, "share"))
    assert (shared.public, shared.buttons, titles(shared)) == (True, (), titles(found))


@pytest.mark.parametrize("value", ["0 ~0123456789abcdef", "nonsense", "", "5 "])
async def test_a_stale_button_says_so(world, value):
    answer = await world.ask(c.Press("page", value))
    assert answer.kind is Kind.ERROR
    assert "too old" in words(answer)


async def test_an_unknown_button_says_so(world):
    assert "another version" in words(await world.ask(c.Press("dance", "1")))


async def test_a_malformed_query_is_answered_with_the_place(world):
    answer = await world.ask('search cat:cs.LG ("unclosed')
    assert answer.kind is Kind.ERROR
    place = answer.lines[1][0]
    assert place.code
    assert place.text.splitlines()[1].index("^") == 11
    assert [span.code for span in answer.lines[2]] == [False, True]
    assert plain(answer.lines[2]) == 'Write, for example: "length generalization"'


async def test_nothing_found_is_said(world):
    assert "Nothing was found" in words(await world.ask("search xylophones"))


async def test_subscribe_shows_what_it_would_have_delivered_and_when_the_next_comes(world):
    answer = await world.ask("subscribe grokking in Europe/Berlin daily top 3")
    assert "Subscribed as #1 to grokking, at 08:00 in Europe/Berlin, daily, top 3." in words(answer)
    assert "In the last 7 days 2 of 15 papers matched" in words(answer)
    assert "Grokking in Small Transformers" in words(answer)
    assert "Next digest: Mon 23 Nov 08:00" not in words(answer)
    assert "Next digest: Tue 24 Nov 08:00 (Europe/Berlin)" in words(answer)


async def test_defaults_are_the_persons_zone_weekdays_and_five(world):
    await world.ask("subscribe grokking", timezone="Asia/Tokyo")
    (kept,) = await world.house.store.subscriptions(PLACE)
    assert (kept.timezone, kept.days, kept.top, kept.at.hour) == ("Asia/Tokyo", (0, 1, 2, 3, 4), 5, 8)
    assert (kept.created_by, kept.address, kept.created_at) == (ALICE, PLACE, MONDAY)


async def test_subscribing_to_something_that_never_matches_says_so(world):
    assert "nothing among 15 papers would have matched" in words(await world.ask('subscribe "dark matter halo"'))


async def test_subscribing_where_we_cannot_post_says_so_at_once_and_keeps_it(world):
    world.problems[PLACE] = "I cannot post here yet: /invite @paperboy"
    answer = await world.ask("subscribe grokking")
    assert "/invite @paperboy" in words(answer)
    assert len(await world.house.store.subscriptions(PLACE)) == 1


async def test_the_same_subscription_twice_is_refused(world):
    await world.ask("subscribe grokking")
    assert "already, as #1" in words(await world.ask("subscribe grokking"))
    assert len(await world.house.store.subscriptions(PLACE)) == 1


async def test_a_subscription_with_a_broken_query_is_not_kept(world):
    assert (await world.ask('subscribe "unclosed')).kind is Kind.ERROR
    assert await world.house.store.subscriptions(PLACE) == []


async def test_a_place_has_a_bounded_number_of_subscriptions(world):
    for number in range(25):
        await world.ask(f"subscribe topic{number}")
    assert "can have 25" in words(await world.ask("subscribe one more"))


async def test_list_shows_every_subscription_with_its_next_delivery(world):
    assert "No subscriptions here yet" in words(await world.ask("list"))
    await world.ask("subscribe grokking at 09:30 in UTC mon,thu quiet")
    await world.ask("subscribe in UTC weekly")
    await world.ask("pause 2")
    first, second = words(await world.ask("list")).splitlines()[1:3]
    assert first == "#1 grokking · at 09:30 in UTC, mon,thu, top 5, quiet · next Mon 23 Nov 09:30"
    assert second == "#2 everything · at 08:00 in UTC, weekly, top 5 · paused: by request"


async def test_numbers_stay_when_an_earlier_one_goes(world):
    for topic in ("grokking", "kernels", "surveys"):
        await world.ask(f"subscribe {topic}")
    assert "#2 kernels" in words(await world.ask("unsubscribe 2"))
    assert "#1 grokking" in words(await world.ask("list"))
    assert "#3 surveys" in words(await world.ask("list"))


async def test_unsubscribe_all_empties_this_place_alone(world):
    await world.ask("subscribe grokking")
    await world.ask("subscribe grokking", place="fake:C2")
    assert "Unsubscribed" in words(await world.ask("unsubscribe all"))
    assert "nothing to unsubscribe" in words(await world.ask("unsubscribe all"))
    assert [item.address for item in await world.house.store.subscriptions()] == ["fake:C2"]


@pytest.mark.parametrize("command", ["unsubscribe 7", "pause 7", "resume 7", "edit 7 top 3"])
async def test_a_number_that_is_not_there_is_answered_with_those_that_are(world, command):
    await world.ask("subscribe grokking")
    answer = await world.ask(command)
    assert answer.kind is Kind.ERROR
    assert "There is no #7 here" in words(answer)
    assert "#1" in words(answer)


async def test_edit_changes_what_is_said_and_nothing_else(world):
    await world.ask("subscribe grokking at 09:00 in UTC top 3 quiet")
    answer = await world.ask("edit 1 kernel methods daily")
    assert "#1 is now kernel methods, at 09:00 in UTC, daily, top 3, quiet" in words(answer)
    assert "nothing" in words(await world.ask("edit 1")).lower()
    assert (await world.ask('edit 1 "unclosed')).kind is Kind.ERROR


@pytest.mark.parametrize("command", ["subscribe like:2101.99999", "edit 1 like:2101.99999"])
async def test_interests_that_name_an_unknown_paper_are_not_kept(world, command):
    await world.ask("subscribe grokking")
    assert "the library does not hold 2101.99999" in words(await world.ask(command))
    assert [item.interests for item in await world.house.store.subscriptions(PLACE)] == ["grokking"]


async def test_the_time_of_a_subscription_can_be_changed_though_its_paper_is_lost(world):
    await world.ask("subscribe grokking")
    (kept,) = await world.house.store.subscriptions(PLACE)
    await world.house.store.replace_subscription(replace(kept, interests="like:2101.99999"), make_change())
    answer = words(await world.ask("edit 1 at 09:15"))
    assert "at 09:15" in answer
    assert "the library does not hold 2101.99999" in answer


async def test_edit_from_when_ready_to_a_time_and_back(world):
    await world.ask("subscribe grokking when ready by 10:00 in UTC")
    assert "when ready by 10:00" in words(await world.ask("list"))
    assert "at 09:00" in words(await world.ask("edit 1 at 09:00"))
    assert "when ready in UTC" in words(await world.ask("edit 1 when ready"))


async def test_pausing_twice_and_resuming_what_runs_say_so(world):
    await world.ask("subscribe grokking")
    assert "not paused" in words(await world.ask("resume 1"))
    await world.ask("pause 1")
    assert "paused already" in words(await world.ask("pause 1"))


@pytest.mark.parametrize("command", ["subscribe x", "unsubscribe all", "pause 1", "resume 1", "edit 1 top 3"])
async def test_changing_a_channel_needs_the_right_to_manage_it(world, command):
    answer = await world.ask(command, may_manage=False)
    assert answer.kind is Kind.ERROR
    assert "right to manage" in words(answer)
    assert await world.house.store.subscriptions() == []


async def test_a_setting_opens_it_to_everybody(tmp_path):
    async with open_world(tmp_path, chat={"everyone_may_subscribe": True}) as world:
        assert "Subscribed" in words(await world.ask("subscribe x", may_manage=False))


async def test_where_the_platform_knows_no_such_right_everybody_may(world):
    assert "Subscribed" in words(await world.ask("subscribe x", may_manage=None))


async def test_every_change_is_written_down_with_who_and_when(world):
    await world.ask("subscribe grokking")
    world.now += timedelta(minutes=1)
    await world.ask("unsubscribe all")
    newest, oldest = await world.house.store.changes(PLACE)
    assert (oldest.person, oldest.at) == (ALICE, MONDAY)
    assert "subscribed to grokking" in oldest.what
    assert "unsubscribed #1 grokking" in newest.what


async def test_why_tells_a_paper_that_was_never_fetched_from_one_that_was(world):
    never = words(await world.ask("why 0704.0001"))
    assert "0704.0001 was never fetched" in never
    assert "cs.AI, cs.CL" in never
    fetched = words(await world.ask("why https://arxiv.org/abs/2611.00001v2"))
    assert "Grokking in Small Transformers" in fetched
    assert "Fetched on Mon 23 Nov 2026 from arXiv; listed by arXiv Mon 23 Nov 2026 (new)" in fetched


async def test_why_knows_a_paper_by_its_doi_and_by_an_id_with_signs_around_it(world):
    await world.house.library.ingest([make_record("x:1", "Knots", doi="10.1000/182")], now=MONDAY)
    assert "Knots" in words(await world.ask("why doi:10.1000/182"))
    assert "Grokking in Small Transformers" in words(await world.ask("why [2611.00001]."))


async def test_why_tells_what_each_subscription_made_of_it(world):
    await world.ask("subscribe grokking -survey in UTC")
    await world.ask("subscribe kernel methods in UTC")
    survey = words(await world.ask("why 2611.00003"))
    assert "#1 grokking -survey: excluded by -survey" in survey
    assert "a candidate for the digest of Mon 23 Nov 08:00" in words(await world.ask("why 2611.00001"))
    await world.tick(MONDAY.replace(hour=8))
    assert "delivered Mon 23 Nov 2026 at 08:00 as number 1 (matches grokking" in words(
        await world.ask("why 2611.00001")
    )
    assert "only in the library" in words(await world.ask("why 2611.00004"))


async def test_why_names_the_filter_that_does_not_hold(world):
    await world.ask("subscribe grokking cat:math.CO in UTC")
    assert "no match, cat:math.CO does not hold for it" in words(await world.ask("why 2611.00001"))


async def test_why_tells_when_others_ranked_above(world):
    await world.ask("subscribe optimizers compared in UTC top 2")
    await world.tick(MONDAY.replace(hour=8))
    shown = {shown.paper for shown in (await world.house.store.delivery("s1", MONDAY.date())).shown}
    missed = next(record.id for record in PAPERS[4:] if record.id not in shown)
    assert "others ranked above it in the digest of Mon 23 Nov 2026 (top 2)" in words(await world.ask(f"why {missed}"))


async def test_similar_leaves_the_paper_itself_out(world):
    await world.learn(make_record("2611.00040", "Small Transformers and Grokking"))
    assert titles(await world.ask("similar 2611.00001")) == ["Small Transformers and Grokking"]


async def test_more_like_this_answers_as_similar_does(world):
    await world.learn(make_record("2611.00040", "Small Transformers and Grokking"))
    more = await world.ask(c.Press("more", "2611.00001"))
    assert more.cards
    assert titles(more) == titles(await world.ask("similar 2611.00001"))


@pytest.mark.parametrize(
    ("command", "sentence"), [("cite 2501.99999", "is not in the library"), ("similar x y", "not a paper's id")]
)
async def test_a_paper_nobody_knows_is_one_sentence(world, command, sentence):
    answer = await world.ask(command)
    assert answer.kind is Kind.ERROR
    assert sentence in words(answer)


async def test_cite_is_bibtex(world):
    answer = await world.ask("cite 2611.00001")
    assert answer.lines[0][0].code
    assert "2611.00001" in words(answer)
    assert "Lovelace" in words(answer)


async def test_saving_lists_the_paper_for_that_person_until_taken_back(world):
    assert "Nothing saved yet" in words(await world.ask("saved"))
    assert "🔖 kept" in words(await world.ask(c.Press("save", "2611.00001")))
    await world.ask(c.Press("save", "2611.00002"))
    assert titles(await world.ask("saved")) == ["Kernel Methods Revisited", "Grokking in Small Transformers"]
    assert "Nothing saved yet" in words(await world.ask("saved", person="fake:bob"))
    assert "taken back" in words(await world.ask(c.Press("save", "2611.00001")))
    assert titles(await world.ask("saved")) == ["Kernel Methods Revisited"]


async def test_thumbs_replace_each_other(world):
    await world.ask(c.Press("up", "2611.00001"))
    await world.ask(c.Press("down", "2611.00001"))
    assert [mark.kind for mark in await world.house.store.marks(place=PLACE)] == ["down"]


async def test_help_names_every_command_with_its_form(world):
    answer = words(await world.ask("help"))
    assert MEANINGS.keys() == FORMS.keys()
    assert all(f"{form}  {MEANINGS[name]}" in answer for name, form in FORMS.items())
    assert "nothing is sent elsewhere" in answer


async def test_a_mistyped_command_gets_the_right_form(world):
    answer = await world.ask("serach foo")
    assert answer.kind is Kind.ERROR
    assert "/papers search foo" in words(answer)


async def test_a_list_does_not_promise_an_hour_to_what_waits_for_its_batch(world):
    await world.ask("subscribe grokking when ready by 07:00 in UTC")
    assert words(await world.ask("list")).endswith("next when its batch is in")


async def test_a_day_that_nobody_listed_says_so(world):
    page = (await world.house.newsroom.front_page(MONDAY, day=MONDAY.date() - timedelta(days=400))).message
    assert "no source has listed a paper for this day" in words(page)


async def test_a_preview_shows_what_interests_would_have_delivered_and_keeps_nothing(world):
    answer = await world.ask(c.Preview("grokking"))
    assert "2 of 15 papers" in words(answer)
    assert "Grokking" in words(answer)
    assert list(await world.house.store.subscriptions()) == []
    assert (await world.ask(c.Preview('"open'))).kind is Kind.ERROR


async def test_the_details_of_a_paper_hold_its_whole_abstract_and_all_its_authors(world):
    paper = (await world.ask(c.Search("grokking"))).cards[0].paper
    kept = await world.house.library.paper(paper)
    answer = await world.ask(c.Press("details", paper))
    assert kept.abstract in words(answer)
    assert all(name in words(answer) for name in kept.authors)
    assert answer.cards == ()


async def test_the_card_of_a_paper_can_be_asked_for_by_its_address(world):
    paper = (await world.ask(c.Search("grokking"))).cards[0].paper
    (card,) = (await world.ask(c.Show(f"https://arxiv.org/pdf/{paper}v2"))).cards
    assert (card.paper, card.buttons) == (paper, ())
    assert (await world.ask(c.Show("https://arxiv.org/abs/1901.00001"))).kind is Kind.ERROR
