"""Stripe by its official client, which speaks on our own connections.

The client makes the requests and reads the errors; `OurConnections` carries them. So deadlines, kept
connections, metrics and the line between "never left" and "nobody knows" are those of every provider
(docs/adr/0027). Importing this module is dear: only who chose this gateway does it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import stripe

from payments.gateways.wire import Act, Fields, Look, WireGateway
from sagas.resilience.asking import Asking
from sagas.resilience.http import Answer, HttpClient

#: Tells `OurConnections` what a request is for, and is taken off before it leaves.
OPERATION = "X-Waybill-Operation"
#: Stripe lets an account's other ways to pay join in, and some need a page to come back to when confirmed.
WITHOUT_REDIRECTS = {"enabled": True, "allow_redirects": "never"}


class OurConnections(stripe.HTTPClient):
    """What Stripe's client calls to have a request carried. Threads and forks may share it."""

    name = "waybill"

    def __init__(self, client: HttpClient) -> None:
        super().__init__()
        self._client = client

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Carry one request. NotSent and OutcomeUnknown pass through Stripe's client as they are."""
        sent = dict(headers or {})
        operation = sent.pop(OPERATION, "other")
        answer = self._client.send(
            method.upper(), self._target(url), (post_data or "").encode(), sent, operation=operation
        )
        return answer.body.decode(errors="replace"), answer.status, answer.headers

    def _target(self, url: str) -> str:
        base = self._client.base_url
        if not url.startswith(f"{base}/"):
            raise ValueError(f"these connections lead to {base} only, not to {urlsplit(url).netloc}")
        return url.removeprefix(base)


def stripe_client(client: HttpClient, *, api_key: str, api_version: str = "") -> stripe.StripeClient:
    """The official client on these connections, without retries and telemetry of its own.

    Without a version it asks for the one it was made for, which the lock pins.
    """
    stripe.enable_telemetry = False  # it would also leave a file in the home folder
    return stripe.StripeClient(
        api_key, stripe_version=api_version or None, base_addresses={"api": client.base_url},
        max_network_retries=0, http_client=OurConnections(client),
    )  # fmt: skip


class StripeGateway(WireGateway):
    """The gateway at Stripe; see `PaymentGateway` for its promises."""

    def __init__(self, client: stripe.StripeClient, asking: Asking | None = None) -> None:
        super().__init__(asking)
        self._intents, self._refunds = client.v1.payment_intents, client.v1.refunds
        self._disputes = client.v1.disputes

    def post(self, act: Act, ident: str, fields: Fields, *, key: str, correlation_id: str) -> Answer:
        options = options_of(act, correlation_id)
        options["idempotency_key"] = key
        params: Any = dict(fields)  # the services have a type for each; the fields are those of all gateways
        match act:
            case "create":
                params["automatic_payment_methods"] = WITHOUT_REDIRECTS
                return answered(lambda: self._intents.create(params, options))
            case "confirm":
                return answered(lambda: self._intents.confirm(ident, params, options))
            case "capture" | "release":
                return answered(lambda: self._intents.capture(ident, params, options))
            case "cancel":
                return answered(lambda: self._intents.cancel(ident, params, options))
            case "refund":
                return answered(lambda: self._refunds.create(params, options))

    def get(  # noqa: PLR0911 - one per look
        self, look: Look, ident: str, query: Fields, *, correlation_id: str
    ) -> Answer:
        options = options_of("retrieve" if ident else "list", correlation_id)
        params: Any = dict(query)
        match look:
            case "intent":
                return answered(lambda: self._intents.retrieve(ident, params, options))
            case "refund":
                return answered(lambda: self._refunds.retrieve(ident, params, options))
            case "dispute":
                return answered(lambda: self._disputes.retrieve(ident, params, options))
            case "disputes":
                return answered(lambda: self._disputes.list(params, options))
            case "search":
                return answered(lambda: self._intents.search(params, options))
            case "intents":
                return answered(lambda: self._intents.list(params, options))
            case "refunds":
                return answered(lambda: self._refunds.list(params, options))


def options_of(operation: str, correlation_id: str) -> stripe.RequestOptions:
    """What goes beside the parameters of a request."""
    headers = {OPERATION: operation, "X-Correlation-Id": correlation_id}
    return {"headers": {name: value for name, value in headers.items() if value}}


def answered(ask: Callable[[], Any]) -> Answer:
    """What came back, error or not, as the answer that every provider is judged by.

    Raises NotSent and OutcomeUnknown, and what is a bug: an error of the client's that no answer stands behind.
    """
    try:
        found = ask()
    except stripe.StripeError as error:
        if error.http_status is None:
            raise
        return Answer(error.http_status, error.json_body, error.headers or {})
    response = getattr(found, "last_response", None)
    if response is None:
        return Answer(200, found)  # JSON, and yet no object
    return Answer(response.code, response.data, response.headers)
