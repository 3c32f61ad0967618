"""The sandbox's objects beside the types of Stripe's official client, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, ForwardRef, Literal, Union, get_args, get_origin
from uuid import uuid4

import pytest
import stripe

from payments.gateways.stripe import stripe_client
from tests.sandbox_process import SandboxProcess, running_sandbox

#: Fields of accounts and payments of kinds that the sandbox does not play, or sent only when they say something.
NOT_PLAYED: dict[type, set[str]] = {
    stripe.PaymentIntent: {
        "allowed_payment_method_types", "amount_details", "customer_account", "excluded_payment_method_types",
        "hooks", "managed_payments", "payment_details", "payment_method_configuration_details",
        "payment_record", "presentment_details",
    },
    stripe.Refund: {
        "customer", "customer_account", "description", "destination_details", "failure_balance_transaction",
        "failure_reason", "instructions_email", "next_action", "payment_method", "pending_reason",
        "presentment_details",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--profile", "quiet") as running:
        yield running


@pytest.fixture
def client(sandbox: SandboxProcess) -> stripe.StripeClient:
    return stripe_client(sandbox.client(), api_key="sk_test_fidelity")


def fields_of(kind: type) -> dict[str, Any]:
    return {name: hint for name, hint in kind.__annotations__.items() if "ClassVar" not in str(hint)}


def choices(hint: Any) -> list[Any]:
    return list(get_args(hint)) if get_origin(hint) in {Union, UnionType} else [hint]


def fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value may stand where the client's types put `hint`. Named words are taken literally."""
    among = choices(hint)
    words = [word for one in among if get_origin(one) is Literal for word in get_args(one)]
    if words and isinstance(value, str):
        return value in words
    return any(fits_one(value, one) for one in among)


def fits_one(value: Any, kind: Any) -> bool:
    if kind is NoneType:
        return value is None
    if get_origin(kind) is list:
        return isinstance(value, list) and all(fits(one, get_args(kind)[0]) for one in value)
    if isinstance(kind, ForwardRef):
        return False  # an object in place of its id: only when it was asked for
    kind = get_origin(kind) or kind
    if isinstance(kind, type) and issubclass(kind, stripe.StripeObject):
        return isinstance(value, dict)
    return type(value) is kind


def differences(body: dict[str, Any], kind: type) -> list[str]:
    known = fields_of(kind)
    wrong = [
        f"{name}: {value!r}" for name, value in body.items() if name in known and not fits(value, known[name])
    ]
    unknown = [f"{name} is no field" for name in body.keys() - known]
    return sorted(wrong + unknown + [f"{name} is missing" for name in known.keys() - body - NOT_PLAYED[kind]])


def body_of(found: stripe.StripeObject) -> Any:
    assert found.last_response is not None
    return found.last_response.data


def new_intent(client: stripe.StripeClient, card: str = "pm_card_visa") -> stripe.PaymentIntent:
    return client.v1.payment_intents.create({
        "amount": 500, "currency": "gbp", "capture_method": "manual", "payment_method": card,
        "metadata": {"reference": f"A-{uuid4()}"},
    })  # fmt: skip


def test_an_intent_is_what_the_official_client_knows_at_each_stage(client: stripe.StripeClient) -> None:
    intents = client.v1.payment_intents
    created = new_intent(client)
    confirmed = intents.confirm(created.id)
    captured = intents.capture(created.id, {"amount_to_capture": 400})
    cancelled = intents.cancel(new_intent(client).id, {"cancellation_reason": "abandoned"})

    found = {one.status: differences(body_of(one), stripe.PaymentIntent)
             for one in (created, confirmed, captured, cancelled)}  # fmt: skip

    assert found == {"requires_confirmation": [], "requires_capture": [], "succeeded": [], "canceled": []}


def test_a_refund_is_what_the_official_client_knows(client: stripe.StripeClient) -> None:
    intent = new_intent(client)
    client.v1.payment_intents.confirm(intent.id)
    client.v1.payment_intents.capture(intent.id)

    refund = client.v1.refunds.create({"payment_intent": intent.id, "reason": "requested_by_customer"})

    assert differences(body_of(refund), stripe.Refund) == []


def test_a_decline_is_what_the_official_client_knows(client: stripe.StripeClient) -> None:
    intent = new_intent(client, "pm_card_chargeDeclinedInsufficientFunds")

    with pytest.raises(stripe.CardError) as caught:
        client.v1.payment_intents.confirm(intent.id)

    error = caught.value.error
    assert error is not None
    assert (error.type, error.code, error.decline_code) == (
        "card_error",
        "card_declined",
        "insufficient_funds",
    )
    assert error.payment_intent is not None
    assert error.payment_intent.status == "requires_payment_method"
    assert str(caught.value.request_id).startswith("req_")
    body = body_of(client.v1.payment_intents.retrieve(intent.id))
    assert differences(body, stripe.PaymentIntent) == []
    fault = body["last_payment_error"]
    assert [
        name for name, value in fault.items() if not fits(value, fields_of(stripe.ErrorObject)[name])
    ] == []


def test_a_field_too_many_too_few_or_of_another_kind_is_noticed(client: stripe.StripeClient) -> None:
    body = {**body_of(new_intent(client)), "amount": "500", "status": "thinking", "colour": "red"}
    del body["created"]

    assert differences(body, stripe.PaymentIntent) == [
        "amount: '500'", "colour is no field", "created is missing", "status: 'thinking'"]  # fmt: skip


def test_errors_come_as_the_clients_own_kinds(client: stripe.StripeClient, sandbox: SandboxProcess) -> None:
    intents = client.v1.payment_intents
    with pytest.raises(stripe.InvalidRequestError) as missing:
        intents.retrieve("pi_none")
    assert (missing.value.http_status, missing.value.code, missing.value.param) == (
        404, "resource_missing", "intent")  # fmt: skip

    intents.create({"amount": 1, "currency": "gbp"}, {"idempotency_key": "once"})
    with pytest.raises(stripe.IdempotencyError):
        intents.create({"amount": 2, "currency": "gbp"}, {"idempotency_key": "once"})

    sandbox.script("create", "busy", "rate_limit")
    with pytest.raises(stripe.RateLimitError):
        intents.create({"amount": 1, "currency": "gbp", "metadata": {"reference": "busy"}})


def test_a_repeat_says_that_it_is_one(client: stripe.StripeClient) -> None:
    first, again = (
        client.v1.payment_intents.create({"amount": 1, "currency": "gbp"}, {"idempotency_key": "twice"})
        for _ in range(2)
    )

    assert first.last_response is not None
    assert again.last_response is not None
    assert (first.id, again.last_response.idempotency_key) == (again.id, "twice")
    assert "idempotent-replayed" not in first.last_response.headers
    assert again.last_response.headers["idempotent-replayed"] == "true"


def test_the_client_walks_through_lists_and_searches_by_itself(client: stripe.StripeClient) -> None:
    reference = f"A-{uuid4()}"
    intents = client.v1.payment_intents
    made = [
        intents.create({"amount": 1, "currency": "gbp", "metadata": {"reference": reference}}).id
        for _ in range(5)
    ]

    listed = [one.id for one in intents.list({"limit": 2}).auto_paging_iter()]
    query = f"metadata['reference']:'{reference}'"
    found = [one.id for one in intents.search({"query": query, "limit": 2}).auto_paging_iter()]

    assert listed[:5] == made[::-1]
    assert found == made[::-1]
