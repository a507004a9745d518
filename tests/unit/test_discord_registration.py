from __future__ import annotations

import re
from copy import deepcopy

import pytest

from bots.discord.listener import Listener
from bots.discord.registration import same_commands

OPTIONS = {
    "search": ["query"],
    "today": [],
    "subscribe": ["interests", "at", "when_ready", "timezone", "days", "top", "quiet", "no_repeats"],
    "list": [],
    "unsubscribe": ["number"],
    "pause": ["number"],
    "resume": ["number"],
    "edit": ["number", "interests", "at", "when_ready", "timezone", "days", "top", "quiet", "no_repeats"],
    "send": ["number", "date", "again"],
    "why": ["paper"],
    "similar": ["paper"],
    "cite": ["paper"],
    "saved": ["form"],
    "taste": ["reset"],
    "help": [],
}


@pytest.fixture
def ours():
    return Listener().commands()


def as_discord_returns(commands):
    """Return commands with ids and defaults added, and what is empty left out."""
    returned = deepcopy(commands)
    for command in returned:
        command.update(id="1", application_id="2", version="3", dm_permission=True, description_localizations=None)
        command["default_member_permissions"] = str(command["default_member_permissions"])
        for sub in command.get("options", []):
            sub["options"] = [
                {key: value for key, value in option.items() if value not in (None, False)} for option in sub["options"]
            ]
            if not sub["options"]:
                del sub["options"]
    return returned


def test_the_subcommands_and_options_have_the_names_that_are_promised(ours):
    papers = ours[0]
    assert papers["name"] == "papers"
    assert {sub["name"]: [option["name"] for option in sub["options"]] for sub in papers["options"]} == OPTIONS


def test_commands_can_be_used_in_servers_in_direct_messages_and_by_whoever_has_the_app(ours):
    assert [command["name"] for command in ours] == ["papers", "Find similar papers", "Why this"]
    assert [command["type"] for command in ours] == [1, 3, 3]
    assert all(sorted(command["contexts"]) == [0, 1, 2] for command in ours)
    assert all(sorted(command["integration_types"]) == [0, 1] for command in ours)


def test_whoever_may_use_commands_may_use_ours_until_an_administrator_says_otherwise(ours):
    use_application_commands = 1 << 31
    assert all(command["default_member_permissions"] == use_application_commands for command in ours)


def test_the_command_is_one_that_discord_takes(ours):
    assert len(ours[0]["options"]) <= 25
    described = [ours[0], *ours[0]["options"], *(option for sub in ours[0]["options"] for option in sub["options"])]
    assert all(re.fullmatch(r"[a-z_]{1,32}", item["name"]) for item in described)
    assert all(1 <= len(item["description"]) <= 100 for item in described)
    assert sum(len(item["name"]) + len(item["description"]) for item in described) < 8000


def test_what_has_to_be_known_of_a_command_is_required_and_the_rest_is_not(ours):
    required = {
        sub["name"]: [item["name"] for item in sub["options"] if item["required"]] for sub in ours[0]["options"]
    }
    assert {name: options for name, options in required.items() if options} == {
        "search": ["query"],
        "unsubscribe": ["number"],
        "pause": ["number"],
        "resume": ["number"],
        "edit": ["number"],
        "send": ["number"],
        "why": ["paper"],
        "similar": ["paper"],
        "cite": ["paper"],
    }


def test_what_discord_returns_of_our_commands_is_the_same(ours):
    assert same_commands(as_discord_returns(ours), ours)


def change_description(commands):
    commands[0]["options"][0]["description"] = "something else"


def drop_subcommand(commands):
    del commands[0]["options"][3]


def rename_option(commands):
    commands[0]["options"][0]["options"][0]["name"] = "q"


def make_optional(commands):
    commands[0]["options"][0]["options"][0]["required"] = False


def add_command(commands):
    commands.append({"name": "old", "description": "from an earlier time", "type": 1, "options": []})


def forbid_direct_messages(commands):
    commands[0]["contexts"] = [0]


def leave_it_to_administrators(commands):
    commands[0]["default_member_permissions"] = "0"


@pytest.mark.parametrize(
    "change",
    [
        change_description,
        drop_subcommand,
        rename_option,
        make_optional,
        add_command,
        forbid_direct_messages,
        leave_it_to_administrators,
    ],
)
def test_every_change_that_matters_is_noticed(ours, change):
    registered = as_discord_returns(ours)
    change(registered)
    assert not same_commands(registered, ours)


def test_nothing_registered_yet_is_a_difference(ours):
    assert not same_commands([], ours)
