"""`paperboy run` where Slack comes over HTTP: for one workspace, and for many that install it themselves."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.servers.slack import MEMBER, SlackServer, encode, signed
from tests.servers.sources import NOWHERE, addresses
from tests.shells import Shell
from tests.slacks import HTTP, MANY, SECRET_KEY
from tests.stories import TITLE

SECRETS = {f"SLACK_{name.upper()}": value for name, value in (HTTP | MANY).items()}
COMMAND = {"team_id": "T1", "channel_id": MEMBER, "user_id": "U1ALICE", "command": "/papers", "text": "help"}
SEVEN = {"team": {"id": "T7", "name": "Seven"}}


@asynccontextmanager
async def open_slack(folder, home, by):
    """A Slack, and a shell whose paperboy waits for it over HTTP, at an address that nobody else knows."""
    async with SlackServer() as slack:
        shell = Shell(folder, addresses(NOWHERE))
        shell.begin_with(home)
        shell.environment |= {name: value for name, value in SECRETS.items() if name[6:].lower() in by}
        shell.environment |= {
            "PAPERBOY_SLACK__API_URL": slack.api_url,
            "PAPERBOY_WEB__BASE_URL": "https://papers.example.org",
            "PAPERBOY_SECRET_KEY": SECRET_KEY,
        }
        yield shell, slack


async def post(client, secret=None):
    body, kind = encode("slash_commands", COMMAND)
    headers = signed(body, **({"secret": secret} if secret else {})) | {"Content-Type": kind}
    return await client.post("/slack/events", content=body, headers=headers)


async def served(service, slack):
    """Wait until paperboy takes what Slack sends, and send it there; Slack too comes again after a 503."""
    found = await asyncio.to_thread(service.until, lambda: re.search(r"at (http://127\.0\.0\.1:\d+)", service.err))
    slack.http_url = f"{found[1]}/slack/events"
    async with httpx.AsyncClient(base_url=found[1]) as client:
        while (reply := await post(client)).status_code == 503:
            await asyncio.sleep(0.05)
    assert reply.status_code == 200
    return httpx.AsyncClient(base_url=found[1])


async def begin_installing(client):
    """Open the install page and return the state behind its button."""
    page = await client.get("/slack/install")
    address = page.text.partition('href="')[2].partition('"')[0].replace("&amp;", "&")
    return parse_qs(urlsplit(address).query)["state"][0]


async def test_slack_alone_is_served_over_http_though_the_page_is_not_asked_for(tmp_path, stocked_home):
    async with open_slack(tmp_path, stocked_home, HTTP) as (shell, slack):
        with shell.start("run", "--only", "slack") as service:
            async with await served(service, slack) as client:
                assert (await post(client, "another secret")).status_code == 401
                assert (await client.post("/slack/events")).status_code == 401
                assert (await client.get("/")).status_code == 404
                assert (await client.get("/slack/install")).status_code == 404
            assert await slack.slash("search grokking") < 3
            await slack.until(lambda: TITLE in str(slack.replies))
            assert (await asyncio.to_thread(service.end)).code == 0
    assert "the page is" not in service.err
    assert "Traceback" not in service.err
    assert not [secret for secret in HTTP.values() if secret in service.err]


async def test_a_workspace_that_installs_paperboy_is_answered_and_stays_installed(tmp_path, stocked_home):
    async with open_slack(tmp_path, stocked_home, MANY) as (shell, slack):
        slack.codes["code"] = SEVEN
        with shell.start("run", "--only", "slack") as service:
            async with await served(service, slack) as client:
                state = await begin_installing(client)
                client.cookies.clear()  # it is Secure, and goes by hand over http
                done = await client.get(
                    "/slack/oauth_redirect",
                    params={"code": "code", "state": state},
                    headers={"Cookie": f"slack-app-oauth-state={state}"},
                )
            assert done.status_code == 200
            await slack.slash("search grokking", team="T7")
            await slack.until(lambda: TITLE in str(slack.replies))
            assert (await asyncio.to_thread(service.end)).code == 0
        with shell.start("run", "--only", "slack") as again:
            await (await served(again, slack)).aclose()
            await slack.slash("subscribe grokking", team="T7")
            await slack.until(lambda: "Subscribed as" in str(slack.replies))
            assert (await asyncio.to_thread(again.end)).code == 0
    assert f"slack:T7/{MEMBER} #1  grokking" in shell.run("subscriptions", "list").out
    (token,) = [token for token, team in slack.tokens.items() if team == "T7"]
    assert token not in service.err + again.err
    assert not [path for path in shell.home.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]


def test_without_the_page_slack_over_http_is_refused_with_the_setting(tmp_path):
    shell = Shell(tmp_path, addresses(NOWHERE))
    shell.environment |= {name: value for name, value in SECRETS.items() if name[6:].lower() in HTTP}
    ended = shell.run("run", "--only", "slack", PAPERBOY_WEB__ENABLED="false")
    assert ended.code == 2
    assert "web.enabled" in ended.complaint
