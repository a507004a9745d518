"""Hugging Face, arXiv and Hacker News on one loopback server, in threads of their own, so that a process can ask them.

They list what `works` holds, all on `day`. `faults` maps the beginning of a path to what is answered instead:

    /hf     Hugging Face       /rss  the feeds          /list  the list pages
    /api    the query API      /oai  the harvest        /hn    Hacker News
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from html import escape
from typing import Self

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

ATOM, XML, HTML, JSON = "application/atom+xml", "text/xml", "text/html; charset=utf-8", "application/json"
NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Work:
    """A paper as its sources know it; with upvotes it is on Hugging Face's list too, with points on Hacker News."""

    id: str
    title: str
    abstract: str = "We study it, and it works."
    authors: tuple[str, ...] = ("Ada Lovelace", "Alan Turing")
    category: str = "cs.LG"
    upvotes: int | None = None
    points: int | None = None
    on_arxiv: bool = True


WORKS = (
    Work("2611.00001", "Grokking in Small Transformers", upvotes=41, points=12),
    Work("2611.00002", "Kernel Methods Revisited", category="stat.ML"),
    Work("2611.00003", "A Survey of Grokking", upvotes=3),
    Work("2611.00004", r"Bounds in $\ell_2$ for \emph{Sparse} Attention"),
    Work("2611.00005", "Whole-Body Control, \u201cwithout\u201d Tears", category="cs.CV", upvotes=7, on_arxiv=False),
)
MISSED = Work("2611.00009", "Announced While Nobody Looked")


class Refusal(Response):
    """An answer with a status that is no 200."""

    def __init__(self, status: int, body: str = "", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(body, status, named, content_type=HTML)


class _Server(HTTPServer):
    def thread_target(self) -> None:
        """Serve, and look fifty times a second whether to end: twice a second costs each test its half."""
        assert self.server is not None
        self.server.serve_forever(poll_interval=0.02)


class SourcesServer:
    """Use as `with SourcesServer() as sources`."""

    def __init__(self, *works: Work) -> None:
        self.works = works or WORKS
        self.day = datetime.now(UTC).date()
        self.faults: dict[str, Response] = {}
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self._server = _Server(host="127.0.0.1", port=0, threaded=True)
        self._server.expect_request(re.compile(".*")).respond_with_handler(self._answer)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._server.stop()

    @property
    def url(self) -> str:
        return self._server.url_for("").rstrip("/")

    @property
    def environment(self) -> Mapping[str, str]:
        """The settings that lead here."""
        return addresses(self.url)

    def _answer(self, request: Request) -> Response:
        path = request.full_path.rstrip("?")
        self.asked.append(path)
        self.gate.wait(60)
        for start, fault in self.faults.items():
            if path.startswith(start):
                return Response(fault.get_data(), fault.status_code, fault.headers)
        source = path.split("/")[1].partition("?")[0]
        answers = {"hf": self._hf, "rss": self._rss, "list": self._list, "api": self._api, "oai": self._oai}
        return {**answers, "hn": self._hn}[source](request)

    def _hf(self, request: Request) -> Response:
        listed = request.args.get("date") == self.day.isoformat() and request.args.get("p") == "0"
        works = [work for work in self.works if work.upvotes is not None] if listed else []
        return Response(json.dumps([self._entry(work) for work in works]), content_type=JSON)

    def _entry(self, work: Work) -> dict[str, object]:
        paper = {"id": work.id, "title": work.title, "summary": work.abstract, "upvotes": work.upvotes}
        paper |= {"authors": [{"name": name} for name in work.authors], "publishedAt": f"{self.day}T00:00:00.000Z"}
        return {"paper": paper, "numComments": 1}

    def _rss(self, request: Request) -> Response:
        category = request.path.rpartition("/")[2]
        found = (work for work in self.works if work.on_arxiv and work.category == category)
        entries = "".join(
            f"<entry><id>oai:arXiv.org:{work.id}v1</id><title>{escape(work.title)}</title>"
            f"<summary>arXiv:{work.id}v1 Announce Type: new\nAbstract: {escape(work.abstract)}</summary>"
            f'<category term="{work.category}"/><published>{self.day}T00:00:00-05:00</published>'
            f"<arxiv:announce_type>new</arxiv:announce_type><dc:creator>{', '.join(work.authors)}</dc:creator></entry>"
            for work in found
        )
        return Response(
            '<feed xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" '
            f'xmlns="http://www.w3.org/2005/Atom"><title>{category} updates on arXiv.org</title>{entries}</feed>',
            content_type=ATOM,
        )

    def _list(self, _request: Request) -> Response:
        day = f"{self.day:%A}, {self.day.day} {self.day:%B %Y}"
        return Response(f"<html><body><h3>Showing new listings for {day}</h3></body></html>", content_type=HTML)

    def _api(self, request: Request) -> Response:
        asked = request.args.get("id_list", "").split(",")
        entries = "".join(
            f"<entry><id>http://arxiv.org/abs/{work.id}v1</id><title>{escape(work.title)}</title>"
            f"<summary>{escape(work.abstract)}</summary><published>{self.day}T00:00:00Z</published>"
            f'<category term="{work.category}"/>'
            + "".join(f"<author><name>{name}</name></author>" for name in work.authors)
            + "</entry>"
            for work in self.works
            if work.id in asked
        )
        body = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>arXiv Query</title>{entries}</feed>'
        return Response(body, content_type=ATOM)

    def _oai(self, request: Request) -> Response:
        since = date.fromisoformat(request.args.get("from", self.day.isoformat()))
        day = since + timedelta(days=1)
        record = (
            f"<record><header><identifier>oai:arXiv.org:{MISSED.id}</identifier><datestamp>{day}</datestamp></header>"
            f'<metadata><arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>{MISSED.id}</id><created>{since}</created>'
            "<authors><author><keyname>Example</keyname><forenames>Ada</forenames></author></authors>"
            f"<title>{MISSED.title}</title><categories>{MISSED.category}</categories>"
            f"<abstract>{MISSED.abstract}</abstract></arXiv></metadata></record>"
        )
        records = record if "cs" in request.args.get("set", "") else ""
        problem = '<error code="noRecordsMatch">none</error>'
        body = f"<ListRecords>{records}</ListRecords>" if records else problem
        return Response(f'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">{body}</OAI-PMH>', content_type=XML)

    def _hn(self, _request: Request) -> Response:
        hits = [
            {"url": f"https://arxiv.org/abs/{work.id}", "points": work.points, "num_comments": 2}
            for work in self.works
            if work.points is not None
        ]
        return Response(json.dumps({"hits": hits}), content_type=JSON)


def addresses(url: str) -> Mapping[str, str]:
    """The settings that send every question to one server."""
    return {
        "HF_ENDPOINT": f"{url}/hf",
        "PAPERBOY_ARXIV__API_URL": f"{url}/api/query",
        "PAPERBOY_ARXIV__RSS_URL": f"{url}/rss",
        "PAPERBOY_ARXIV__OAI_URL": f"{url}/oai",
        "PAPERBOY_ARXIV__LIST_URL": f"{url}/list",
        "PAPERBOY_ARXIV__CATEGORIES": "cs.LG,stat.ML",
        "PAPERBOY_ARXIV__MIN_INTERVAL": "0",
        "PAPERBOY_HACKERNEWS__URL": f"{url}/hn",
    }
