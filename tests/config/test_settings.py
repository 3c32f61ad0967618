"""What differs between the roles, and what is refused at the start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from config import env
from config.embedded.state import BASE_DIR
from config.management.commands import demo
from config.waybill import StripeSettings, WaybillSettings

SHOW = (
    "import json, os; from django.conf import settings; "
    "print(json.dumps(settings.DATABASES.get(os.environ.get('SHOWN', 'default'))))"
)


def settings_as(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_web_has_a_pool() -> None:
    database = json.loads(settings_as(WAYBILL_ROLE="web").stdout)

    assert database["OPTIONS"]["pool"] == {"min_size": 1, "max_size": 10, "timeout": 5}
    assert "CONN_MAX_AGE" not in database


@pytest.mark.parametrize("role", ["worker", "keep"])
def test_a_worker_keeps_one_connection_and_no_pool(role: str) -> None:
    database = json.loads(settings_as(WAYBILL_ROLE=role).stdout)

    assert "pool" not in database["OPTIONS"]
    assert database["CONN_MAX_AGE"] is None


@pytest.mark.parametrize("role", ["web", "worker", "keep", "manage"])
def test_every_role_has_its_limits_so_that_no_transaction_lingers(role: str) -> None:
    options = json.loads(settings_as(WAYBILL_ROLE=role).stdout)["OPTIONS"]["options"]

    limits = dict(word.split("=") for word in options.split() if "=" in word)
    assert {"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} <= set(limits)
    assert int(limits["idle_in_transaction_session_timeout"]) > 0


@pytest.mark.parametrize(("role", "expected"), [("worker", "off"), ("web", None), ("keep", None)])
def test_workers_alone_go_by_keys(role: str, expected: str | None) -> None:
    options = json.loads(settings_as(WAYBILL_ROLE=role).stdout)["OPTIONS"]["options"]

    told = dict(word.split("=") for word in options.split() if "=" in word)
    for way in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin"):
        assert told.get(way) == expected


def test_without_a_replica_there_is_none() -> None:
    done = settings_as(SHOWN="replica", DATABASE_REPLICA_URL="")

    assert json.loads(done.stdout) is None


@pytest.mark.parametrize("role", ["web", "worker", "keep", "manage"])
def test_a_replica_has_the_options_of_the_role_and_only_reads(role: str) -> None:
    url = "postgresql://reader@standby.example:6000/books"
    replica = json.loads(settings_as(SHOWN="replica", WAYBILL_ROLE=role, DATABASE_REPLICA_URL=url).stdout)
    primary = json.loads(settings_as(WAYBILL_ROLE=role).stdout)

    assert (replica["HOST"], replica["PORT"], replica["NAME"]) == ("standby.example", "6000", "books")
    assert replica["OPTIONS"]["options"] == (
        "-c default_transaction_read_only=on " + primary["OPTIONS"]["options"]
    )
    assert replica["OPTIONS"]["application_name"] == f"waybill-{role}"
    assert replica["OPTIONS"]["connect_timeout"] == 2
    assert ("pool" in replica["OPTIONS"]) == (role == "web")


def test_an_unknown_role_stops_the_start() -> None:
    done = settings_as(WAYBILL_ROLE="butler")

    assert done.returncode == 1
    assert "WAYBILL_ROLE must be one of web, worker, keep, manage, not 'butler'" in done.stderr


def test_a_lease_that_a_full_claim_could_outlive_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYBILL_LEASE_SECONDS", "40")

    with pytest.raises(env.BadEnvironment, match="WAYBILL_LEASE_SECONDS must be above 40"):
        WaybillSettings.from_environment()


def test_the_sandbox_of_the_running_system_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from config.embedded.state import State

    State.current().note(sandbox_url="http://127.0.0.1:4321")

    assert WaybillSettings.from_environment().sandbox_url == "http://127.0.0.1:4321"


def test_the_style_of_fulfilment_is_one_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    assert WaybillSettings.from_environment().fulfilment_style == "orchestration"

    monkeypatch.setenv("FULFILMENT_STYLE", "choreography")
    assert WaybillSettings.from_environment().fulfilment_style == "choreography"

    monkeypatch.setenv("FULFILMENT_STYLE", "improvisation")
    with pytest.raises(env.BadEnvironment, match="FULFILMENT_STYLE"):
        WaybillSettings.from_environment()


STRIPE = {"PAYMENT_GATEWAY": "stripe", "STRIPE_API_KEY": "sk_test_1"}


def test_stripe_needs_a_key_and_the_sandbox_none() -> None:
    without = settings_as(PAYMENT_GATEWAY="stripe")

    assert without.returncode == 1
    assert "STRIPE_API_KEY must be set" in without.stderr
    assert settings_as(PAYMENT_GATEWAY="sandbox").returncode == 0


def test_a_gateway_nobody_has_stops_the_start() -> None:
    done = settings_as(PAYMENT_GATEWAY="abacus")

    assert done.returncode == 1
    assert "PAYMENT_GATEWAY must be one of sandbox, stripe, not 'abacus'" in done.stderr


def test_stripes_settings_have_defaults_and_do_not_show_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in STRIPE.items():
        monkeypatch.setenv(name, value)

    settings = WaybillSettings.from_environment()

    assert settings.stripe is not None
    assert (settings.stripe.api_key, settings.stripe.api_base, settings.stripe.api_version) == (
        "sk_test_1", "https://api.stripe.com", "")  # fmt: skip
    assert "sk_test_1" not in repr(settings)


@pytest.mark.parametrize(
    ("key", "base", "problem"),
    [
        ("sk_test_1", "localhost:8090", "STRIPE_API_BASE must be an http address"),
        ("sk_live_1", "http://127.0.0.1:8090", "STRIPE_API_BASE must be https"),
        ("rk_live_1", "http://127.0.0.1:8090", "STRIPE_API_BASE must be https"),
        ("sk_live_1", "https://api.stripe.com", None),
        ("sk_test_1", "http://127.0.0.1:8090", None),
    ],
)
def test_a_live_key_is_not_sent_in_the_clear(
    monkeypatch: pytest.MonkeyPatch, key: str, base: str, problem: str | None
) -> None:
    for name, value in (STRIPE | {"STRIPE_API_KEY": key, "STRIPE_API_BASE": base}).items():
        monkeypatch.setenv(name, value)

    if problem is None:
        assert WaybillSettings.from_environment().payment_gateway == "stripe"
        return
    with pytest.raises(env.BadEnvironment, match=problem):
        WaybillSettings.from_environment()


def test_the_demonstration_takes_no_real_money(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo.Command, "_run", lambda *_: True)  # whatever happens, none begins here
    settings.WAYBILL = replace(settings.WAYBILL, stripe=StripeSettings(api_key="sk_live_1"))

    with pytest.raises(CommandError, match="STRIPE_API_KEY is a live key") as refused:
        call_command("demo")

    assert "sk_live_1" not in str(refused.value)


def test_the_demonstration_may_go_through_stripes_client(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = []

    def run(*_: Any) -> bool:
        began.append(True)
        return True

    monkeypatch.setattr(demo.Command, "_run", run)
    settings.WAYBILL = replace(settings.WAYBILL, stripe=StripeSettings(api_key="sk_test_1"))

    call_command("demo")

    assert began == [True]
