"""The sandbox gateway, by our own HTTP client."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from payments.gateways.wire import Act, Fields, Look, WireGateway
from sagas.resilience.asking import Asking
from sagas.resilience.http import Answer, HttpClient, flat

INTENTS, REFUNDS, DISPUTES = "/v1/payment_intents", "/v1/refunds", "/v1/disputes"
ACTS: Mapping[Act, str] = {
    "create": INTENTS,
    "confirm": f"{INTENTS}/{{}}/confirm",
    "capture": f"{INTENTS}/{{}}/capture",
    "release": f"{INTENTS}/{{}}/capture",
    "cancel": f"{INTENTS}/{{}}/cancel",
    "refund": REFUNDS,
}
LOOKS: Mapping[Look, str] = {
    "intent": f"{INTENTS}/{{}}",
    "refund": f"{REFUNDS}/{{}}",
    "dispute": f"{DISPUTES}/{{}}",
    "search": f"{INTENTS}/search",
    "intents": INTENTS,
    "refunds": REFUNDS,
    "disputes": DISPUTES,
}


class SandboxGateway(WireGateway):
    """The gateway of the sandbox process; see `PaymentGateway` for its promises."""

    def __init__(self, client: HttpClient, asking: Asking | None = None) -> None:
        super().__init__(asking)
        self._client = client

    def post(self, act: Act, ident: str, fields: Fields, *, key: str, correlation_id: str) -> Answer:
        path = ACTS[act].format(quote(ident, safe=""))
        return self._client.post_form(path, fields, operation=act, key=key, correlation_id=correlation_id)

    def get(self, look: Look, ident: str, query: Fields, *, correlation_id: str) -> Answer:
        path = LOOKS[look].format(quote(ident, safe=""))
        operation = "retrieve" if ident else "list"
        sent = dict(flat(query))
        return self._client.get(path, operation=operation, query=sent, correlation_id=correlation_id)
