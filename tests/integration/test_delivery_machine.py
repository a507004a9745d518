"""Whatever dies, fails, jumps or is edited while digests go out, in memory and on PostgreSQL (see the machine)."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, settings

from core.store.postgres import PostgresStore
from tests.delivery_machine import DeliveryMachine, Watched
from tests.servers.postgres import emptied

QUICKLY = settings(
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


class WatchedPostgres(Watched, PostgresStore):
    """On PostgreSQL."""


class PostgresDeliveryMachine(DeliveryMachine):
    url = ""

    def open_store(self):
        emptied(self.url)
        return self.runner.run(WatchedPostgres.open(self.url, size=2))


DeliveryMachine.TestCase.settings = settings(QUICKLY, max_examples=60)
PostgresDeliveryMachine.TestCase.settings = settings(QUICKLY, max_examples=6)


class TestDeliveryMachine(DeliveryMachine.TestCase):
    @pytest.fixture(autouse=True)
    def quietly(self, caplog):
        caplog.set_level(logging.CRITICAL)


class TestPostgresDeliveryMachine(PostgresDeliveryMachine.TestCase):
    @pytest.fixture(autouse=True)
    def quietly(self, caplog, database_url):
        caplog.set_level(logging.CRITICAL)
        PostgresDeliveryMachine.url = database_url
