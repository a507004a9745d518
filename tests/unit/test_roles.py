"""What each role does, and who listens to what."""

from __future__ import annotations

import pytest

from bots.roles import ROLES, Duty, check_role, describe, hears, is_idle
from bots.terminal.arguments import make_parser
from core.clock import system_clock
from core.delivery.platform import Ear
from core.errors import SettingsError
from core.settings import Settings
from tests.fake_platform import FakePlatform
from tests.slacks import HTTP, MANY, SOCKET, slack_at

SHARED = Settings.model_validate({"secrets": {"database_url": "postgresql://paperboy@db/paperboy"}})


def test_the_roles_are_those_that_can_be_typed():
    for role in ROLES:
        assert make_parser().parse_args(["run", "--role", role]).role == role


def test_every_duty_is_done_by_one_role_and_by_all():
    single = [duty for role, duties in ROLES.items() if role != "all" for duty in duties]
    assert sorted(single) == sorted(Duty)
    assert ROLES["all"] == frozenset(Duty)


@pytest.mark.parametrize("role", ["bot", "worker", "fetch", "web"])
def test_a_role_needs_a_database_to_share(role):
    check_role(role, SHARED)
    with pytest.raises(SettingsError) as caught:
        check_role(role, Settings())
    assert len(caught.value.problems) == 1
    assert "DATABASE_URL" in str(caught.value)


def test_all_needs_nothing():
    check_role("all", Settings())
    check_role("all", SHARED)


@pytest.mark.parametrize(("ear", "role"), [(Ear.CONNECTION, "bot"), (Ear.PAGE, "web"), (Ear.NONE, "worker")], ids=str)
def test_each_platform_is_listened_to_by_one_role(ear, role):
    platform = FakePlatform(ear=ear)
    assert [name for name, duties in ROLES.items() if hears(platform, duties)] == ["all", role]


def test_slack_is_heard_over_its_socket_or_at_the_page():
    for by, ear in ((SOCKET, Ear.CONNECTION), (HTTP, Ear.PAGE), (MANY, Ear.PAGE)):
        assert slack_at("http://127.0.0.1:9/api/", by=by, clock=system_clock).ear is ear


def test_a_role_is_described_in_words():
    assert describe("worker") == "composes and delivers"
    assert describe("all").count(",") == 3


def test_a_process_that_speaks_to_platforms_alone_is_idle_without_any():
    assert [role for role in ROLES if is_idle(role, {})] == ["bot", "worker"]
    assert not [role for role in ROLES if is_idle(role, {"slack": FakePlatform()})]
