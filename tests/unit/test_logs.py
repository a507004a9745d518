"""One line a decision: its form, what it belongs to, and what is never in it."""

from __future__ import annotations

import asyncio
import json
import logging
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.logs import SECRET, log_uncaught, make_redact
from core.settings import Settings
from core.traces import DELIVERY, about_delivery, begin_delivery, begin_request
from tests.logged import Lines, logging_to

TOKEN = "xoxb-1234-known"
PASSWORD = 'pass "word" ü'
OLD = ("an old secret of thirty-two characters", "an older secret of thirty-two characters")


class Terminal(Lines):
    def isatty(self):
        return True


def logging_here(stream, **asked):
    secrets = {"slack_bot_token": TOKEN, "smtp_password": PASSWORD, "paperboy_secret_key_old": "\n".join(OLD)}
    return logging_to(stream, secrets=secrets, **asked)


def stumble(text):
    raise RuntimeError(text)


def test_where_nobody_looks_each_line_of_the_service_is_one_document():
    stream = Lines()
    with logging_here(stream) as log:
        log.info("sent %s\nof %s", 1, 2)
        try:
            stumble("odd")
        except RuntimeError:
            log.exception("it broke")
    sent, broke = stream.documents
    assert (sent["level"], sent["part"], sent["message"]) == ("INFO", "bots.test", "sent 1\nof 2")
    assert sent["time"].endswith("Z")
    assert "exception" not in sent
    assert broke["exception"].endswith("RuntimeError: odd")


@pytest.mark.parametrize(
    ("stream", "quiet", "form", "is_json"),
    [
        (Terminal(), False, "auto", False),
        (Lines(), False, "auto", True),
        (Lines(), True, "auto", False),
        (Lines(), True, "json", True),
        (Terminal(), False, "json", True),
        (Lines(), False, "text", False),
    ],
)
def test_the_form_is_what_is_asked_for_and_otherwise_what_serves_whoever_reads(stream, quiet, form, is_json):
    with logging_here(stream, quiet=quiet, format=form) as log:
        log.warning("mind this")
    assert stream.getvalue().startswith("{") == is_json


def test_what_belongs_to_a_command_or_a_delivery_says_so_and_nothing_else_does():
    stream = Lines()

    async def carry(key):
        begin_delivery(key)
        await asyncio.sleep(0)
        logging.getLogger("core.test").info("carried")

    async def day():
        await asyncio.gather(*(asyncio.create_task(carry(key)) for key in ("s1/2026-11-25", "s2/2026-11-25")))
        logging.getLogger("core.test").info("between")
        begin_request("ab12cd34")
        with about_delivery("s3/2026-11-25"):
            logging.getLogger("core.test").info("sent as asked")
        logging.getLogger("core.test").info("answered")

    with logging_here(stream):
        asyncio.run(day())
    found = [(line.get("delivery"), line.get("request"), line["message"]) for line in stream.documents]
    assert found == [
        ("s1/2026-11-25", None, "carried"),
        ("s2/2026-11-25", None, "carried"),
        (None, None, "between"),
        ("s3/2026-11-25", "ab12cd34", "sent as asked"),
        (None, "ab12cd34", "answered"),
    ]
    assert DELIVERY.get() == ""


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["json", "text"]))
def test_whatever_is_told_stays_one_line(text, form):
    stream = Lines()
    with logging_here(stream, format=form) as log:
        log.info("a%sb", text)
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def test_a_line_to_read_names_the_command_behind_its_sentence():
    stream = Terminal()

    async def ask():
        begin_request("ab12cd34")
        logging.getLogger("bots.test").info("answered")

    with logging_here(stream):
        asyncio.run(ask())
        logging.getLogger("bots.test").info("stopped")
    first, second = stream.getvalue().splitlines()
    assert first.endswith("INFO    bots.test: answered [ab12cd34]")
    assert second.endswith("INFO    bots.test: stopped")


# What is never told


LEAKS = {
    "a token of a workspace, which no setting knows": "xoxe.xoxb-1-Mi0yLTEyMzQ1",
    "an app's token": "xapp-1-A0-12345-abcdef",
    "a token of Discord's form": f"MTA{'x' * 23}.GabcdE.{'y' * 38}",
    "a header": "Authorization: Bearer abcdefghijkl",
    "a password in an address": "postgresql://paperboy:hunter22@db.example/paperboy",
    "an address to answer at": "https://hooks.slack.com/commands/T1/2/secretpart",
    "a webhook": "https://discord.com/api/v10/webhooks/123/secretpart-of-it",
    "a signed link": "GET /email/unsubscribe/WzE3OTk5OTk5OTksWyJhIiwiYiJdXQ.secretpart",
    "somebody's digest": "/digest/WzE3OTk5OTk5OTksInMxLzIwMjYtMTEtMjUiXQ.secretpart",
    "a mail address": "550 5.1.1 <ada.lovelace@example.org>: no such mailbox",
    "words that were searched": "GET https://export.arxiv.org/api/query?search_query=all:secretpart&start=0",
}
TOLD = ("xoxb-1-Mi0", "xapp-1", "GabcdE", "abcdefghijkl", "hunter22", "secretpart", "lovelace")


@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS)
def test_what_no_setting_knows_is_taken_out_by_its_form(text):
    redact = make_redact(Settings())
    assert not [part for part in TOLD if part in redact(text)]
    assert redact(text) != text


@pytest.mark.parametrize(
    "text",
    [
        "delivery s1abcd/2026-11-25 sent by slack",
        "the page is at http://127.0.0.1:8080 (links lead to https://papers.example.org/a)",
        "arXiv has answered 429 since 06:10, next try 06:40 (https://rss.arxiv.org/atom/cs.LG+stat.ML)",
        "subscription abc paused: discord:@123 cannot be written to",
        "/data/paperboy/state-0001.journal is broken",
    ],
)
def test_what_whoever_runs_it_needs_stays(text):
    assert make_redact(Settings())(text) == text


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=3),
    st.sampled_from([TOKEN, PASSWORD, *OLD, "ada@example.org"]),
    st.sampled_from(["info", "exception", "uncaught", "warning", "misfit", "extra", "stack"]),
    st.sampled_from(["json", "text"]),
)
def test_no_secret_reaches_the_log_whatever_it_stands_in(around, secret, way, form):
    text = f" {secret} ".join(["", *around, ""])
    stream = Lines()
    with logging_here(stream, format=form) as log:
        if way == "info":
            log.info("a %s b", text)
        elif way == "misfit":
            log.info("a %d", text)
        elif way == "extra":
            log.info("a", extra={"token": text, "other": [text]})
        elif way == "stack":
            log.info(text, stack_info=True)
        elif way == "warning":
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                warnings.warn(text, stacklevel=1)
        else:
            try:
                stumble(text)
            except RuntimeError as error:
                if way == "uncaught":
                    log_uncaught(error)
                else:
                    log.exception("it broke")
    said = stream.getvalue()
    assert said
    for shown in (said, *(str(document) for document in (stream.documents if form == "json" else ()))):
        assert secret not in shown
    assert json.dumps(secret)[1:-1] not in said


def test_a_secret_that_holds_another_is_taken_out_whole():
    secrets = {"hf_token": "abcdef", "discord_token": "abcdef-and-more"}
    assert make_redact(Settings.model_validate({"secrets": secrets}))("x abcdef-and-more y abcdef") == (
        f"x {SECRET} y {SECRET}"
    )
