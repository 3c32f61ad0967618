"""The API's description is complete, equal to the code, and needs nothing from the internet."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from django.contrib.staticfiles import finders
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

from config.embedded.state import BASE_DIR


@pytest.fixture(scope="module")
def description() -> Any:
    GENERATOR_STATS.reset()
    return SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]


def test_making_the_description_gives_no_warning(description: Any) -> None:
    assert not GENERATOR_STATS


def test_the_committed_description_is_what_the_code_says(client: Client) -> None:
    served = yaml.safe_load(client.get("/api/schema/").content)

    assert served == yaml.safe_load((BASE_DIR / "docs" / "openapi.yaml").read_text())
    assert served["openapi"] == "3.1.0"


def test_every_operation_is_described(description: Any) -> None:
    operations = {
        f"{method.upper()} {path}": operation
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    }

    assert set(operations) == {
        "POST /api/v1/orders",
        "POST /api/v1/orders/bulk",
        "GET /api/v1/orders",
        "GET /api/v1/orders/summary",
        "GET /api/v1/orders/{order_id}",
        "GET /api/v1/orders/{order_id}/events",
        "POST /api/v1/orders/{order_id}/cancel",
        "PATCH /api/v1/orders/{order_id}/address",
        "POST /api/v1/orders/{order_id}/refunds",
        "GET /api/v1/orders/{order_id}/refunds",
        "GET /api/v1/orders/{order_id}/refunds/{refund_id}",
        "POST /api/v1/orders/{order_id}/fulfilments",
        "GET /api/v1/orders/{order_id}/fulfilments",
        "GET /api/v1/orders/{order_id}/fulfilments/{parcel_id}",
        "POST /api/v1/orders/{order_id}/fulfilments/{parcel_id}/cancel",
        "POST /api/v1/orders/{order_id}/returns",
        "GET /api/v1/orders/{order_id}/returns",
        "GET /api/v1/orders/{order_id}/returns/{return_id}",
        "POST /api/v1/orders/{order_id}/returns/{return_id}/receive",
        "POST /api/v1/orders/{order_id}/returns/{return_id}/inspect",
        "POST /api/v1/orders/{order_id}/returns/{return_id}/withdraw",
        "GET /api/v1/orders/{order_id}/payment",
        "GET /api/v1/sagas",
        "GET /api/v1/sagas/{saga_id}",
        "POST /api/v1/stock/movements",
        "GET /api/v1/stock",
        "GET /api/v1/webhook-event-types",
        "POST /api/v1/webhook-endpoints",
        "GET /api/v1/webhook-endpoints",
        "GET /api/v1/webhook-endpoints/{endpoint_id}",
        "PATCH /api/v1/webhook-endpoints/{endpoint_id}",
        "DELETE /api/v1/webhook-endpoints/{endpoint_id}",
        "POST /api/v1/webhook-endpoints/{endpoint_id}/secret",
        "POST /api/v1/webhook-endpoints/{endpoint_id}/test",
        "POST /api/v1/webhook-endpoints/{endpoint_id}/replay",
        "GET /api/v1/webhook-endpoints/{endpoint_id}/deliveries",
        "GET /api/v1/webhook-deliveries/{delivery_id}",
        "POST /api/v1/webhook-deliveries/{delivery_id}/replay",
    }
    for operation in operations.values():
        assert operation["summary"]
        assert operation["security"] == [{"shopToken": []}]
        assert {"401", "429", "503"} <= set(operation["responses"])


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("/api/v1/orders", True),
        ("/api/v1/orders/bulk", False),
        ("/api/v1/orders/{order_id}/cancel", True),
        ("/api/v1/orders/{order_id}/refunds", True),
        ("/api/v1/stock/movements", False),
        ("/api/v1/webhook-endpoints", True),
        ("/api/v1/webhook-endpoints/{endpoint_id}/secret", True),
        ("/api/v1/webhook-endpoints/{endpoint_id}/replay", True),
        ("/api/v1/webhook-deliveries/{delivery_id}/replay", True),
    ],
)
def test_writes_ask_for_an_idempotency_key(description: Any, path: str, needed: bool) -> None:
    headers = [p for p in description["paths"][path]["post"].get("parameters", ()) if p["in"] == "header"]

    assert [p["name"] for p in headers if p.get("required")] == ["Idempotency-Key"] * needed


def test_a_correction_asks_for_an_idempotency_key_too(description: Any) -> None:
    correction = description["paths"]["/api/v1/orders/{order_id}/address"]["patch"]

    required = [p["name"] for p in correction["parameters"] if p.get("required") and p["in"] == "header"]
    assert required == ["Idempotency-Key"]
    assert "409" in correction["responses"]
    assert "Idempotency-Key" not in str(
        description["paths"]["/api/v1/webhook-endpoints/{endpoint_id}"]["patch"]
    )


def test_a_cancellation_may_say_which_version_was_seen(description: Any) -> None:
    cancel = description["paths"]["/api/v1/orders/{order_id}/cancel"]["post"]

    assert [p["name"] for p in cancel["parameters"] if p["in"] == "header" and not p.get("required")] == [
        "If-Match"
    ]
    assert "412" in cancel["responses"]
    assert "412" not in description["paths"]["/api/v1/orders"]["post"]["responses"]


@pytest.mark.parametrize(
    "name",
    [
        "OrderIn",
        "BulkOrderIn",
        "LineIn",
        "ChargeIn",
        "CustomerIn",
        "ShipToIn",
        "CancelIn",
        "PatchedAddressIn",
        "RefundIn",
        "RefundLineIn",
        "MovementIn",
    ],
)
def test_what_is_sent_has_no_other_fields(description: Any, name: str) -> None:
    assert description["components"]["schemas"][name]["additionalProperties"] is False


def test_the_page_comes_from_this_server_alone(client: Client) -> None:
    page = client.get("/api/docs/").content.decode()
    script = client.get("/api/docs/?script=").content.decode()

    fetched = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert fetched
    assert all(address.startswith(("/static/", "/api/")) for address in fetched)
    for address in fetched:
        if address.startswith("/static/"):
            assert finders.find(address.removeprefix("/static/").partition("?")[0])
    assert "/api/schema/" in script
    assert "https://" not in page
