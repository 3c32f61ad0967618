"""The services the tests themselves run on."""

from __future__ import annotations

import pytest
import redis
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_rows_committed_by_one_test_are_gone_in_the_next(turn: int) -> None:
    assert User.objects.count() == 0

    User.objects.create_user("somebody")

    assert User.objects.count() == 1


@pytest.mark.django_db
def test_the_cluster_belongs_to_this_test_process_alone() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1")
        databases = [name for (name,) in cursor.fetchall()]

    assert databases == ["postgres", "test_waybill"]


def test_the_broker_is_a_real_server() -> None:
    with redis.Redis.from_url(settings.WAYBILL.redis_url) as client:
        assert client.ping() is True
