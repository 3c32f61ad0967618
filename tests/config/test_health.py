"""Is it alive, may it be sent work, and what do the numbers say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from django.conf import settings
from django.db import DatabaseError, connection
from django.test import Client
from pytest_django import Settings


def test_alive_without_asking_anybody(client: Client) -> None:
    response = client.get("/health/live")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_ready_when_all_is_well(client: Client) -> None:
    response = client.get("/health/ready")

    assert response.status_code == 200
    assert response.json() == {
        "status": "ok",
        "checks": {"database": "ok", "migrations": "ok", "broker": "ok"},
    }


@pytest.mark.django_db
def test_a_dead_broker_only_degrades(client: Client, settings: Settings, tmp_path: Path) -> None:
    settings.WAYBILL = dataclasses.replace(settings.WAYBILL, redis_url=f"unix://{tmp_path}/no.sock")

    response = client.get("/health/ready")

    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["checks"]["broker"] == "unreachable"


@pytest.mark.django_db
def test_a_migration_that_waits_keeps_work_away(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")

    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json()["checks"]["migrations"] == "waiting"


def test_a_dead_database_keeps_work_away(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(connection, "cursor", gone)

    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json()["checks"] == {"database": "unreachable", "migrations": "unknown", "broker": "ok"}


@pytest.mark.django_db
def test_prometheus_is_told_of_requests(client: Client) -> None:
    client.get("/health/live")

    response = client.get("/metrics")

    assert response.status_code == 200
    assert b"django_http_requests_total_by_method_total" in response.content


@pytest.mark.django_db
def test_the_login_page_and_its_styles_are_served(client: Client) -> None:
    page = client.get("/admin/login/")

    assert page.status_code == 200
    assert client.get("/static/admin/css/base.css").status_code == 200
    assert settings.DEBUG is False
