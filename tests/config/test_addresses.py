"""One address of a service, in the form each client wants."""

from __future__ import annotations

import pytest

from config.addresses import broker_url, client_url, database_settings
from config.env import BadEnvironment


def test_a_database_behind_a_port() -> None:
    found = database_settings("postgresql://way%40bill:s%2Fcret@db.example:6543/books?sslmode=require")

    assert found == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "books",
        "USER": "way@bill",
        "PASSWORD": "s/cret",
        "HOST": "db.example",
        "PORT": "6543",
        "OPTIONS": {"sslmode": "require"},
    }


def test_a_database_behind_a_socket() -> None:
    found = database_settings("postgresql:///waybill?host=/run/pg&user=postgres")

    assert (found["HOST"], found["USER"], found["NAME"], found["PORT"]) == (
        "/run/pg",
        "postgres",
        "waybill",
        "",
    )
    assert found["OPTIONS"] == {}


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("sqlite:///db", "must begin with postgresql://"),
        ("postgresql://host", "must name a database"),
        ("postgresql://host:door/db", "has a port that is not a number"),
    ],
)
def test_a_database_url_that_cannot_serve_is_refused(url: str, complaint: str) -> None:
    with pytest.raises(BadEnvironment, match=f"DATABASE_URL {complaint}"):
        database_settings(url)


@pytest.mark.parametrize(
    ("given", "for_client", "for_broker"),
    [
        ("redis://h:6379/2", "redis://h:6379/2", "redis://h:6379/2"),
        ("rediss://u:p@h/0", "rediss://u:p@h/0", "rediss://u:p@h/0"),
        ("unix:///run/v.sock?db=3", "unix:///run/v.sock?db=3", "redis+socket:///run/v.sock?virtual_host=3"),
        (
            "redis+socket:///run/v.sock?virtual_host=3",
            "unix:///run/v.sock?db=3",
            "redis+socket:///run/v.sock?virtual_host=3",
        ),
    ],
)
def test_a_broker_is_named_for_both_clients(given: str, for_client: str, for_broker: str) -> None:
    assert client_url(given) == for_client
    assert broker_url(given) == for_broker


def test_another_kind_of_broker_is_refused() -> None:
    with pytest.raises(BadEnvironment, match="REDIS_URL must begin with"):
        broker_url("amqp://rabbit")
