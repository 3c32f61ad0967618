"""Bad input of every kind: always a 4xx problem document, never a 5xx, and nothing stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from inventory.models import Movement
from orders.models import Order
from sagas.models import Intent, Saga
from tests.api.counter import MOVEMENTS, ORDERS, SAGAS, STOCK, Counter, an_order, problem

pytestmark = pytest.mark.django_db

ID = "019a0000-0000-7000-8000-000000000000"
JUNK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

NASTY_TEXTS = st.sampled_from(
    [
        "",
        " ",
        "\x00",
        "a\x00b",
        "\ud800",
        "\u202e",
        "x" * 5000,
        "NaN",
        "null",
        "1e999",
        "9" * 5000,
        "'; --",
        "%00",
    ]
)
TEXTS = st.one_of(st.text(), NASTY_TEXTS)
NUMBERS = st.one_of(
    st.integers(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([2**31, 2**63, -(2**63) - 1, 10**400]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(TEXTS, st.sampled_from(["sku", "key"])), inner)
    ),
    max_leaves=12,
)
PLACES = st.sampled_from(
    [
        "external_reference", "currency", "lines", "lines.0", "lines.0.sku", "lines.0.name", "lines.0.kind",
        "lines.0.quantity", "lines.0.unit_price_minor", "lines.0.tax_minor", "lines.0.discount_minor",
        "charges", "charges.0", "charges.0.kind", "charges.0.amount_minor", "expected_total_minor",
        "customer", "customer.reference", "customer.name", "customer.email", "ship_to", "ship_to.country",
        "ship_to.postcode", "payment_method", "placed_at", "extra", "ship_to.extra",
    ]
)  # fmt: skip


def as_json(value: Any) -> bytes:
    """JSON as careless clients write it: NaN and lone surrogates as they come."""
    return json.dumps(value).encode()


def replaced(document: Any, place: str, value: Any) -> Any:
    """A copy of the document with another value in one place."""
    copy = json.loads(json.dumps(document))
    inner, steps = copy, [int(step) if step.isdecimal() else step for step in place.split(".")]
    for step in steps[:-1]:
        inner = inner[step]
    inner[steps[-1]] = value
    return copy


def fine(response: Any) -> bool:
    """Whether the request was carried out. What was not must be told as a problem of the client's making."""
    if response.status_code < 400:
        return True
    status, _ = problem(response)
    assert 400 <= status < 500
    return False


@JUNK
@given(place=PLACES, value=VALUES)
@example(place="placed_at", value="9999-12-31T23:59:59.999999-23:59")
@example(place="placed_at", value="0001-01-01T00:00:00+23:59")
@example(place="customer.name", value="\ud800")
@example(place="lines.0.sku", value="\x00")
def test_f09_an_order_with_junk_in_one_place(counter: Counter, place: str, value: Any) -> None:
    before = Order.objects.count()

    taken = fine(counter.post(ORDERS, as_json(replaced(an_order(), place, value))))

    assert Order.objects.count() == before + taken


@JUNK
@given(
    path=st.sampled_from([ORDERS, f"{ORDERS}/{ID}/cancel", f"{ORDERS}/{ID}", SAGAS, STOCK]),
    body=st.one_of(st.binary(), VALUES.map(as_json)),
)
@example(path=ORDERS, body=b"\xff\xfe{\x00}\x00")
@example(path=ORDERS, body=b"[" * 100_000)
@example(path=ORDERS, body=b'{"a":' * 5_000 + b"1" + b"}" * 5_000)
@example(path=ORDERS, body=b'{"lines": [], "lines": []}')
@example(path=ORDERS, body=b"")
def test_a_body_of_junk_is_never_carried_out(counter: Counter, path: str, body: bytes) -> None:
    assert not fine(counter.post(path, body))

    assert (Order.objects.count(), Saga.objects.count(), Intent.objects.count()) == (0, 0, 0)


@JUNK
@given(lines=st.lists(st.one_of(st.binary(), VALUES.map(as_json)), max_size=5))
def test_lines_of_junk_move_nothing(counter: Counter, lines: list[bytes]) -> None:
    response = counter.move_raw(b"\n".join(lines))

    assert response.status_code == 200
    answers = [json.loads(line) for line in response.content.splitlines()]
    assert {answer["status"] for answer in answers} <= {"invalid", "refused"}
    assert Movement.objects.count() == 0


@JUNK
@given(place=st.sampled_from(["key", "sku", "kind", "quantity", "location", "reason", "extra"]), value=VALUES)
@example(place="location", value="x" * 51)
@example(place="sku", value="\ud800")
@example(place="quantity", value=10**12)
def test_a_movement_with_junk_in_one_place(counter: Counter, place: str, value: Any) -> None:
    before = Movement.objects.count()
    line = {"key": f"K{before}", "sku": "MUG", "kind": "receipt", "quantity": 1} | {place: value}

    response = counter.move_raw(as_json(line))

    assert response.status_code == 200
    assert Movement.objects.count() in (
        before,
        before + (json.loads(response.content)["status"] == "recorded"),
    )


NAMES = st.sampled_from(
    ["state", "cursor", "limit", "external_reference", "sku", "location", "hold", "definition", "step",
     "failure", "reference", "extra"]
)  # fmt: skip


@JUNK
@given(
    path=st.sampled_from([ORDERS, SAGAS, STOCK, f"{ORDERS}/{ID}", f"{SAGAS}/{ID}"]),
    query=st.dictionaries(
        NAMES, st.text(max_size=30).filter(lambda t: t.isprintable()) | st.just("\x00"), max_size=3
    ),
    raw=st.text(alphabet="%0123456789abcdefABCDEF&=;+", max_size=20),
)
@example(path=ORDERS, query={"external_reference": "\x00"}, raw="")
@example(path=STOCK, query={}, raw="sku=%ff%fe")
def test_a_query_of_junk(counter: Counter, path: str, query: dict[str, str], raw: str) -> None:
    fine(counter.get(path, query))
    fine(counter.get(f"{path}?{raw}"))


@JUNK
@given(
    path=st.one_of(
        st.text(alphabet="/%.abc019-_ ~\\\x00é", max_size=30),
        st.builds("orders/{}".format, st.uuids()),
        st.builds("sagas/{}/{}".format, st.uuids(), st.text(alphabet="abc/", max_size=5)),
    ),
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]),
)
def test_an_address_or_method_of_junk(counter: Counter, path: str, method: str) -> None:
    headers = {"Authorization": f"Bearer {counter.token}", "Idempotency-Key": "K"}

    fine(Client().generic(method, f"/api/v1/{path}", headers=headers))

    assert Order.objects.count() == 0


HEADERS = st.sampled_from(
    [
        "Authorization",
        "Idempotency-Key",
        "X-Correlation-Id",
        "X-Request-ID",
        "Accept",
        "If-None-Match",
        "Cookie",
    ]
)
LATIN = st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n")


@JUNK
@given(headers=st.dictionaries(HEADERS, st.text(LATIN, max_size=40)))
def test_headers_of_junk(counter: Counter, headers: dict[str, str]) -> None:
    fine(counter.get(ORDERS, None, **headers))
    fine(counter.post(ORDERS, an_order(), key=None, **headers))


@pytest.mark.parametrize("path", [ORDERS, MOVEMENTS])
def test_f09_ten_megabytes_are_refused_without_being_kept(counter: Counter, path: str) -> None:
    body = b'{"external_reference": "' + b"x" * 10_000_000 + b'"}'

    response = counter.move_raw(body) if path == MOVEMENTS else counter.post(path, body)

    assert problem(response) == (413, "api.body_too_large")


def test_a_wrong_media_type_is_refused(counter: Counter) -> None:
    headers = {"Authorization": f"Bearer {counter.token}", "Idempotency-Key": "K"}

    response = Client().post(ORDERS, {"currency": "EUR"}, headers=headers)

    assert problem(response) == (415, "api.media_type_unsupported")


def test_an_order_of_five_thousand_lines_is_taken_and_one_more_is_refused(counter: Counter) -> None:
    line = {"sku": "MUG", "quantity": 1, "unit_price_minor": 1}

    taken = counter.place(lines=[line] * 5000, charges=[], expected_total_minor=5000)
    refused = counter.place(lines=[line] * 5001, charges=[], expected_total_minor=5001)

    assert taken.status_code == 202
    assert problem(refused) == (422, "api.invalid")


def test_without_the_right_host_there_is_a_problem_too(counter: Counter) -> None:
    response = Client(headers={"Host": "evil.example"}).get("/api/v1/orders")

    assert problem(response) == (400, "api.bad_request")
