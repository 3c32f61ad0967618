"""The sandbox speaks the providers' own formats: Stripe's intents and refunds, and the carrier's JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest

from sagas.resilience.http import Answer, HttpClient
from tests.sandbox_process import SandboxProcess, running_sandbox

INTENTS = "/v1/payment_intents"
CARD = {"currency": "gbp", "capture_method": "manual", "payment_method": "pm_card_visa", "amount": 500}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--profile", "quiet") as running:
        yield running


@pytest.fixture
def client(shared: SandboxProcess) -> HttpClient:
    shared.control("POST", "/sandbox/reset")
    return shared.client()


def post(client: HttpClient, path: str, **fields: Any) -> Answer:
    return client.post_form(path, fields, operation="wire")


def get(client: HttpClient, path: str, **query: Any) -> Answer:
    return client.get(path, operation="wire", query=query)


def test_an_intent_goes_through_stripes_states(client: HttpClient) -> None:
    created = post(client, INTENTS, **CARD, metadata={"reference": "A-1"}).json
    intent = f"{INTENTS}/{created['id']}"

    confirmed = post(client, f"{intent}/confirm").json
    captured = post(client, f"{intent}/capture", amount_to_capture=400).json

    assert (created["object"], created["status"], created["amount_capturable"]) == (
        "payment_intent", "requires_confirmation", 0)  # fmt: skip
    assert (confirmed["status"], confirmed["amount_capturable"]) == ("requires_capture", 500)
    assert (captured["status"], captured["amount_received"], captured["amount_capturable"]) == (
        "succeeded",
        400,
        0,
    )
    assert captured["metadata"] == {"reference": "A-1"}
    assert get(client, intent).json == captured


def test_an_intent_may_be_confirmed_at_once_and_capture_itself(client: HttpClient) -> None:
    answer = post(client, INTENTS, **{**CARD, "capture_method": "automatic"}, confirm=True)

    assert (answer.json["status"], answer.json["amount_received"]) == ("succeeded", 500)


def test_an_intent_without_a_card_wants_one(client: HttpClient) -> None:
    created = post(client, INTENTS, amount=5, currency="eur", capture_method="manual").json

    bare = post(client, f"{INTENTS}/{created['id']}/confirm")
    with_card = post(client, f"{INTENTS}/{created['id']}/confirm", payment_method="pm_card_visa")

    assert created["status"] == "requires_payment_method"
    assert (bare.status, bare.json["error"]["code"]) == (400, "payment_intent_unexpected_state")
    assert with_card.json["status"] == "requires_capture"


def test_a_test_card_declines_and_the_intent_takes_another_card(client: HttpClient) -> None:
    card = "pm_card_chargeDeclinedInsufficientFunds"
    created = post(client, INTENTS, **{**CARD, "payment_method": card}).json

    declined = post(client, f"{INTENTS}/{created['id']}/confirm")
    retried = post(client, f"{INTENTS}/{created['id']}/confirm", payment_method="pm_card_visa")

    error = declined.json["error"]
    assert (declined.status, error["type"], error["code"], error["decline_code"]) == (
        402, "card_error", "card_declined", "insufficient_funds")  # fmt: skip
    assert error["payment_intent"]["status"] == "requires_payment_method"
    assert (retried.json["status"], retried.json["last_payment_error"]) == ("requires_capture", None)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": "12.5"}, "amount"),
        ({"amount": 10**12}, "amount"),
        ({"currency": "pounds"}, "currency"),
        ({"capture_method": "later"}, "capture_method"),
        ({"metadata": "x"}, "metadata"),
    ],
)
def test_bad_parameters_are_named(client: HttpClient, fields: dict[str, Any], param: str) -> None:
    answer = post(client, INTENTS, **{**CARD, **fields})

    assert (answer.status, answer.json["error"]["type"], answer.json["error"]["param"]) == (
        400, "invalid_request_error", param)  # fmt: skip


def test_a_move_that_comes_too_late_tells_where_the_intent_stands(client: HttpClient) -> None:
    intent = f"{INTENTS}/{post(client, INTENTS, **CARD).json['id']}"
    post(client, f"{intent}/confirm")
    post(client, f"{intent}/capture")

    answer = post(client, f"{intent}/cancel")

    assert (answer.status, answer.json["error"]["code"]) == (400, "payment_intent_unexpected_state")
    assert answer.json["error"]["payment_intent"]["status"] == "succeeded"


def test_refunds_default_to_what_is_left(client: HttpClient) -> None:
    intent = post(client, INTENTS, **CARD).json["id"]
    post(client, f"{INTENTS}/{intent}/confirm")
    post(client, f"{INTENTS}/{intent}/capture")

    part = post(client, "/v1/refunds", payment_intent=intent, amount=200).json
    rest = post(client, "/v1/refunds", payment_intent=intent).json
    more = post(client, "/v1/refunds", payment_intent=intent)

    assert [(one["object"], one["status"], one["amount"]) for one in (part, rest)] == [
        ("refund", "succeeded", 200), ("refund", "succeeded", 300)]  # fmt: skip
    assert (more.status, more.json["error"]["code"]) == (400, "charge_already_refunded")
    listed = get(client, "/v1/refunds", payment_intent=intent).json
    assert ([one["id"] for one in listed["data"]], listed["has_more"]) == ([rest["id"], part["id"]], False)


def test_listings_page_by_starting_after(client: HttpClient) -> None:
    made = [post(client, INTENTS, **CARD).json["id"] for _ in range(5)]

    first = get(client, INTENTS, limit=3).json
    rest = get(client, INTENTS, limit=3, starting_after=first["data"][-1]["id"]).json

    assert [one["id"] for one in (*first["data"], *rest["data"])] == made[::-1]
    assert (first["object"], first["has_more"], rest["has_more"]) == ("list", True, False)
    assert get(client, INTENTS, limit=101).status == 400
    assert get(client, INTENTS, starting_after="pi_none").status == 400


def test_search_is_by_metadata(client: HttpClient) -> None:
    wanted = post(client, INTENTS, **CARD, metadata={"reference": "A-1", "shop": "x"}).json["id"]
    post(client, INTENTS, **CARD, metadata={"reference": "A-1", "shop": "y"})

    query = "metadata['reference']:'A-1' AND metadata[\"shop\"]:\"x\""
    found = get(client, f"{INTENTS}/search", query=query).json

    assert ([one["id"] for one in found["data"]], found["object"]) == ([wanted], "search_result")
    assert get(client, f"{INTENTS}/search", query="status:'succeeded'").status == 400


def test_a_search_goes_on_by_its_page(client: HttpClient) -> None:
    made = [post(client, INTENTS, **CARD, metadata={"reference": "A-1"}).json["id"] for _ in range(5)]
    query = {"query": "metadata['reference']:'A-1'", "limit": 3}

    first = get(client, f"{INTENTS}/search", **query).json
    rest = get(client, f"{INTENTS}/search", **query, page=first["next_page"]).json

    assert [one["id"] for one in (*first["data"], *rest["data"])] == made[::-1]
    assert (first["has_more"], rest["has_more"], rest["next_page"]) == (True, False, None)
    assert get(client, f"{INTENTS}/search", **query, page="next").status == 400


def test_every_answer_of_the_gateway_has_a_number_and_names_what_it_was_asked_with(
    client: HttpClient,
) -> None:
    asked = {"Idempotency-Key": "k-1", "Stripe-Version": "2026-10-28"}
    answers = [
        client.send("GET", path, b"", asked, operation="wire") for path in (INTENTS, f"{INTENTS}/pi_none")
    ]

    numbers = {answer.headers["request-id"] for answer in answers}
    assert len(numbers) == 2
    assert all(number.startswith("req_") for number in numbers)
    for answer in answers:
        assert (answer.headers["idempotency-key"], answer.headers["stripe-version"]) == ("k-1", "2026-10-28")
    assert "request-id" not in get(client, "/carrier/v1/shipments").headers


@pytest.mark.parametrize(
    ("action", "params", "advice"),
    [
        ("rate_limit", {}, "true"),
        ("unavailable", {}, "true"),
        ("do_then_5xx", {"status": 500}, "false"),  # the key has stored it: a repeat gets the same
        ("do_then_5xx", {"status": 502}, "true"),
    ],
)
def test_a_failure_says_whether_a_repeat_can_bring_anything_else(
    client: HttpClient, shared: SandboxProcess, action: str, params: dict[str, Any], advice: str
) -> None:
    shared.script("create", "A-1", action, **params)

    failed = post(client, INTENTS, **CARD, metadata={"reference": "A-1"})

    assert failed.headers["stripe-should-retry"] == advice
    assert "stripe-should-retry" not in post(client, INTENTS, **CARD).headers


def test_an_intent_keeps_the_choice_of_ways_to_pay(client: HttpClient) -> None:
    chosen = post(client, INTENTS, **CARD, automatic_payment_methods={"enabled": True}).json
    not_said = post(client, INTENTS, **CARD).json

    assert chosen["automatic_payment_methods"] == {"enabled": True, "allow_redirects": "always"}
    assert not_said["automatic_payment_methods"] is None


def test_a_body_may_be_json_too_and_rubbish_is_turned_away(client: HttpClient) -> None:
    as_json = client.post_json(INTENTS, CARD, operation="wire")
    not_an_object = client.post_json("/carrier/v1/shipments", [1], operation="wire")  # type: ignore[arg-type]

    assert as_json.json["status"] == "requires_confirmation"
    assert (not_an_object.status, not_an_object.json["error"]["code"]) == (400, "body_unreadable")


def test_a_shipment_has_price_label_and_tracking_number(client: HttpClient) -> None:
    body = {"reference": "A-1", "ship_to": {"name": "A. Reader", "country": "GB"}, "parcels": 2, "units": 10,
            "service": "express"}  # fmt: skip

    shipment = client.post_json("/carrier/v1/shipments", body, operation="book").json

    assert (shipment["status"], shipment["reference"], shipment["price_minor"]) == (
        "booked",
        "A-1",
        2 * 895 + 10 * 4,
    )
    with urlopen(shipment["label_url"], timeout=5) as label:
        pdf = label.read().decode("cp1252")
    drawn = re.findall(r"\((.*)\) Tj", pdf)
    assert drawn[:3] == [shipment["tracking_number"], "A-1", "A. Reader"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ship_to": {"country": "AQ"}}, "country_not_served"),
        ({"ship_to": {}}, "address_invalid"),
        ({"ship_to": "GB"}, "address_invalid"),
        ({"ship_to": {"country": "DE", "postcode": "00000"}}, "address_unknown"),
        ({"reference": ""}, "reference_missing"),
        ({"service": "by_owl"}, "service_not_available"),
        ({"parcels": 0}, "service_not_available"),
    ],
)
def test_a_booking_the_carrier_cannot_serve_is_refused(
    client: HttpClient, change: dict[str, Any], code: str
) -> None:
    body = {"reference": "A-1", "ship_to": {"country": "GB"}, **change}

    answer = client.post_json("/carrier/v1/shipments", body, operation="book")

    assert (answer.status, answer.json["error"]["code"]) == (422, code)
    assert get(client, "/carrier/v1/shipments").json == {"data": [], "next_cursor": None}


@pytest.mark.parametrize("body", [{"shipments": "x"}, {"shipments": [1]}, {}, {"all": True, "limit": 0}])
def test_a_pick_up_names_its_parcels(client: HttpClient, body: dict[str, Any]) -> None:
    assert client.post_json("/carrier/v1/pickups", body, operation="pick_up").status == 400
