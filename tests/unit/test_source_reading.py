from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.errors import SourceError
from core.papers.sources.reading import (
    clean_names,
    clean_text,
    clean_url,
    read_instant,
    read_json,
    read_xml,
    says_withdrawn,
)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("A\n  title\twith   runs", "A title with runs"),
        ("Q&amp;A &lt;live&gt; &#233;t&#xe9;", "Q&A <live> été"),
        ("R&D and x&lt y &copycat", "R&D and x&lt y &copycat"),
        (r"$\ell_2$ \& {\it LaTeX} stays", r"$\ell_2$ \& {\it LaTeX} stays"),
        ("nul\x00 and half \ud83d a pair", "nul and half a pair"),
        (None, ""),
        ("a\x9b31m\x85b\uffff\ufffe\x7f", "a31m b"),
    ],
)
def test_text_comes_out_on_one_line_with_entities_decoded_and_latex_untouched(raw, clean):
    assert clean_text(raw) == clean


def test_an_author_listed_twice_is_one_and_nameless_ones_are_none():
    assert clean_names(["Ada  Example", "Bob", "", "Ada Example", " \n"]) == ("Ada Example", "Bob")


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("https://github.com/a/b", "https://github.com/a/b"),
        ("http://github.com/a/b", "https://github.com/a/b"),
        ("github.com/a/b", "https://github.com/a/b"),
        ("a-b/c.d", "https://github.com/a-b/c.d"),
        ("javascript:alert(1)", ""),
        ("https://[broken", ""),
        ("https://exa mple.org/", ""),
        ("", ""),
    ],
)
def test_a_repository_becomes_an_https_address_or_nothing(raw, clean):
    assert clean_url(raw, host="github.com") == clean


def test_an_address_that_could_run_as_a_script_is_no_address():
    assert clean_url("javascript:alert(1)") == ""
    assert clean_url("data:text/html,x") == ""
    assert clean_url("http://example.org/p") == "http://example.org/p"


@pytest.mark.parametrize(
    ("raw", "instant"),
    [
        ("2026-02-26T17:08:18.000Z", datetime(2026, 2, 26, 17, 8, 18, tzinfo=UTC)),
        ("2026-02-26T12:08:18-05:00", datetime(2026, 2, 26, 17, 8, 18, tzinfo=UTC)),
        ("2026-02-26", datetime(2026, 2, 26, tzinfo=UTC)),
        ("soon", None),
        ("2026-13-40", None),
        ("0001-01-01T00:00:00+14:00", None),
        (None, None),
    ],
)
def test_an_instant_is_read_in_utc_or_not_at_all(raw, instant):
    assert read_instant(raw) == instant


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"[" * 100_000, b"\xff\xfe", b'{"n": ' + b"9" * 5000 + b"}"])
def test_what_is_not_json_is_a_failure_in_one_sentence(body):
    with pytest.raises(SourceError, match=r"^hf: has answered with something that is not JSON$"):
        read_json("hf", body)


@pytest.mark.parametrize(
    "body",
    [b"", b"   ", b"<feed><entry>", b"not xml", b'<?xml version="1.0" encoding="martian"?><a/>', b"<a>\xff</a>"],
)
def test_what_is_not_xml_is_a_failure_in_one_sentence(body):
    with pytest.raises(SourceError, match=r"^arxiv: has answered with something that is not XML$"):
        read_xml("arxiv", body)


@pytest.mark.parametrize(
    "prologue",
    [
        '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1/x.dtd">',
    ],
)
def test_xml_that_declares_entities_is_refused_before_they_grow(prologue):
    with pytest.raises(SourceError, match="declares entities, which is refused"):
        read_xml("arxiv", f"{prologue}<a>text</a>".encode())


@pytest.mark.parametrize(
    ("text", "withdrawn"),
    [
        ("This paper has been withdrawn by the authors due to an error", True),
        ("This article was withdrawn", True),
        ("Withdrawn.", True),
        ("withdrawn by arXiv administrators", True),
        ("Withdrawn drugs are studied in 40 countries", False),
        ("We study why papers have been withdrawn", False),
        ("", False),
    ],
)
def test_a_work_is_withdrawn_when_its_text_begins_by_saying_so(text, withdrawn):
    assert says_withdrawn("12 pages", text) is withdrawn


def test_what_holds_no_letter_is_no_name():
    assert clean_names(["GLM-V Team", ":", "Wenyi Hong", " ", "李明"]) == ("GLM-V Team", "Wenyi Hong", "李明")
