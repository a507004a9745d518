"""A Slack of our own on loopback: the Web API calls that paperboy makes, Socket Mode, response_urls, faults on demand.

It refuses what Slack refuses by its documented limits (https://docs.slack.dev/reference/block-kit/blocks) and keeps
what it took, so that tests look at what people would see. With `http_url` set it sends what people do there, signed,
instead of over the socket.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import urlencode

from aiohttp import ClientSession, ClientTimeout, WSMsgType, web
from aiohttp.test_utils import TestServer

from tests.servers.rates import RateLimit
from tests.servers.slack_views import view_complaints

BOT_TOKEN = "xoxb-of-the-test"
APP_TOKEN = "xapp-of-the-test"
SIGNING_SECRET = "signing-secret-of-the-test"
CLIENT_ID = "111.222"
CLIENT_SECRET = "client-secret-of-the-test"
TEAM = "T1"
MEMBER = "C1MEMBER"
STRANGE = "C2STRANGE"
HIDDEN = "G3HIDDEN"
ARCHIVED = "C4ARCHIVED"
ALICE = "U1ALICE"
SCOPES = (
    "commands,chat:write,im:write,app_mentions:read,links:read,links:write,"
    "channels:read,groups:read,channels:history,groups:history,im:history,users:read"
)
ACK_SECONDS = 3.0
MOST_TEXT = 13_000


def complaints(blocks: list[dict[str, Any]]) -> list[str]:
    """Return what Slack would refuse about the blocks of one message; empty when it takes them."""
    found = [f"{len(blocks)} blocks"] if not 1 <= len(blocks) <= 50 else []
    if (size := sum(len(words) for words in strings(blocks, "text"))) > MOST_TEXT:
        found.append(f"{size} characters in all")
    for block in blocks:
        found += _block_complaints(block)
    return found


def _block_complaints(block: dict[str, Any]) -> Iterator[str]:
    kind = block["type"]
    if kind not in {"header", "context", "actions", "rich_text"}:
        yield f"a block of type {kind}"
    if kind == "header":
        yield from _text_complaints(block["text"], 150, {"plain_text"})
    if kind == "context":
        yield from [f"{len(block['elements'])} in a context"] if not 1 <= len(block["elements"]) <= 10 else []
        for element in block["elements"]:
            yield from _text_complaints(element, 3000, {"plain_text", "mrkdwn"})
    if kind == "actions":
        yield from _action_complaints(block["elements"])
    if kind == "rich_text":
        yield from _rich_complaints(block["elements"])


def _text_complaints(element: dict[str, Any], longest: int, kinds: set[str]) -> Iterator[str]:
    if element["type"] not in kinds or not 1 <= len(element["text"]) <= longest:
        yield f"{element['type']} of {len(element['text'])} characters"
    unknown = set(element) - {"type", "text", "emoji" if element["type"] == "plain_text" else "verbatim"}
    if unknown:
        yield f"unknown {unknown}"


def _action_complaints(elements: list[dict[str, Any]]) -> Iterator[str]:
    names = [element["action_id"] for element in elements]
    if not 1 <= len(elements) <= 25 or len(set(names)) != len(names):
        yield f"actions {names}"
    for element in elements:
        yield from _text_complaints(element["text"], 75, {"plain_text"})
        if not 1 <= len(element.get("value", "-")) <= 2000 or len(element["action_id"]) > 255:
            yield f"button {element}"
        if element.get("style", "primary") not in {"primary", "danger"}:
            yield f"style {element['style']}"


def _rich_complaints(elements: list[dict[str, Any]]) -> Iterator[str]:
    for section in elements:
        if section["type"] not in {"rich_text_section", "rich_text_preformatted"} or not section["elements"]:
            yield f"section {section}"
        for element in section["elements"]:
            if element["type"] not in {"text", "link"} or not element["text"]:
                yield f"rich text {element}"
            if element["type"] == "link" and not re.fullmatch(r"https?://[^\s<>|\"]+", element["url"]):
                yield f"address {element['url']}"


def strings(part: object, key: str) -> list[str]:
    """Return every string under a key, however deep, in order."""
    if isinstance(part, dict):
        own = [value for name, value in part.items() if name == key and isinstance(value, str)]
        return own + [words for value in part.values() for words in strings(value, key)]
    return [words for item in part for words in strings(item, key)] if isinstance(part, list) else []


def signed(body: bytes, *, at: float | None = None, secret: str = SIGNING_SECRET) -> dict[str, str]:
    """Return the headers with which Slack signs a body (https://docs.slack.dev/authentication/verifying-requests-from-slack)."""
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}


def encode(kind: str, payload: dict[str, Any]) -> tuple[bytes, str]:
    """Return a body as it goes over HTTP, and its type."""
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urlencode(fields).encode(), "application/x-www-form-urlencoded"


def filled(view: dict[str, Any], values: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a modal with its state: what it began with, and over it what was filled in, by block."""
    state: dict[str, dict[str, Any]] = {}
    for block in view["blocks"]:
        element = block.get("element")
        if element is not None:
            began = {
                name: element[f"initial_{part}"]
                for name, part in (
                    ("value", "value"),
                    ("selected_time", "time"),
                    ("selected_option", "option"),
                    ("selected_options", "options"),
                )
                if f"initial_{part}" in element
            }
            now = {"type": element["type"], **began, **values.get(block["block_id"], {})}
            state[block["block_id"]] = {element["action_id"]: now}
    return {**view, "state": {"values": state}}


def _matches(element: dict[str, Any], values: dict[str, Any]) -> bool:
    return element.get("type") != "button" or values.get("value", element.get("value")) == element.get("value")


@dataclass
class Fault:
    """How one call fails: an error code, a status, a broken connection, a body that is none of Slack's, no answer."""

    error: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    wait: asyncio.Event | None = None
    body: str | None = None
    content_type: str = "text/html"
    landed: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Call:
    """One request that came in, and when (monotonic seconds)."""

    method: str
    args: dict[str, Any]
    token: str
    at: float = field(default_factory=time.monotonic)


class RefusalError(Exception):
    """An error code of Slack's."""


class Waits:
    """Sleeps not at all and remembers for how long it should have; `clock` goes by that."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._begin = datetime.now(UTC)

    def clock(self) -> datetime:
        return self._begin + timedelta(seconds=sum(self.seconds))

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


@dataclass
class Channel:
    """What a channel is to paperboy.

    Attributes:
        member: it was invited.
        archived: nobody can post there any more.
        refuses: an error code that only posting shows, as `restricted_action`.
    """

    member: bool = True
    archived: bool = False
    refuses: str = ""


class SlackServer:
    """The server; `async with SlackServer() as slack:`.

    Attributes:
        channels: by id; one that is not here is private or was deleted.
        unable: error codes of people to whom no conversation can be opened.
        people: what users.list shows.
        rates: limits by method.
        answered: how many calls got an answer.
        tokens: bot tokens that are good, with their workspaces.
        refresh: refresh tokens that are good for one use, with their workspaces.
        codes: what `oauth.v2.access` answers to codes, besides tokens.
        views: modals that are open, by id; `homes` holds what people see in App Home.
        acknowledged: what the last acknowledgement carried.
        http_url: where the app takes what people do; empty means the socket.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.posts: list[dict[str, Any]] = []
        self.replies: list[dict[str, Any]] = []
        self.scopes = SCOPES
        self.history_page = 100
        self.channels = {MEMBER: Channel(), STRANGE: Channel(member=False), ARCHIVED: Channel(archived=True)}
        self.unable: dict[str, str] = {}
        self.people: list[dict[str, Any]] = []
        self.people_page = 200
        self.rates: dict[str, RateLimit] = {}
        self.answered = 0
        self.refused_tokens: dict[str, str] = {}
        self._faults: dict[str, list[Fault]] = {}
        self._full: tuple[int, Fault] | None = None
        self._numbers = itertools.count(1)
        self._tickets: set[str] = set()
        self._sockets: list[web.WebSocketResponse] = []
        self._requests: list[web.Request] = []
        self._acks: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self.opened = 0
        self.tokens = {BOT_TOKEN: TEAM}
        self.refresh: dict[str, str] = {}
        self.codes: dict[str, dict[str, Any]] = {}
        self.expires_in: int | None = None
        self.views: dict[str, dict[str, Any]] = {}
        self.homes: dict[str, dict[str, Any]] = {}
        self.unfurls: list[dict[str, Any]] = []
        self.joined: dict[str, list[str]] = {}
        self.profiles: dict[str, dict[str, Any]] = {}
        self.acknowledged: dict[str, Any] = {}
        self.http_url = ""
        self.now: Callable[[], float] = time.time
        self.spent: set[str] = set()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/socket", self._socket)
        app.router.add_post("/response/{name}", self._response)
        self._server = TestServer(app, host="127.0.0.1")
        await self._server.start_server()
        self._caller = ClientSession(timeout=ClientTimeout(total=ACK_SECONDS))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._caller.close()
        for socket in list(self._sockets):
            await socket.close()
        await self._server.close()

    @property
    def api_url(self) -> str:
        return str(self._server.make_url("/api/"))

    def fail(self, method: str, *faults: Fault) -> None:
        """Let the next calls of a method fail, one fault each; `response_url` and `socket` are methods too."""
        self._faults.setdefault(method, []).extend(faults)

    def fill(self, posts: int, fault: Fault) -> None:
        """Let every post fail that comes when there are so many."""
        self._full = (posts, fault)

    def made(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    async def until(self, holds: Callable[[], object], seconds: float = 20) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.005)

    # What people do

    async def slash(
        self, words: str, *, channel: str = MEMBER, name: str = "general", user: str = ALICE, team: str = TEAM
    ) -> float:
        """Type `/papers WORDS`; returns the seconds until it was acknowledged."""
        payload = {
            "team_id": team,
            "channel_id": channel,
            "channel_name": name,
            "user_id": user,
            "command": "/papers",
            "text": words,
            "api_app_id": "A1",
            "response_url": str(self._server.make_url(f"/response/{next(self._numbers)}")),
            "trigger_id": self._trigger(),
        }
        return await self._send("slash_commands", payload)

    def _trigger(self) -> str:
        return f"trigger-{next(self._numbers)}"

    def _person(self, user: str, kind: str, **more: Any) -> dict[str, Any]:
        about = {"type": kind, "team": {"id": TEAM, "domain": "test"}, "user": {"id": user, "team_id": TEAM}}
        return about | {"api_app_id": "A1", "trigger_id": self._trigger()} | more

    async def press_in_view(self, view: dict[str, Any], action_id: str, *, user: str = ALICE, **values: Any) -> float:
        """Press a button of App Home or use a field of a modal."""
        found = [item for block in view["blocks"] for item in (*block.get("elements", ()), block.get("element") or {})]
        element = next(item for item in found if item.get("action_id") == action_id and _matches(item, values))
        container = {"type": "view", "view_id": view["id"]}
        action = {name: element[name] for name in ("type", "action_id", "value") if name in element} | values
        return await self._send(
            "interactive", self._person(user, "block_actions", container=container, view=view, actions=[action])
        )

    async def submit(self, view: dict[str, Any], values: dict[str, dict[str, Any]], *, user: str = ALICE) -> float:
        """Send a modal with what was filled in by block, over what it began with."""
        sent = filled(view, values)
        return await self._send("interactive", self._person(user, "view_submission", view=sent))

    async def suggest(self, action_id: str, typed: str) -> list[dict[str, Any]]:
        """Type into a select whose options the app knows; returns what is offered."""
        payload = self._person(ALICE, "block_suggestion", action_id=action_id, block_id="b", value=typed)
        await self._send("interactive", payload | {"container": {"type": "view"}})
        return self.acknowledged["options"]

    async def shortcut(self, callback_id: str, words: str, *, channel: str = MEMBER) -> float:
        """Choose a shortcut below a message."""
        payload = self._person(ALICE, "message_action", callback_id=callback_id)
        payload |= {"message": {"text": words, "ts": "1.0"}, "channel": {"id": channel, "name": "general"}}
        payload["response_url"] = str(self._server.make_url(f"/response/{next(self._numbers)}"))
        return await self._send("interactive", payload)

    async def event(self, kind: str, *, team: str = TEAM, event_id: str = "", retry: int = 0, **fields: Any) -> float:
        """Let something happen; with `retry` it is told again."""
        payload = {
            "type": "event_callback",
            "team_id": team,
            "api_app_id": "A1",
            "event_id": event_id or f"Ev{next(self._numbers)}",
            "event": {"type": kind, "event_ts": "1.0", **fields},
        }
        return await self._send("events_api", payload, retry=retry)

    async def press(self, message: dict[str, Any], action_id: str, *, alone: bool, channel: str = MEMBER) -> float:
        """Press a button of a message; returns the seconds until it was acknowledged."""
        buttons = [item for block in message["blocks"] for item in block.get("elements", ()) if "action_id" in item]
        button = next(item for item in buttons if item["action_id"] == action_id)
        container = {
            "type": "message",
            "channel_id": channel,
            "is_ephemeral": alone,
            "message_ts": message.get("ts", "1.0"),
        }
        if message.get("thread_ts"):
            container["thread_ts"] = message["thread_ts"]
        payload = {
            "type": "block_actions",
            "team": {"id": TEAM, "domain": "test"},
            "user": {"id": ALICE, "team_id": TEAM},
            "channel": {"id": channel, "name": "directmessage" if channel.startswith("D") else "general"},
            "container": container,
            "api_app_id": "A1",
            "trigger_id": self._trigger(),
            "response_url": str(self._server.make_url(f"/response/{next(self._numbers)}")),
            "actions": [{"type": "button", "block_id": "b", **button, "action_ts": "1.0"}],
        }
        return await self._send("interactive", payload)

    async def _send(self, kind: str, payload: dict[str, Any], *, retry: int = 0) -> float:
        if self.http_url:
            return await self._send_signed(kind, payload, retry)
        name = f"envelope-{next(self._numbers)}"
        self._acks[name] = asyncio.get_running_loop().create_future()
        began = time.monotonic()
        envelope = {"envelope_id": name, "type": kind, "payload": payload, "accepts_response_payload": True}
        if retry:
            envelope |= {"retry_attempt": retry, "retry_reason": "timeout"}
        await self._newest_socket().send_json(envelope)
        async with asyncio.timeout(ACK_SECONDS):
            self.acknowledged = (await self._acks[name]).get("payload") or {}
        return time.monotonic() - began

    async def _send_signed(self, kind: str, payload: dict[str, Any], retry: int) -> float:
        body, content_type = encode(kind, payload)
        headers = signed(body, at=self.now()) | {"Content-Type": content_type}
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": "http_timeout"}
        began = time.monotonic()
        async with self._caller.post(self.http_url, data=body, headers=headers) as reply:
            words = await reply.text()
            assert reply.status == 200, (reply.status, words)
        self.acknowledged = json.loads(words) if words.startswith("{") else {}
        return time.monotonic() - began

    def break_socket(self) -> None:
        """Cut the connection without a word."""
        for request in self._requests:
            if request.transport is not None:
                request.transport.abort()

    async def refresh_socket(self) -> None:
        """Ask for a fresh connection, as Slack does every few hours."""
        await self._sockets[-1].send_json({"type": "disconnect", "reason": "refresh_requested"})

    def _newest_socket(self) -> web.WebSocketResponse:
        """Return one connection of those that are open: each event goes to one."""
        return next(socket for socket in reversed(self._sockets) if not (socket.closed or is_broken(socket)))

    @property
    def connected(self) -> bool:
        return any(not socket.closed for socket in self._sockets)

    # The wire

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method, token = request.match_info["method"], request.headers.get("Authorization", "").removeprefix("Bearer ")
        args: dict[str, Any] = dict(request.query)
        if request.content_type == "application/json":
            args |= await request.json()
        elif request.method == "POST":
            args |= dict(await request.post())
        if method == "oauth.v2.access":  # the app's own name and secret come as a sign-in
            token = request.headers.get("Authorization", "").removeprefix("Basic ")
        for name in args.keys() & {"view", "unfurls"}:
            args[name] = json.loads(args[name]) if isinstance(args[name], str) else args[name]
        self.calls.append(Call(method, args, token))
        try:
            return await self._answer(request, method, args, token)
        finally:
            self.answered += 1

    async def _answer(self, request: web.Request, method: str, args: dict[str, Any], token: str) -> web.StreamResponse:
        if wait := self.rates[method].admit() if method in self.rates else 0:
            return await self._fail(request, Fault(error="ratelimited", status=429, headers={"Retry-After": str(wait)}))
        fault = self._next_fault(method)
        if fault is not None and not fault.landed:
            return await self._fail(request, fault)
        try:
            answer = {"ok": True, **self._dispatch(method, args, token)}
        except RefusalError as refusal:
            answer = {"ok": False, "error": str(refusal)}
        if fault is not None:
            return await self._fail(request, fault)
        return web.json_response(answer, headers={"x-oauth-scopes": self.scopes})

    def _next_fault(self, method: str) -> Fault | None:
        if method == "chat.postMessage" and self._full is not None and len(self.posts) >= self._full[0]:
            return self._full[1]
        waiting = self._faults.get(method)
        return waiting.pop(0) if waiting else None

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.wait is not None:
            await fault.wait.wait()
        if fault.drop and request.transport is not None:
            request.transport.abort()
        if fault.body is not None:
            return web.Response(status=fault.status, text=fault.body, content_type=fault.content_type)
        answer = {"ok": False, "error": fault.error, **fault.extra} if fault.error else {}
        return web.json_response(answer, status=fault.status, headers=fault.headers)

    def _dispatch(self, method: str, args: dict[str, Any], token: str) -> dict[str, Any]:
        if token in self.refused_tokens:
            raise RefusalError(self.refused_tokens[token])
        if method == "oauth.v2.access":
            return self._do_oauth_v2_access(args, token)
        good = {APP_TOKEN} if method == "apps.connections.open" else self.tokens
        if token not in good:
            raise RefusalError("invalid_auth" if token else "not_authed")
        if method == "auth.test":
            return self._do_auth_test(token)
        if method == "auth.revoke":
            del self.tokens[token]
            return {"revoked": True}
        return getattr(self, "_do_" + method.replace(".", "_"))(args)

    def _do_apps_connections_open(self, _: dict[str, Any]) -> dict[str, Any]:
        ticket = f"ticket-{next(self._numbers)}"
        self._tickets.add(ticket)
        return {"url": str(self._server.make_url(f"/socket?ticket={ticket}")).replace("http://", "ws://")}

    def _do_oauth_v2_access(self, args: dict[str, Any], credentials: str) -> dict[str, Any]:
        if base64.b64decode(credentials).decode() != f"{CLIENT_ID}:{CLIENT_SECRET}":
            raise RefusalError("bad_client_secret")
        if args.get("grant_type") == "refresh_token":
            team = self.refresh.pop(str(args.get("refresh_token")), "")
            if not team:
                raise RefusalError("invalid_refresh_token")
            return self._tokens_of(team)
        if args.get("code") not in self.codes:
            raise RefusalError("invalid_code")
        answer = self.codes.pop(args["code"])
        return self._tokens_of(answer["team"]["id"] if answer.get("team") else "E1") | answer

    def _tokens_of(self, team: str) -> dict[str, Any]:
        number = next(self._numbers)
        token, refresh = f"xoxe.xoxb-{team}-{number}", f"xoxe-{team}-{number}"
        self.tokens[token] = team
        answer = {
            "app_id": "A1",
            "token_type": "bot",
            "access_token": token,
            "bot_user_id": "U0BOT",
            "scope": self.scopes,
            "authed_user": {"id": ALICE},
            "is_enterprise_install": False,
        }
        if self.expires_in is not None:
            self.refresh[refresh] = team
            answer |= {"refresh_token": refresh, "expires_in": self.expires_in}
        return answer

    def _do_auth_test(self, token: str) -> dict[str, Any]:
        team = self.tokens[token]
        about = {"url": "https://test.example/", "team": "Test", "team_id": team, "bot_id": "B0"}
        return about | {"user": "paperboy", "user_id": "U0BOT"}

    def _do_views_open(self, args: dict[str, Any]) -> dict[str, Any]:
        if not args.get("trigger_id") or args["trigger_id"] in self.spent:
            raise RefusalError("exchanged_trigger_id")
        self.spent.add(args["trigger_id"])
        return self._keep_view(args["view"], f"V{next(self._numbers)}")

    _do_views_push = _do_views_open

    def _do_views_update(self, args: dict[str, Any]) -> dict[str, Any]:
        if args["view_id"] not in self.views:
            raise RefusalError("not_found")
        if args.get("hash") and args["hash"] != self.views[args["view_id"]]["hash"]:
            raise RefusalError("hash_conflict")
        return self._keep_view(args["view"], args["view_id"])

    def _do_views_publish(self, args: dict[str, Any]) -> dict[str, Any]:
        answer = self._keep_view(args["view"], f"H{args['user_id']}")
        self.homes[args["user_id"]] = answer["view"]
        return answer

    def _keep_view(self, view: dict[str, Any], name: str) -> dict[str, Any]:
        if found := view_complaints(view):
            raise RefusalError(f"invalid_arguments {found}")
        self.views[name] = {**view, "id": name, "hash": f"hash-{next(self._numbers)}"}
        return {"view": self.views[name]}

    def _do_chat_unfurl(self, args: dict[str, Any]) -> dict[str, Any]:
        for card in args["unfurls"].values():
            if complaints(card["blocks"]):
                raise RefusalError("cannot_unfurl_url")
        self.unfurls.append(args)
        return {}

    def _do_users_conversations(self, args: dict[str, Any]) -> dict[str, Any]:
        return {"channels": [{"id": name} for name in self.joined.get(args["user"], ())]}

    def _do_users_info(self, args: dict[str, Any]) -> dict[str, Any]:
        return {"user": {"id": args["user"], "tz": "Europe/Berlin"} | self.profiles.get(args["user"], {})}

    def _do_users_list(self, args: dict[str, Any]) -> dict[str, Any]:
        if "users:read" not in self.scopes.split(","):
            raise RefusalError("missing_scope")
        begin = int(args.get("cursor") or 0)
        end = begin + min(self.people_page, int(args["limit"]))
        cursor = str(end) if end < len(self.people) else ""
        return {"members": self.people[begin:end], "response_metadata": {"next_cursor": cursor}}

    def _do_conversations_open(self, args: dict[str, Any]) -> dict[str, Any]:
        if args["users"] in self.unable:
            raise RefusalError(self.unable[args["users"]])
        return {"channel": {"id": "D" + args["users"][1:], "is_im": True}}

    def _do_conversations_info(self, args: dict[str, Any]) -> dict[str, Any]:
        channel = args["channel"]
        known = self.channels.get(channel)
        if known is None:
            raise RefusalError("channel_not_found")
        return {"channel": {"id": channel, "is_member": known.member, "is_archived": known.archived}}

    def _do_conversations_history(self, args: dict[str, Any]) -> dict[str, Any]:
        posts = [post for post in self.posts if post["channel"] == args["channel"] and not post.get("thread_ts")]
        return self._page([post for post in posts if float(post["ts"]) > float(args.get("oldest", 0))], args)

    def _do_conversations_replies(self, args: dict[str, Any]) -> dict[str, Any]:
        return self._page([post for post in self.posts if args["ts"] in {post["ts"], post.get("thread_ts")}], args)

    def _page(self, posts: list[dict[str, Any]], args: dict[str, Any]) -> dict[str, Any]:
        if args.get("include_all_metadata") not in {"1", True}:
            posts = [{name: value for name, value in post.items() if name != "metadata"} for post in posts]
        begin = int(args.get("cursor") or 0)
        end = begin + self.history_page
        newest_first = posts[::-1][begin:end]
        return {"messages": newest_first, "response_metadata": {"next_cursor": str(end) if end < len(posts) else ""}}

    def _do_chat_postMessage(self, args: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - Slack's own name
        channel = args["channel"]
        self._enter(channel)
        if args.get("thread_ts") and args["thread_ts"] not in {post["ts"] for post in self.posts}:
            raise RefusalError("thread_not_found")
        self._look_at(args)
        post = {**args, "ts": f"{time.time():.0f}.{next(self._numbers):06}"}
        self.posts.append(post)
        return {"ts": post["ts"], "channel": channel}

    def _enter(self, channel: str) -> None:
        known = self.channels.get(channel, Channel() if channel.startswith("D") else None)
        if known is None:
            raise RefusalError("channel_not_found")
        if known.archived:
            raise RefusalError("is_archived")
        if not known.member:
            raise RefusalError("not_in_channel")
        if known.refuses:
            raise RefusalError(known.refuses)

    def _do_chat_update(self, args: dict[str, Any]) -> dict[str, Any]:
        unknown = set(args) - {"channel", "ts", "text", "blocks", "metadata", "link_names", "parse"}
        if unknown:
            raise RefusalError(f"invalid_arg_name {unknown}")
        known = self.channels.get(args["channel"], Channel())
        if known.archived or not known.member:
            raise RefusalError("is_inactive" if known.archived else "channel_not_found")
        post = next(
            (post for post in self.posts if (post["channel"], post["ts"]) == (args["channel"], args["ts"])), None
        )
        if post is None:
            raise RefusalError("message_not_found")
        if len(args["text"]) > 4000:
            raise RefusalError("msg_too_long")
        if not args["text"]:
            raise RefusalError("no_text")
        if args["blocks"] and complaints(args["blocks"]):
            raise RefusalError("invalid_blocks")
        post |= {"text": args["text"], "blocks": args["blocks"], "metadata": args["metadata"]}
        return {"ts": post["ts"], "channel": args["channel"], "text": args["text"]}

    def _do_chat_getPermalink(self, args: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - Slack's own name
        if args["message_ts"] not in {post["ts"] for post in self.posts if post["channel"] == args["channel"]}:
            raise RefusalError("message_not_found")
        name = args["message_ts"].replace(".", "")
        return {"channel": args["channel"], "permalink": f"https://test.example/archives/{args['channel']}/p{name}"}

    def _do_chat_postEphemeral(self, args: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - Slack's own name
        self._look_at(args)
        self.replies.append(args)
        return {"message_ts": "1.0"}

    def _look_at(self, args: dict[str, Any]) -> None:
        if not args.get("text") or len(args["text"]) > 4000:
            raise RefusalError("no_text")
        if "blocks" in args and complaints(args["blocks"]):
            raise RefusalError("invalid_blocks")

    async def _response(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        name = request.match_info["name"]
        uses = [call.args["url"] for call in self.made("response_url")].count(name)
        self.calls.append(Call("response_url", {**body, "url": name}, ""))
        if fault := self._next_fault("response_url"):
            return await self._fail(request, fault)
        if uses >= 5:
            return web.json_response({"ok": False, "error": "used_url"}, status=404)
        try:
            self._look_at(body)
        except RefusalError as refusal:
            return web.Response(status=400, text=str(refusal))
        self.replies.append(body)
        return web.Response(text="ok")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if self._next_fault("socket"):
            return web.Response(status=503)
        if request.query.get("ticket") not in self._tickets:
            return web.Response(status=403)
        self._tickets.discard(request.query["ticket"])
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.append(socket)
        self._requests.append(request)
        self.opened += 1
        try:
            await socket.send_json({"type": "hello", "num_connections": len(self._sockets)})
            async for message in socket:
                if message.type is WSMsgType.TEXT and (ack := json.loads(message.data)):
                    waiting = self._acks.get(ack.get("envelope_id", ""))
                    if waiting is not None and not waiting.done():
                        waiting.set_result(ack)
        finally:
            self._sockets.remove(socket)
        return socket


def is_broken(socket: web.WebSocketResponse) -> bool:
    """Whether whoever was connected has gone without a word."""
    transport = socket.get_extra_info("socket")
    return transport is None or transport.fileno() < 0
