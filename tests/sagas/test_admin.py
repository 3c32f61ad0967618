"""Sagas in the admin: what staff see, and that each act is one command with a reason."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from sagas import operate
from sagas.clock import database_now
from sagas.models import Intent, Saga, SagaStep
from sagas.verdicts import Done, Refused, Unavailable, Waiting
from tests.sagas import people, toys
from tests.sagas.crowd import crowd
from tests.sagas.toys import Script

LIST = "/admin/sagas/saga/"


@pytest.fixture
def client(toy: Script) -> Client:
    return people.operator()


def text(response: Any) -> str:
    """A page as a reader meets it: no tags, single spaces."""
    bare = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(bare))


def story(saga: Saga) -> str:
    return reverse("admin:sagas_saga_change", args=[saga.pk])


def act(kind: str) -> str:
    return reverse("admin:sagas_saga_act", args=[kind])


def references(client: Client, query: str) -> list[str]:
    return [saga.reference for saga in client.get(f"{LIST}?{query}").context["cl"].result_list]


def parked(toy: Script, reference: str = "A-1", **more: Any) -> Saga:
    toy.always["hold_money"] = Unavailable("busy")
    toys.start(reference, **more)
    toys.settle()
    return toys.saga(reference)


# --- the list ----------------------------------------------------------------


def test_the_list_shows_state_hold_amount_and_what_a_saga_waits_for(client: Client, toy: Script) -> None:
    parked(toy, amount_minor=123450, currency="GBP")

    page = text(client.get(LIST))

    assert "running parked" in page
    assert "1,234.50 GBP" in page
    assert "a person: hold money: busy after 4 tries" in page


def test_amounts_have_the_decimals_of_their_currency(client: Client, toy: Script) -> None:
    toys.start("A-1", amount_minor=1234, currency="JPY")
    toys.start("A-2", amount_minor=1234, currency="KWD")

    page = text(client.get(LIST))

    assert "1,234 JPY" in page
    assert "1.234 KWD" in page


def test_the_bar_tells_each_step(client: Client, toy: Script) -> None:
    toy.always["keep_goods"] = Refused("no_goods")
    toys.start()
    toys.settle()

    page = client.get(LIST).content.decode()

    bar = re.search(r'class="wb-bar" role="img" aria-label="([^"]+)"', page)
    assert bar is not None
    assert bar.group(1) == (
        "0 of 5 steps done; open case: given back; hold money: given back; keep goods: refused"
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=completed", ["done"]),
        ("state=compensated", ["refused"]),
        ("state=unfinished", ["parked", "waiting"]),
        ("hold=waiting", ["waiting"]),
        ("hold=parked&state=running", ["parked"]),
        ("failure=no_goods", ["refused"]),
        ("cause=refused", ["refused"]),
        ("step=sagas.hold_money", ["parked"]),
        ("step=sagas.keep_goods", ["waiting"]),
        ("definition=sagas.toy&q=wait", ["waiting"]),
        ("definition=sagas.pair", []),
        ("reason=sagas.hold_money%3A+busy+after+4+tries", ["parked"]),
        ("q=PARKED", []),
    ],
)
def test_filters_find_what_they_say(client: Client, toy: Script, query: str, found: list[str]) -> None:
    toys.start("done")
    toys.settle()
    toy.always["keep_goods"] = Waiting("stock", database_now().replace(year=2100))
    toys.start("waiting")
    toys.settle()
    toy.always["keep_goods"] = Refused("no_goods")
    toys.start("refused")
    toys.settle()
    parked(toy, "parked")

    assert references(client, query) == found


def test_search_finds_by_reference_beginning_id_and_subject(client: Client, toy: Script) -> None:
    toys.start_many(["A-1", "A-12", "B-1"])
    saga = toys.saga("A-12")

    found = [references(client, f"q={term}") for term in ("A-1", "A-12", "-1", saga.pk, saga.subject_id)]

    assert found == [["A-12", "A-1"], ["A-12"], [], ["A-12"], ["A-12"]]


def test_pages_lead_to_older_sagas_and_back_by_key(client: Client, toy: Script) -> None:
    toys.start_many([f"A-{n:03}" for n in range(120)])

    first = client.get(f"{LIST}?definition=sagas.toy").context["cl"]
    second = client.get(LIST + first.older_url).context["cl"]
    third = client.get(LIST + second.older_url).context["cl"]
    back = client.get(LIST + third.newer_url).context["cl"]

    assert [s.reference for s in first.result_list] == [f"A-{n:03}" for n in range(119, 69, -1)]
    assert [s.reference for s in third.result_list] == [f"A-{n:03}" for n in range(19, -1, -1)]
    assert [s.pk for s in back.result_list] == [s.pk for s in second.result_list]
    assert (first.newer_url, third.older_url) == ("", "")
    assert "definition=sagas.toy" in second.older_url


@pytest.mark.parametrize("query", ["before=nonsense", "context__x=1", "state__regex=x"])
def test_an_address_made_up_leads_back_to_the_list(client: Client, query: str) -> None:
    response = client.get(f"{LIST}?{query}")

    assert response.status_code in (302, 400)


def test_a_page_costs_the_same_however_many_sagas_it_shows(
    client: Client, toy: Script, django_assert_max_num_queries: Any
) -> None:
    now = database_now()
    crowd(3000, now=now, shop=toys.SHOP, definition="sagas.toy", within=timedelta(hours=5))
    toys.start("with-an-intent")
    operate.pause([toys.saga("with-an-intent").pk], actor="olga", reason="to look", now=now)

    with django_assert_max_num_queries(12) as seen:
        response = client.get(LIST)

    assert len(response.context["cl"].result_list) == 50
    assert not [
        q["sql"] for q in seen.captured_queries if "count(" in q["sql"].lower() and "GROUP BY" not in q["sql"]
    ]


# --- one saga ----------------------------------------------------------------


def test_the_story_shows_steps_tries_events_and_what_was_asked(client: Client, toy: Script) -> None:
    toy.replies["hold_money"] = [Unavailable("busy"), Done({"hold_id": "h-7"})]
    toy.always["take_money"] = Unavailable("away")
    toys.start(amount_minor=500, currency="EUR")
    toys.settle()
    operate.retry_now([toys.saga().pk], actor="olga", reason="the bank is back", now=database_now())
    toy.always.clear()
    toys.settle()

    page = text(client.get(story(toys.saga())))

    assert "A-1 toy v1" in page
    assert "5.00 EUR" in page
    assert re.search(r"attempt 1 · unavailable busy", page)
    assert "hold_id: h-7" in page
    assert "point of no return" in page
    assert "olga the bank is back applied" in page
    assert "sagas.OperatorActed" in page


def test_steps_that_have_not_begun_are_told_in_their_order(client: Client, toy: Script) -> None:
    toys.start()

    page = text(client.get(story(toys.saga())))

    places = [page.index(f"{name} ") for name in ("open case", "hold money", "keep goods", "tell shop")]
    assert places == sorted(places)
    assert page.count("has not begun") >= 4


def test_events_of_a_type_this_code_does_not_know_are_shown(client: Client, toy: Script) -> None:
    from sagas.sql import execute

    saga_id = toys.start()
    execute(
        "INSERT INTO sagas_event (stream, version, type, schema_version, data, metadata, at, era, xid)"
        " VALUES (%s, 1, 'orders.OfAnotherAge', 9, '{\"x\": \"<b>bold</b>\"}', '{}', now(), 1, 1)",
        [toys.saga().subject_id],
    )

    response = client.get(f"{LIST}{saga_id}/change/")

    assert "orders.OfAnotherAge" in text(response)
    assert "<b>bold</b>" not in response.content.decode()


@pytest.mark.parametrize("id_", ["0190a0b0-0000-7000-8000-000000000000", "nonsense"])
def test_a_saga_that_does_not_exist_is_not_found(client: Client, id_: str) -> None:
    assert client.get(f"{LIST}{id_}/change/").status_code == 404


def test_nothing_is_added_changed_or_deleted_here(client: Client, toy: Script) -> None:
    toys.start()

    answers = [client.get(f"{LIST}add/"), client.post(f"{LIST}{toys.saga().pk}/delete/", {"post": "yes"})]

    assert [a.status_code for a in answers] == [403, 403]
    assert Saga.objects.count() == 1


# --- acts ----------------------------------------------------------------


def test_retry_now_asks_for_a_reason_calls_one_command_and_shows_one_message(
    client: Client, toy: Script
) -> None:
    saga = parked(toy)

    asked = client.get(act("retry"), {"saga": str(saga.pk)})
    answer = client.post(act("retry"), {"saga": str(saga.pk), "reason": "bank is back"}, follow=True)

    assert "tries again now, with fresh tries: hold money" in text(asked).lower()
    assert Intent.objects.values_list("kind", "actor", "reason").get() == ("retry", "olga", "bank is back")
    assert [str(m) for m in answer.context["messages"]] == [
        "Retry now: asked for A-1. The saga's page tells what becomes of it."
    ]
    toy.always.clear()
    toys.settle()
    assert toys.saga().state == "completed"


@pytest.mark.parametrize("kind", ["retry", "resume", "pause", "turn_back", "skip", "resolve"])
def test_no_act_without_a_reason(client: Client, toy: Script, kind: str) -> None:
    saga = parked(toy)
    sent = {
        "saga": str(saga.pk),
        "reason": "   ",
        "step": "sagas.hold_money",
        "result": "{}",
        "as_state": "completed",
    }

    answer = client.post(act(kind), sent)

    assert "This field is required." in text(answer)
    assert Intent.objects.count() == 0


def test_turn_back_tells_beforehand_what_it_will_give_back(client: Client, toy: Script) -> None:
    toy.always["keep_goods"] = Unavailable("busy")
    toys.start()
    toys.settle()

    page = text(client.get(act("turn_back"), {"saga": str(toys.saga().pk)}))

    assert "Gives everything back: return goods, free money, close case." in page


def test_skip_takes_a_stated_result(client: Client, toy: Script) -> None:
    saga = parked(toy)

    client.post(
        act("skip"),
        {
            "saga": str(saga.pk),
            "step": "sagas.hold_money",
            "result": '{"hold_id": "by-phone"}',
            "reason": "called",
        },
    )
    toys.settle()

    assert toys.saga().state == "completed"
    assert SagaStep.objects.get(name="sagas.hold_money").state == "skipped"
    assert toys.saga().context["hold_id"] == "by-phone"


@pytest.mark.parametrize("result", ["[1]", "{broken", '"text"'])
def test_a_result_that_is_no_object_is_refused(client: Client, toy: Script, result: str) -> None:
    saga = parked(toy)

    answer = client.post(
        act("skip"), {"saga": str(saga.pk), "step": "sagas.hold_money", "result": result, "reason": "x"}
    )

    assert answer.status_code == 200
    assert Intent.objects.count() == 0


def test_resolve_by_hand_ends_a_parked_saga_as_stated(client: Client, toy: Script) -> None:
    saga = parked(toy)

    client.post(
        act("resolve"), {"saga": str(saga.pk), "as_state": "compensated", "reason": "paid back in cash"}
    )
    toys.settle()

    assert toys.saga().state == "compensated"


def test_acts_on_many_are_asked_on_one_page_and_done_on_exactly_those(client: Client, toy: Script) -> None:
    toy.always["hold_money"] = Unavailable("busy")
    toys.start_many(["A-1", "A-2", "A-3"])
    toys.settle()
    two = [str(toys.saga(r).pk) for r in ("A-1", "A-3")]

    asked = client.post(LIST, {"action": "retry", "_selected_action": two, "index": "0"})
    hidden = re.findall(r'name="saga" value="([^"]+)"', asked.content.decode())
    answer = client.post(
        act("retry"), {"saga": hidden, "reason": "bank is back", "back": f"{LIST}?hold=parked"}
    )

    assert "2 sagas" in text(asked)
    assert sorted(hidden) == sorted(two)
    assert {str(i) for i in Intent.objects.values_list("saga_id", flat=True)} == set(two)
    assert answer["Location"] == f"{LIST}?hold=parked"


def test_all_that_match_means_the_newest_thousand(client: Client, toy: Script) -> None:
    toys.start_many([f"A-{n}" for n in range(1100)])

    page = client.get(LIST)
    asked = client.post(
        LIST,
        {
            "action": "pause",
            "select_across": "1",
            "_selected_action": [str(toys.saga("A-1").pk)],
            "index": "0",
        },
    )

    assert page.context["cl"].result_count == 1000
    assert len(set(re.findall(r'name="saga" value="([^"]+)"', asked.content.decode()))) == 1000


def test_an_act_never_leads_to_a_foreign_page(client: Client, toy: Script) -> None:
    saga = parked(toy)

    answer = client.post(act("pause"), {"saga": str(saga.pk), "reason": "x", "back": "https://evil.example/"})

    assert answer["Location"] == story(saga)


def test_who_may_only_look_sees_no_button_and_may_not_act(toy: Script) -> None:
    onlooker = people.onlooker()
    saga = parked(toy)

    page = text(onlooker.get(story(saga)))
    answer = onlooker.post(act("turn_back"), {"saga": str(saga.pk), "reason": "for fun"})

    assert "a person: hold money" in page
    assert "What can be done" not in page
    assert answer.status_code == 403
    assert Intent.objects.count() == 0


def test_without_staff_there_is_nothing_to_see(toy: Script) -> None:
    assert people.customer().get(LIST)["Location"].startswith("/admin/login/")
