"""A small Discord on loopback: so much of its REST API and gateway as an unmodified discord.py needs to serve paperboy.

It is strict where Discord is: limits of messages, one acknowledgement an interaction, ephemeral states that cannot
change, access by channel. `faults` makes single calls go wrong.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatch
from typing import Any, Self

from aiohttp import WSMsgType, web

from tests.servers.discord_limits import COMPONENTS_V2, modal_problems, problems, walk

EPHEMERAL, LOADING = 1 << 6, 1 << 7
TOKEN = "loopback-bot-token"
BOT, APP, GUILD, CHANNEL, OTHER_CHANNEL, ALICE, BOB, CAROL = "100", "101", "200", "300", "301", "400", "401", "402"
FORUM = "302"
MANAGER = str((1 << 4) | (1 << 5) | (1 << 10) | (1 << 11))
MEMBER = str((1 << 10) | (1 << 11))
VIEW, SEND, READ_HISTORY, CONNECT = 1 << 10, 1 << 11, 1 << 16, 1 << 20
READ_SEND_HISTORY = VIEW | SEND | READ_HISTORY | 1 << 38
VOICES, FORUMS = {2, 13}, {15, 16}
EPOCH_MS = 1420070400000


@dataclass
class Fault:
    """What happens to the next `times` calls that match: an answer instead of theirs, or none at all."""

    match: str
    status: int = 0
    body: Any = "<html>upstream</html>"
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    applied: bool = False
    times: int = 1


class RefusedError(Exception):
    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message}


@dataclass
class Asked:
    """One interaction and what became of it."""

    id: str
    token: str
    payload: dict[str, Any]
    source: dict[str, Any] | None
    acknowledged: int | None = None
    original: dict[str, Any] | None = None
    followups: list[dict[str, Any]] = field(default_factory=list)
    choices: list[dict[str, Any]] = field(default_factory=list)
    modal: dict[str, Any] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def shown(self) -> list[dict[str, Any]]:
        """What was said in answer, in order: no placeholder, and not the message that a button belongs to."""
        own = [self.original] if self.original is not None and self.original is not self.source else []
        return [message for message in (*own, *self.followups) if not message["flags"] & LOADING]

    async def until(self, condition) -> Asked:
        """Wait until the condition holds for this interaction."""
        while not condition(self):
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 20)
        return self

    async def answered(self, count: int = 1) -> Asked:
        return await self.until(lambda asked: len(asked.shown) >= count)


class DiscordServer:
    """Use as `async with DiscordServer() as server`."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.faults: list[Fault] = []
        self.messages: dict[str, list[dict[str, Any]]] = {}
        self.commands: list[dict[str, Any]] = []
        self.access: dict[str, tuple[int, int]] = {}
        self.closed_dms: set[str] = set()
        self.direct: dict[str, str] = {}
        self.threads: dict[str, dict[str, Any]] = {}
        self.everyone = READ_SEND_HISTORY
        self.with_forum = False
        # https://docs.discord.com/developers/resources/channel#channel-object-channel-types
        self.forum_kind = 15
        self.other_kind = 0
        self.flags = 0
        self.forum_flags = 0
        self.tags: list[dict[str, Any]] = []
        self.endpoint: str | None = None
        self.in_guild = True
        # For whom paperboy is installed where commands are used: "0" for a server, "1" for a person.
        self.installed = {"0": GUILD}
        self.valid_token = TOKEN
        self.last_seen: dict[str, Any] = {}
        self.identified = self.resumed = 0
        self.shards = 1
        # POST /channels/{id}/messages: so many in so many seconds, by channel; None for as many as anybody likes.
        self.bucket: tuple[int, float] | None = None
        self.global_wait = 0.0
        self.limited = 0
        self.pushy = 0
        self._windows: dict[str, tuple[int, float]] = {}
        self._closed_until = 0.0
        self._gateway: web.WebSocketResponse | None = None
        self._sequence = itertools.count(1)
        self._ids = itertools.count(1)
        self._asked: dict[str, Asked] = {}
        self._connected = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v10"

    @property
    def gateway_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/gateway"

    async def start(self, port: int = 0) -> DiscordServer:
        app = web.Application()
        app.router.add_get("/gateway", self._serve_gateway)
        app.router.add_route("*", "/api/v10/{path:.*}", self._serve_rest)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def stop(self) -> None:
        if self._gateway is not None:
            await self._gateway.close(code=1001)
        assert self._runner is not None
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def count(self, route: str) -> int:
        return sum(fnmatch(made, route) for made, _ in self.calls)

    def new_id(self) -> str:
        return str((int(time.time() * 1000) - EPOCH_MS << 22) + next(self._ids))

    # REST

    async def _serve_rest(self, request: web.Request) -> web.Response:
        route = f"{request.method} /{request.match_info['path']}"
        raw = await request.read()
        body = json.loads(raw) if raw else None
        self.calls.append((route, body))
        fault = next((fault for fault in self.faults if fault.times and fnmatch(route, fault.match)), None)
        if fault is not None:
            fault.times -= 1
            if fault.applied:
                self._apply(request, body)
            if fault.drop:
                assert request.transport is not None
                request.transport.abort()
            return _reply(fault.status, fault.body, fault.headers)
        limits, wait = self._limit(route)
        if wait:
            self.limited += 1
            everywhere = "X-RateLimit-Global" in limits
            told = {"message": "You are being rate limited.", "retry_after": wait, "global": everywhere}
            return _reply(429, told, limits | {"Retry-After": str(wait)})
        try:
            return _reply(*self._apply(request, body), limits)
        except RefusedError as refused:
            return _reply(refused.status, refused.body, limits)

    def _limit(self, route: str) -> tuple[dict[str, str], float]:
        """Return the headers that tell about limits, and the seconds to wait."""
        now = asyncio.get_running_loop().time()
        if now < self._closed_until:
            self.pushy += 1
        if self.global_wait:
            wait, self.global_wait = self.global_wait, 0.0
            self._closed_until = now + wait
            return {"X-RateLimit-Scope": "global", "X-RateLimit-Global": "true"}, wait
        if self.bucket is None or not fnmatch(route, "POST /channels/*/messages"):
            return {}, 0.0
        most, seconds = self.bucket
        used, until = self._windows.get(route, (0, 0.0))
        used, until = (used, until) if now < until else (0, now + seconds)
        wait = until - now if used >= most else 0.0
        self._windows[route] = (used + (not wait), until)
        headers = {"X-RateLimit-Limit": str(most), "X-RateLimit-Bucket": "messages", "X-RateLimit-Scope": "user"}
        headers |= {"X-RateLimit-Remaining": str(max(0, most - used - 1)), "X-RateLimit-Reset": str(time.time() + 60)}
        return headers | {"X-RateLimit-Reset-After": f"{until - now:.3f}"}, round(wait, 3)

    def _apply(  # noqa: C901, PLR0911, PLR0912 - a table of routes, one line each
        self, request: web.Request, body: Any
    ) -> tuple[int, Any]:
        path = request.match_info["path"].split("/")
        open_to_all = path[0] in {"interactions", "webhooks"}
        if not open_to_all and request.headers.get("Authorization") != f"Bot {self.valid_token}":
            raise RefusedError(401, 0, "401: Unauthorized")
        match request.method, path:
            case "GET", ["users", "@me"]:
                return 200, _user(BOT, "paperboy", bot=True)
            case "GET", ["users", "@me", "guilds"]:
                return 200, [{"id": GUILD, "name": "Lab"}] if self.in_guild else []
            case "POST", ["users", "@me", "channels"]:
                return 200, self._open_direct(body["recipient_id"])
            case "GET", [*_, "applications", "@me"]:
                return 200, self._application()
            case "GET", ["gateway", "bot"]:
                return 200, self._gateway_bot()
            case "GET", ["applications", _, "commands"]:
                return 200, self.commands
            case "PUT", ["applications", _, "commands"]:
                self.commands = [_registered(command, self.new_id()) for command in body]
                return 200, self.commands
            case "GET", ["channels", channel]:
                return 200, self._channel(channel)
            case "GET", ["channels", channel, "messages"]:
                return 200, self._history(channel, request.query)
            case "POST", ["channels", channel, "threads"]:
                return 201, self._begin_post(channel, body)
            case "GET", ["guilds", _, "threads", "active"]:
                return 200, {"threads": list(self.threads.values()), "members": []}
            case "POST", ["channels", channel, "messages"]:
                return 200, self._post(channel, body)
            case "PATCH", ["channels", channel, "messages", message]:
                return 200, self._edit(channel, message, body)
            case "GET", ["guilds", guild, "members", _]:
                return 200, self._guild_of(guild)["members"][0]
            case "GET", ["guilds", guild]:
                return 200, self._guild_of(guild)
            case "POST", ["interactions", _, token, "callback"]:
                return self._acknowledge(self._asked[token], body)
            case "PATCH", ["webhooks", _, token, "messages", "@original"]:
                return 200, self._edit_original(self._asked[token], body)
            case "POST", ["webhooks", _, token]:
                return 200, self._follow_up(self._asked[token], body)
        raise RefusedError(404, 0, "404: Not Found")

    def _gateway_bot(self) -> dict[str, Any]:
        left = {"remaining": 998, "total": 1000}
        return {"url": self.gateway_url, "shards": self.shards, "session_start_limit": left}

    def _application(self) -> dict[str, Any]:
        known = {"id": APP, "name": "paperboy", "icon": None, "description": "", "rpc_origins": [], "bot_public": True}
        known |= {"bot_require_code_grant": False, "owner": _user(ALICE, "alice"), "team": None, "flags": self.flags}
        return known | {"verify_key": "0" * 64, "summary": "", "interactions_endpoint_url": self.endpoint}

    def _channel(self, channel: str) -> dict[str, Any]:
        if channel in self.access:
            status, code = self.access[channel]
            raise RefusedError(status, code, "no")
        if channel in self.threads:
            return self.threads[channel]
        if channel in {CHANNEL, OTHER_CHANNEL}:
            self._require(VIEW, 50001)
            if channel == OTHER_CHANNEL and self.other_kind in VOICES:
                self._require(CONNECT, 50001)
            return self.text_channel(channel)
        if channel == FORUM:
            self._require(VIEW, 50001)
            return self.forum()
        if channel in self.direct.values():
            return {"id": channel, "type": 1}
        raise RefusedError(404, 10003, "Unknown Channel")

    def _require(self, permission: int, code: int) -> None:
        if not self.everyone & permission:
            raise RefusedError(403, code, "Missing Access" if code == 50001 else "Missing Permissions")

    def _guild_of(self, guild: str) -> dict[str, Any]:
        if guild != GUILD or not self.in_guild:
            raise RefusedError(404, 10004, "Unknown Guild")
        return self._guild()

    def _open_direct(self, person: str) -> dict[str, Any]:
        if person not in {ALICE, BOB, CAROL}:
            raise RefusedError(404, 10013, "Unknown User")
        self.direct.setdefault(person, str(900 + int(person)))
        if person in self.closed_dms:
            self.access[self.direct[person]] = (403, 50007)
        return {"id": self.direct[person], "type": 1}

    def _edit(self, channel: str, message: str, body: dict[str, Any]) -> dict[str, Any]:
        self._channel(channel)
        known = next((item for item in self.messages.get(channel, []) if item["id"] == message), None)
        if known is None:
            raise RefusedError(404, 10008, "Unknown Message")
        _check(body)
        if "nonce" in body:
            raise RefusedError(400, 50035, "Invalid Form Body: an edit knows no nonce")
        known |= {
            "components": body["components"],
            "flags": body["flags"],
            "edited_timestamp": "2026-01-01T00:00:01+00:00",
        }
        return known

    def text_channel(self, channel: str) -> dict[str, Any]:
        if channel != OTHER_CHANNEL or not self.other_kind:
            return _text_channel(channel)
        voice = {"bitrate": 64000, "user_limit": 0, "rtc_region": None} if self.other_kind in VOICES else {}
        return _text_channel(channel) | {"type": self.other_kind, **voice}

    def forum(self) -> dict[str, Any]:
        return _text_channel(FORUM) | {"type": self.forum_kind, "flags": self.forum_flags, "available_tags": self.tags}

    def _begin_post(self, channel: str, body: dict[str, Any]) -> dict[str, Any]:
        if self._channel(channel)["type"] not in FORUMS or set(body) - {"name", "message", "applied_tags"}:
            raise RefusedError(400, 50035, "Invalid Form Body")
        if not 1 <= len(body["name"]) <= 100 or "nonce" in body["message"]:
            raise RefusedError(400, 50035, "Invalid Form Body: the name, or a nonce")
        tags = body.get("applied_tags", [])
        if (self.forum_flags & 1 << 4 and not tags) or set(tags) - {tag["id"] for tag in self.tags}:
            raise RefusedError(400, 40067, "A tag is required to create a forum post in this channel")
        self._require(SEND, 50013)
        _check(body["message"])
        number = self.new_id()
        thread = {"id": number, "type": 11, "name": body["name"], "parent_id": channel, "guild_id": GUILD}
        thread |= {"owner_id": BOT, "applied_tags": tags, "thread_metadata": {"archived": False, "locked": False}}
        self.threads[number] = thread
        first = self._message(number, body["message"]) | {"id": number}
        self.messages[number] = [first]
        return thread | {"message": first}

    def _post(self, channel: str, body: dict[str, Any]) -> dict[str, Any]:
        if self._channel(channel)["type"] in FORUMS:
            raise RefusedError(400, 50008, "Cannot send messages in a non-text channel")
        if channel not in self.direct.values():
            self._require(SEND, 50013)
        _check(body)
        known = self.messages.setdefault(channel, [])
        if body.get("enforce_nonce"):
            twin = next((message for message in known if message["nonce"] == body["nonce"]), None)
            if twin is not None:
                return twin
        message = self._message(channel, body)
        known.append(message)
        return message

    def _history(self, channel: str, query: Any) -> list[dict[str, Any]]:
        if self._channel(channel)["type"] in FORUMS:
            raise RefusedError(400, 50008, "Cannot send messages in a non-text channel")
        if not self.everyone & READ_HISTORY and channel not in self.direct.values():
            return []
        after, limit = int(query.get("after", 0)), int(query.get("limit", 50))
        newer = [message for message in self.messages.get(channel, []) if int(message["id"]) > after]
        page = newer[:limit] if "after" in query else newer[-limit:]
        return [{key: value for key, value in message.items() if key != "nonce"} for message in reversed(page)]

    def _message(self, channel: str, body: dict[str, Any]) -> dict[str, Any]:
        message = {"id": self.new_id(), "channel_id": channel, "author": _user(BOT, "paperboy", bot=True)}
        message |= {
            "content": "",
            "embeds": [],
            "attachments": [],
            "mentions": [],
            "mention_roles": [],
            "pinned": False,
        }
        message |= {"mention_everyone": False, "tts": False, "timestamp": "2026-01-01T00:00:00+00:00", "type": 0}
        message |= {"edited_timestamp": None, "flags": body.get("flags", 0), "nonce": body.get("nonce")}
        return message | {"components": body.get("components", [])}

    # Interactions

    def _acknowledge(self, asked: Asked, body: dict[str, Any]) -> tuple[int, Any]:
        if asked.acknowledged is not None:
            raise RefusedError(400, 40060, "Interaction has already been acknowledged.")
        kind = body["type"]
        if kind not in {2: {5, 9}, 3: {6, 9}, 4: {8}, 5: {5}}[asked.payload["type"]]:
            raise RefusedError(400, 50035, "Invalid Form Body")
        asked.acknowledged = kind
        if kind == 8:
            asked.choices = body["data"]["choices"]
            if len(asked.choices) > 25:
                raise RefusedError(400, 50035, "Must be 25 or fewer in length.")
        elif kind == 9:
            asked.modal = body["data"]
            if found := list(modal_problems(asked.modal)):
                raise RefusedError(400, 50035, f"Invalid Form Body: {'; '.join(found)}")
        else:
            flags = (body.get("data") or {}).get("flags", 0)
            loading = {"flags": flags | LOADING}
            asked.original = asked.source or self._message(asked.payload["channel_id"], loading)
        asked.changed.set()
        return 200, {"interaction": {"id": asked.id, "type": asked.payload["type"]}}

    def _edit_original(self, asked: Asked, body: dict[str, Any]) -> dict[str, Any]:
        _check(body)
        message = asked.original
        if message is None:
            raise RefusedError(404, 10015, "Unknown Webhook")
        kept = message["flags"] & EPHEMERAL
        if body["flags"] & EPHEMERAL != kept:
            raise RefusedError(400, 50035, "an edit names the flags that stay")
        message |= {"components": body["components"], "flags": COMPONENTS_V2 | kept}
        asked.changed.set()
        return message

    def _follow_up(self, asked: Asked, body: dict[str, Any]) -> dict[str, Any]:
        _check(body)
        if asked.original is None:
            raise RefusedError(404, 10015, "Unknown Webhook")
        if asked.original["flags"] & LOADING:
            return self._edit_original(asked, body)
        message = self._message(asked.payload["channel_id"], body)
        asked.followups.append(message)
        asked.changed.set()
        return message

    async def slash(
        self,
        sub: str,
        *,
        user: str = ALICE,
        channel: str = CHANNEL,
        shown: dict[str, Any] | None = None,
        **options: Any,
    ) -> Asked:
        """Type `/papers SUB` with options, of those that are registered; `shown` is what Discord tells of the place."""
        data = {"name": "papers", **self._typed(sub, options)}
        return await self._ask(2, data, user=user, channel=channel, shown=shown)

    async def about(self, name: str, message: dict[str, Any], *, user: str = ALICE) -> Asked:
        """Choose a command from the menu of a message."""
        known = next(command for command in self.commands if command["name"] == name)
        data = {"id": known["id"], "name": name, "type": 3, "target_id": message["id"]}
        data |= {"resolved": {"messages": {message["id"]: message}}}
        return await self._ask(2, data, user=user, channel=message["channel_id"])

    async def submit(self, asked: Asked, *, user: str = ALICE, **typed: str) -> Asked:
        """Send the form that an interaction opened, with what it shows except for what is typed or chosen."""
        await asked.until(lambda asked: asked.modal is not None)
        assert asked.modal is not None
        filled = [
            {"type": 18, "id": number, "component": _filled(part["component"], typed)}
            for number, part in enumerate(asked.modal["components"], 1)
        ]
        data = {"custom_id": asked.modal["custom_id"], "components": filled}
        return await self._ask(5, data, user=user, channel=asked.payload["channel_id"])

    async def complete(self, sub: str, option: str, typed: str) -> Asked:
        """Type into an option that has autocompletion."""
        data = self._typed(sub, {option: typed})
        data["options"][0]["options"][0]["focused"] = True
        asked = await self._ask(4, {"name": "papers", **data})
        return await asked.until(lambda asked: asked.acknowledged is not None)

    async def click(self, message: dict[str, Any], label: str, *, user: str = ALICE) -> Asked:
        """Press the first button of a message that has this label."""
        every = walk(message["components"])
        button = next(item for item in every if item.get("label") == label)
        data = {"custom_id": button["custom_id"], "component_type": 2}
        return await self._ask(3, data, user=user, channel=message["channel_id"], source=message)

    def _typed(self, sub: str, options: dict[str, Any]) -> dict[str, Any]:
        command = next(command for command in self.commands if command["name"] == "papers")
        known = next(option for option in command["options"] if option["name"] == sub)
        types = {option["name"]: option["type"] for option in known.get("options", [])}
        given = [{"name": name, "type": types[name], "value": value} for name, value in options.items()]
        return {"id": command["id"], "type": 1, "options": [{"name": sub, "type": 1, "options": given}]}

    async def _ask(
        self,
        kind: int,
        data: dict[str, Any],
        *,
        user: str = ALICE,
        channel: str = CHANNEL,
        source: Any = None,
        shown: dict[str, Any] | None = None,
    ) -> Asked:
        number = self.new_id()
        direct = channel in self.direct.values()
        payload = {"id": number, "application_id": APP, "type": kind, "token": f"token-{number}", "version": 1}
        payload |= {
            "data": data,
            "channel_id": channel,
            "channel": shown or {"id": channel, "type": 1 if direct else 0},
        }
        payload |= {"authorizing_integration_owners": {"0": "0"} if direct else self.installed}
        payload |= {"locale": "en-US", "entitlements": [], "attachment_size_limit": 10485760, "app_permissions": "0"}
        who = _user(user, "somebody")
        if direct:
            payload |= {"user": who, "context": 1}
        else:
            member = {"user": who, "roles": [], "joined_at": "2024-01-01T00:00:00+00:00", "deaf": False, "mute": False}
            member |= {"flags": 0, "permissions": MANAGER if user == ALICE else MEMBER}
            payload |= {"member": member, "guild_id": GUILD, "context": 0}
        if source is not None:
            payload["message"] = source
        asked = self._asked[payload["token"]] = Asked(number, payload["token"], payload, source)
        await self.dispatch("INTERACTION_CREATE", payload)
        return asked

    # Gateway

    async def dispatch(self, event: str, data: Any) -> None:
        await asyncio.wait_for(self._connected.wait(), 20)
        assert self._gateway is not None
        await self._gateway.send_json({"op": 0, "t": event, "s": next(self._sequence), "d": data})

    async def allow(self, permissions: int) -> None:
        """Let everybody do this much in the server, from now on."""
        self.everyone = permissions
        await self.dispatch("GUILD_ROLE_UPDATE", {"guild_id": GUILD, "role": self._guild()["roles"][0]})

    async def delete_channel(self, channel: str) -> None:
        self.access[channel] = (404, 10003)
        await self.dispatch("CHANNEL_DELETE", self.text_channel(channel))

    async def remove_bot(self) -> None:
        """Remove paperboy from the server."""
        self.in_guild = False
        self.access |= dict.fromkeys((CHANNEL, OTHER_CHANNEL), (403, 50001))
        await self.dispatch("GUILD_DELETE", {"id": GUILD})

    async def add_bot(self) -> None:
        """Invite paperboy again."""
        self.in_guild = True
        self.access.clear()
        guild = self._guild()
        guild["members"][0]["joined_at"] = datetime.now(UTC).isoformat()
        del guild["unavailable"]
        await self.dispatch("GUILD_CREATE", guild)

    async def ask_to_reconnect(self) -> None:
        """Op 7: connect anew and resume."""
        gateway, self._gateway = self._gateway, None
        self._connected.clear()
        assert gateway is not None
        await gateway.send_json({"op": 7, "d": None})

    async def close_gateway(self, code: int) -> None:
        gateway, self._gateway = self._gateway, None
        self._connected.clear()
        assert gateway is not None
        await gateway.close(code=code)

    @property
    def is_connected(self) -> bool:
        return self._connected.is_set()

    async def connected(self) -> None:
        await asyncio.wait_for(self._connected.wait(), 20)

    async def _serve_gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 40000}})
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                break
            said = json.loads(frame.data)
            if said["op"] == 1:
                await socket.send_json({"op": 11})
            elif said["op"] in {2, 6}:
                await self._greet(socket, said)
        return socket

    async def _greet(self, socket: web.WebSocketResponse, said: dict[str, Any]) -> None:
        if said["d"]["token"] != self.valid_token:
            await socket.close(code=4004)
            return
        self._gateway = socket
        self.last_seen = said["d"]
        if said["op"] == 6:
            self.resumed += 1
            await socket.send_json({"op": 0, "t": "RESUMED", "s": next(self._sequence), "d": {}})
        else:
            self.identified += 1
            shard, shards = said["d"].get("shard", [0, 1])
            guilds = self._guilds() if shard == (int(GUILD) >> 22) % shards else []
            ready = {"v": 10, "user": _user(BOT, "paperboy", bot=True), "session_id": "session"}
            ready |= {"shard": [shard, shards], "application": {"id": APP, "flags": 0}}
            ready |= {"guilds": [{"id": guild["id"], "unavailable": True} for guild in guilds]}
            # Not where we listen: a client that was given an address has to stay with it.
            ready |= {"resume_gateway_url": "ws://127.0.0.1:9/elsewhere", "private_channels": []}
            await socket.send_json({"op": 0, "t": "READY", "s": next(self._sequence), "d": ready})
            for guild in guilds:
                await socket.send_json({"op": 0, "t": "GUILD_CREATE", "s": next(self._sequence), "d": guild})
        self._connected.set()

    def _guilds(self) -> list[dict[str, Any]]:
        return [self._guild()] if self.in_guild else []

    def _guild(self) -> dict[str, Any]:
        member = {"user": _user(BOT, "paperboy", bot=True), "roles": [], "deaf": False, "mute": False, "flags": 0}
        member |= {"joined_at": "2024-01-01T00:00:00+00:00"}
        role = {"id": GUILD, "name": "@everyone", "permissions": str(self.everyone), "position": 0, "color": 0}
        role |= {"colors": {"primary_color": 0}, "hoist": False, "managed": False, "mentionable": False, "flags": 0}
        channels = [self.text_channel(channel) for channel in (CHANNEL, OTHER_CHANNEL)]
        channels += [self.forum()] if self.with_forum else []
        guild = {"id": GUILD, "name": "Lab", "owner_id": ALICE, "roles": [role], "channels": channels}
        return guild | {"members": [member], "member_count": 2, "emojis": [], "features": [], "unavailable": False}


def _check(body: dict[str, Any]) -> None:
    if found := problems(body):
        raise RefusedError(400, 50035, f"Invalid Form Body: {'; '.join(found)}")


def _text_channel(channel: str) -> dict[str, Any]:
    known = {"id": channel, "type": 0, "name": f"channel-{channel}", "guild_id": GUILD, "position": 0}
    return known | {"permission_overwrites": [], "nsfw": False, "parent_id": None}


def _user(number: str, name: str, *, bot: bool = False) -> dict[str, Any]:
    return {"id": number, "username": name, "global_name": None, "discriminator": "0", "avatar": None, "bot": bot}


def _registered(command: dict[str, Any], number: str) -> dict[str, Any]:
    """Return a command as Discord gives it back: with more than was sent, and without what is a default."""
    kept = {key: value for key, value in command.items() if value is not None}
    kept |= {"id": number, "application_id": APP, "version": number, "dm_permission": True, "nsfw": False}
    return kept | {"options": [_stored(option) for option in command.get("options", [])]}


def _filled(component: dict[str, Any], typed: dict[str, Any]) -> dict[str, Any]:
    """Return a field as it comes back from a form."""
    kept = {"type": component["type"], "id": 1, "custom_id": component["custom_id"]}
    if component["type"] == 3:
        chosen = [option["value"] for option in component["options"] if option.get("default")]
        given = typed.get(kept["custom_id"], chosen)
        return kept | {"values": [given] if isinstance(given, str) else list(given)}
    return kept | {"value": typed.get(kept["custom_id"], component.get("value", ""))}


def _stored(option: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in option.items() if value not in (None, False, [])}
    return kept | ({"options": [_stored(inner) for inner in option["options"]]} if option.get("options") else {})


def _reply(status: int, body: Any, headers: dict[str, str] | None = None) -> web.Response:
    if isinstance(body, str):
        return web.Response(
            status=status or 200, body=body.encode(), headers={"Content-Type": "text/html", **(headers or {})}
        )
    # discord.py reads JSON only where the content type is exactly this one, without a charset.
    every = {"Content-Type": "application/json", "Via": "1.1 google", **(headers or {})}
    return web.Response(status=status, body=json.dumps(body).encode(), headers=every)
