"""`paperboy run` as a process, with nothing configured but where its sources are."""

from __future__ import annotations

import re
import signal
import socket

import httpx
import pytest

from tests.servers.sources import NOWHERE, Refusal, addresses
from tests.shells import PAPERBOY

SAMPLE_LINE = "This is the bundled sample."


def look(url, path=""):
    return httpx.get(url + path, trust_env=False, timeout=30)


def test_the_first_minute_shows_todays_papers_in_the_terminal_and_on_the_page(shell, sources):
    with shell.start("run", command=(PAPERBOY,)) as service:
        url = service.page()
        assert look(url, "/healthz").text == "ok"
        service.until(lambda: "Thank you to arXiv" in service.out)
        page = look(url)
        assert page.status_code == 200
        for title in ("Grokking in Small Transformers", "Bounds in ℓ₂ for Sparse Attention"):
            assert title in service.out
            assert title in page.text
        assert "SAMPLE" not in service.out + page.text
        assert look(url, "/nothing").status_code == 404
        done = service.end()
    assert done.code == 0
    assert "stopped" in done.err.splitlines()[-1]
    assert "1 paper read" in done.err
    assert all(path.partition("?")[0].startswith(("/hf", "/rss", "/hn", "/api")) for path in sources.asked)


def test_in_a_locale_that_lacks_a_sign_the_service_shows_what_it_can_and_serves_on(shell, sources):
    ascii_alone = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with shell.start("run", command=(PAPERBOY,), **ascii_alone) as service:
        service.until(lambda: "Bounds in ?? for Sparse Attention" in service.out)
        assert look(service.page(), "/healthz").text == "ok"
        assert service.end().code == 0


def test_a_service_whose_output_cannot_be_written_serves_on(shell, sources):
    onto_nothing = ("/bin/sh", "-c", 'exec "$0" "$@" > /dev/full', PAPERBOY)
    with shell.start("run", command=onto_nothing) as service:
        service.until(lambda: "The output cannot be written (No space left on device)." in service.err)
        assert look(service.page(), "/healthz").text == "ok"
        assert service.end().code == 0


def test_before_the_first_papers_are_here_the_page_says_so(shell, sources):
    sources.gate.clear()
    with shell.start("run") as service:
        page = look(service.page())
        assert "are being fetched" in page.text
        assert "SAMPLE" not in page.text
        sources.gate.set()
        service.until(lambda: "Thank you to arXiv" in service.out)
        assert "Grokking in Small Transformers" in look(service.page()).text


def test_when_no_source_can_be_reached_one_line_says_so_and_the_sample_is_marked_everywhere(shell, sources):
    sources.faults["/"] = Refusal(404)
    with shell.start("run") as service:
        service.until(lambda: service.out.count("https://") > 3)
        line, rest = service.out.split("\n", 1)
        assert line.startswith("No source could be reached (")
        assert line.endswith(SAMPLE_LINE)
        assert "404" not in service.err
        assert "SAMPLE" in rest
        assert "SAMPLE" in look(service.page()).text
        service.end()
    with shell.start("run") as service:
        service.until(lambda: service.out.count("https://") > 3)
        assert service.out.startswith(
            "No source could be reached (Hugging Face, arXiv and Hacker News have answered 404 since "
        )
    done = shell.run("search", "attention")
    assert "The library is empty" in done.out, "the sample is never mixed with real papers"


def test_without_any_network_the_service_starts_all_the_same(shell):
    with shell.start("run", **addresses(NOWHERE)) as service:
        service.until(lambda: SAMPLE_LINE in service.out)
        assert "SAMPLE" in look(service.page()).text
        assert service.end().code == 0


def test_what_is_stored_is_shown_at_once(stocked, sources):
    sources.gate.clear()
    with stocked.start("run", **sources.environment) as service:
        assert "Grokking in Small Transformers" in look(service.page()).text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_also_in_the_middle_of_a_fetch(shell, sources, number):
    sources.gate.clear()
    with shell.start("run") as service:
        service.page()
        service.until(lambda: sources.asked)
        done = service.end(number)
    assert (done.code, done.out) == (0, "")
    sources.gate.set()
    assert shell.run("fetch").code == 0


def test_a_taken_port_is_one_sentence_and_the_end(stocked):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = stocked.run("run", PAPERBOY_WEB__PORT=str(port), PAPERBOY_LOG__LEVEL="error")
    assert done.code == 1
    assert f"web.port: {port} at 127.0.0.1" in done.complaint
    assert "PAPERBOY_WEB__PORT" in done.complaint


def test_it_says_that_it_is_ready_and_shows_its_figures_at_an_address_of_their_own(stocked, sources):
    metrics = {"PAPERBOY_METRICS__ENABLED": "true", "PAPERBOY_METRICS__PORT": "0"}
    with stocked.start("run", **metrics, **sources.environment) as service:
        url = service.page()
        assert (look(url, "/readyz").status_code, look(url, "/readyz").text) == (200, "ready")
        found = service.until(lambda: re.search(r"figures for Prometheus are at (http://\S+)/metrics", service.err))
        assert "paperboy_ready 1.0" in look(found[1], "/metrics").text
        assert look(url, "/metrics").status_code == 404
        assert "Grokking in Small Transformers" in look(url, "/search?q=grokking").text
        assert service.end().code == 0


def test_without_the_page_nothing_listens(stocked):
    with stocked.start("run", PAPERBOY_WEB__ENABLED="false") as service:
        service.until(lambda: "Thank you to arXiv" in service.out)
        assert "the page is at" not in service.err
        assert service.end().code == 0


def test_only_the_page_leaves_platforms_alone_whose_tokens_are_set(stocked):
    secrets = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "DISCORD_TOKEN": "token-1"}
    refuse = {"PAPERBOY_SLACK__API_URL": f"{NOWHERE}/api/", "PAPERBOY_DISCORD__API_URL": f"{NOWHERE}/api"}
    with stocked.start("run", "--only", "web", **secrets, **refuse) as service:
        service.until(lambda: "Thank you to arXiv" in service.out)
        assert look(service.page(), "/healthz").text == "ok"
        done = service.end()
    assert done.code == 0
    assert not [line for line in done.err.splitlines() if "slack" in line.lower() or "discord" in line.lower()]


@pytest.mark.data_folder
def test_a_broken_state_file_is_set_aside_and_said(stocked):
    (state,) = [path for path in stocked.home.glob("state-*.journal") if path.stat().st_size > 2]
    state.write_bytes(b"\xff not a line of ours\n" * 3)
    with stocked.start("run") as service:
        service.page()
        assert service.end().code == 0
    assert "broken" in service.err
    assert list(stocked.home.glob("*broken*"))
