"""Figures of a day: `python -m tests.benchmarks.bench_day`. Everything is made up here, and asked for on loopback.

1. parse, merge and store a day of 1,500 arXiv and 50 Hugging Face records
2. `paperboy digest` and `paperboy search` on that stored day, as processes
3. `paperboy run` until its page answers, and until Slack and Discord are connected
4. its resident memory then, and after searches and a digest
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime
from datetime import time as day_time
from pathlib import Path

import httpx

from core.papers.library import LIBRARY_FILE, Library
from core.papers.sources import Newest, create_source
from core.settings import read_settings
from tests.servers import discord as discord_parts
from tests.servers import slack as slack_parts
from tests.servers.discord import DiscordServer
from tests.servers.slack import SlackServer
from tests.servers.sources import SourcesServer, Work
from tests.shells import PAPERBOY, Shell

ARXIV, HUGGING_FACE = 1500, 50
TRIES = 5
TOPICS = ["grokking", "diffusion", "retrieval", "alignment", "quantization", "planning", "speech", "vision", "proteins"]
WORDS = [
    f"{start}{end}" for start in ("model", "learn", "train", "sample", "score") for end in ("s", "ing", "ed", "er")
]


def make_day() -> list[Work]:
    """Return a day's papers with abstracts of the usual length (about 1,300 characters)."""
    chance = random.Random(20261123)
    works = []
    for number in range(ARXIV):
        topic = chance.choice(TOPICS)
        abstract = " ".join(chance.choices([*TOPICS, *WORDS], k=180))
        upvotes = chance.randrange(1, 200) if number < HUGGING_FACE else None
        title = f"On {topic} with ${number}$ {chance.choice(WORDS)}"
        works.append(Work(f"2611.{number:05}", title, f"We study {topic}. {abstract}.", upvotes=upvotes))
    return works


async def measure_ingest(home: Path, sources: SourcesServer) -> None:
    """Fetch everything first, so that only reading, merging and storing is timed."""
    settings = read_settings({**sources.environment, "PAPERBOY_HOME": str(home)})
    wanted = Newest(sources.day, sources.day, ("cs.LG",))
    answers = []
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        for name in ("huggingface", "arxiv", "hackernews"):
            source = create_source(name, settings)
            for get in source.ask(wanted):
                answer = await client.get(get.url, params=dict(get.params))
                answers.append((source, get, answer.content))
    library = await Library.open(home / LIBRARY_FILE)
    now = datetime.combine(sources.day, day_time(9), UTC)
    began = time.perf_counter()
    records = 0
    for source, get, body in answers:
        page = source.parse(get, body, now=now)
        records += len(page.records)
        await library.ingest(page.records, now=now)
    took = time.perf_counter() - began
    count = await library.count()
    await library.close()
    print(f"parse, merge and store {records:,} records into {count:,} papers: {took:.2f} s")


def measure_commands(shell: Shell) -> None:
    """Time whole processes, from their start to their end."""
    for words in (("digest",), ("digest", "--interests", "grokking"), ("search", "grokking vision"), ("--version",)):
        took = []
        for _ in range(TRIES):
            began = time.perf_counter()
            done = shell.run(*words, command=(PAPERBOY,))
            took.append(time.perf_counter() - began)
            assert done.code == 0, done.err
        print(
            f"paperboy {' '.join(words)}: {statistics.median(took):.2f} s (median of {TRIES}, worst {max(took):.2f} s)"
        )


async def measure_service(shell: Shell, sources: SourcesServer) -> None:
    """Time a start with both platforms, and look at the memory."""
    async with SlackServer() as slack, DiscordServer() as discord:
        environment = {
            **sources.environment,
            "SLACK_BOT_TOKEN": slack_parts.BOT_TOKEN,
            "SLACK_APP_TOKEN": slack_parts.APP_TOKEN,
            "PAPERBOY_SLACK__API_URL": slack.api_url,
            "DISCORD_TOKEN": discord_parts.TOKEN,
            "PAPERBOY_DISCORD__API_URL": discord.api_url,
            "PAPERBOY_DISCORD__GATEWAY_URL": discord.gateway_url,
        }
        began = time.perf_counter()
        with shell.start("run", command=(PAPERBOY,), **environment) as service:
            url = await asyncio.to_thread(service.page)
            async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
                (await client.get(f"{url}/healthz")).raise_for_status()
                page = time.perf_counter() - began
                await slack.until(lambda: slack.connected)
                await discord.connected()
                print(f"service: page after {page:.2f} s, both platforms after {time.perf_counter() - began:.2f} s")
                await asyncio.sleep(2)
                print(f"resident memory, connected and at rest: {service.resident_mb:.0f} MB")
                for _ in range(20):
                    await (await discord.slash("search", query="grokking vision")).answered()
                await (await discord.slash("today")).answered()
                (await client.get(url)).raise_for_status()
                print(f"resident memory after 20 searches, a digest and the page: {service.resident_mb:.0f} MB")
            began = time.perf_counter()
            done = await asyncio.to_thread(service.end)
            print(f"SIGTERM to exit {done.code}: {time.perf_counter() - began:.2f} s")


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder, SourcesServer(*make_day()) as sources:
        ingested = Path(folder) / "ingested"
        ingested.mkdir()
        asyncio.run(measure_ingest(ingested, sources))
        shell = Shell(Path(folder), sources.environment)
        began = time.perf_counter()
        assert shell.run("fetch").code == 0
        print(f"paperboy fetch of the same, over HTTP on loopback: {time.perf_counter() - began:.2f} s")
        measure_commands(shell)
        asyncio.run(measure_service(shell, sources))


if __name__ == "__main__":
    main()
