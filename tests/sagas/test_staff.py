"""The staff page: whole without scripts, kept fresh with one, and only for staff."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from sagas import board, operate, overview
from sagas.clock import database_now
from sagas.ids import uuid7
from sagas.models import ParkedEvent, Saga, SagaStep
from sagas.verdicts import Refused, Unavailable, Waiting
from tests.sagas import people, toys
from tests.sagas.toys import Script


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No picture of another test."""
    board.forget()
    yield
    board.forget()


@pytest.fixture
def client(toy: Script) -> Client:
    return people.operator()


def text(markup: str) -> str:
    bare = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", markup, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(bare))


def section(client: Client, name: str, query: str = "") -> str:
    """One section of the page in words, as the script gets it."""
    board.forget()
    return text(client.get(f"/staff/live?{query}").json()["sections"][name])


def test_who_is_not_signed_in_is_led_to_the_login_and_back() -> None:
    response = Client().get("/staff/")

    assert response["Location"] == "/admin/login/?next=/staff/"


def test_customers_see_nothing(toy: Script) -> None:
    customer = people.customer()

    page, live = customer.get("/staff/"), customer.get("/staff/live")

    assert page.status_code == 302
    assert (live.status_code, live.json()) == (403, {"error": "sign_in"})


def test_the_root_leads_to_the_staff_page() -> None:
    assert Client().get("/")["Location"] == "/staff/"


def test_an_empty_system_says_so(client: Client) -> None:
    page = text(client.get("/staff/").content.decode())

    assert "Nothing is unfinished." in page
    assert "Nothing turned back." in page
    assert "readers are up to date" in page


def test_sagas_stand_at_their_steps_by_state_with_age_and_money(client: Client, toy: Script) -> None:
    toys.start_many(["new-1", "new-2"], amount_minor=1000, currency="GBP")
    toy.always["keep_goods"] = Waiting("stock", database_now().replace(year=2100))
    toys.start("waits", amount_minor=500, currency="EUR")
    toys.run("open_case")

    steps = section(client, "steps")
    figures = client.get("/staff/live").json()["figures"]

    assert figures["steps"] == {"sagas.keep_goods": {"waiting": 3}}
    assert re.search(r"keep goods 3 \d+ (ms|s) 20\.00 GBP \+ 5\.00 EUR", steps)
    assert figures["unfinished"]["waiting"] == 3


def test_totals_count_each_saga_once(client: Client, toy: Script) -> None:
    toy.always["hold_money"] = Unavailable("busy")
    toys.start("stuck", amount_minor=700, currency="GBP")
    toys.settle()
    toys.start_many(["new-1", "new-2"], amount_minor=100, currency="GBP")

    totals = section(client, "totals")
    figures = client.get("/staff/live").json()["figures"]["unfinished"]

    assert figures == {"all": 3, "running": 2, "compensating": 0, "waiting": 0, "parked": 1, "paused": 0}
    assert "1 parked for a person 7.00 GBP" in totals
    assert "3 unfinished 9.00 GBP" in totals


def test_failures_by_code_with_the_money_in_them(client: Client, toy: Script) -> None:
    toy.replies["keep_goods"] = [Refused("no_goods"), Refused("no_goods"), Refused("too_heavy")]
    toys.start_many(["A-1", "A-2", "A-3"], amount_minor=250, currency="GBP")
    toys.settle()
    toy.always["take_money"] = Unavailable("busy")
    id_ = toys.start("A-4", amount_minor=100, currency="GBP")
    toy.always["keep_goods"] = Unavailable("busy")
    operate.turn_back([id_], actor="olga", reason="the customer rang", now=database_now())
    toys.settle()

    failures = section(client, "failures")

    assert re.search(r"no_goods keep goods 2 5\.00 GBP", failures)
    assert re.search(r"too_heavy keep goods 1 2\.50 GBP", failures)
    assert "somebody asked 1 1.00 GBP" in failures
    assert "the customer rang" not in failures


def test_failures_look_back_as_far_as_asked(client: Client, toy: Script) -> None:
    toy.always["keep_goods"] = Refused("no_goods")
    toys.start()
    toys.settle()
    old = overview.first_id(database_now() - timedelta(hours=30))
    SagaStep.objects.all().delete()
    Saga.objects.filter(reference="A-1").update(id=old)

    day, week, nonsense = (section(client, "failures", f"hours={h}") for h in ("24", "168", "9999"))

    assert "no_goods" not in day
    assert "no_goods" in week
    assert nonsense == day


def test_throughput_counts_the_last_hour_by_minute(toy: Script) -> None:
    toys.start_many([f"A-{n}" for n in range(3)])
    toys.settle()
    toy.always["keep_goods"] = Refused("no_goods")
    toys.start("B-1")
    toys.settle()
    now = database_now().replace(second=30)
    Saga.objects.filter(reference="A-0").update(finished_at=now - timedelta(minutes=10))
    Saga.objects.filter(reference="A-1").update(finished_at=now - timedelta(minutes=61))

    minutes = overview.finished(now=now + timedelta(minutes=1))

    assert len(minutes) == 60
    assert sum(m.completed for m in minutes) == 2
    assert sum(m.compensated for m in minutes) == 1
    assert minutes[-12].completed == 1


def test_parked_sagas_are_grouped_by_reason_and_lead_to_the_list(client: Client, toy: Script) -> None:
    toy.always["hold_money"] = Unavailable("busy")
    toys.start_many(["A-1", "A-2"], amount_minor=100, currency="GBP")
    toys.settle()

    page = client.get("/staff/").content.decode()

    link = re.search(r'href="([^"]+reason=[^"]+)"', page)
    assert link is not None
    assert "hold money: busy after 4 tries 2 " in text(page)
    found = client.get(html.unescape(link.group(1))).context["cl"].result_list
    assert [saga.reference for saga in found] == ["A-2", "A-1"]


def test_pauses_and_parked_events_stand_out(client: Client, toy: Script) -> None:
    operate.pause_for_all("provider", "bank", actor="olga", reason="maintenance", now=database_now())
    ParkedEvent.objects.create(
        subscription="sagas.r", stream=uuid7(), version=1, error="x", parked_at=database_now()
    )

    assert "Provider bank is paused for everybody" in section(client, "attention")
    assert "sagas.r parked events 1" in section(client, "readers")


def test_a_page_open_on_many_screens_is_read_once(
    client: Client, toy: Script, django_assert_max_num_queries: Any
) -> None:
    toys.start_many([f"A-{n}" for n in range(50)])

    with django_assert_max_num_queries(15):
        client.get("/staff/live")
    with django_assert_max_num_queries(3):
        for _ in range(1):
            client.get("/staff/live")


def test_the_page_needs_no_inline_script_or_style_and_works_without_scripts(client: Client) -> None:
    page = client.get("/staff/").content.decode()

    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")", page)
    assert "<style" not in page
    assert not re.search(r"\son\w+=|\sstyle=", page)
    assert re.search(r'<noscript>\s*<meta http-equiv="refresh"', page)
    assert "http://" not in re.sub(r'xmlns(:\w+)?="[^"]+"', "", page)


def test_labels_of_shops_cannot_inject_markup(client: Client, toy: Script) -> None:
    toy.always["hold_money"] = Unavailable("<script>alert(1)</script>")
    toys.start()
    toys.settle()

    answer = client.get("/staff/live").json()

    assert "<script>alert" not in answer["sections"]["attention"]
    assert "&lt;script&gt;" in answer["sections"]["attention"]


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_nothing_is_changed_here(client: Client, method: str) -> None:
    assert getattr(client, method)("/staff/live").status_code == 405


def test_the_time_in_an_id_is_the_time_it_was_made() -> None:
    at = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)

    floor = overview.first_id(at)

    assert overview.made_at(str(floor)[:13]) == at
    assert floor < overview.first_id(at + timedelta(milliseconds=1))
    assert (floor.version, floor.variant) == (7, "specified in RFC 4122")
