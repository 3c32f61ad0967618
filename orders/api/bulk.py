"""Orders in bulk, line by line: each is answered for itself, and a bad one costs no other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from orders import commands
from orders.api.answers import BulkAnswerOut
from orders.api.serializers import BulkOrderIn
from orders.api.views import duplicate_reference
from orders.commands import Placed, ReferenceTaken
from orders.intake import PlaceOrder
from sagas.crash import crash_point
from sagas.log import Token, last_published
from sagas.verdicts import Refused
from sagas.web.bodies import Lines, as_text, load
from sagas.web.problems import Problem
from sagas.web.reading import POSITION, POSITION_HEADER
from sagas.web.views import ApiView

NDJSON = "application/x-ndjson"
#: So many orders share a commit.
BATCH = 200
MOST_LINES = 2_000
#: The database is away: no order is to blame.
AWAY = (OperationalError, InterfaceError)


class BulkOrders(ApiView):
    """The shop's orders, many at once."""

    parser_classes = (Lines,)
    counted = "orders"

    def weight(self, request: Request) -> int:
        return max(1, len(lines_of(request)))

    @extend_schema(
        operation_id="place_orders", tags=["orders"], summary="Place orders in bulk", parameters=[POSITION_HEADER],
        request={NDJSON: BulkOrderIn}, responses={(200, NDJSON): BulkAnswerOut},
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        """Store orders, one document per line; each is answered by one line, in order, as if it had come alone.

        A bad line stops no other. A line that was sent before is answered with the order as it stands now, so the
        whole request is safe to repeat and takes no Idempotency-Key. 2,000 lines and 8 MiB at most; each line
        counts towards the orders that the shop may send in bulk.
        """
        intake = Intake(self)
        body = "".join(json.dumps(answer) + "\n" for answer in intake.take(lines_of(request)))
        headers = {POSITION: str(intake.position)} if intake.position else {}
        return HttpResponse(body, content_type=NDJSON, headers=headers)


def lines_of(request: Request) -> Sequence[bytes]:
    """The lines of a request. Raises Problem 413 if there are too many, before anything is stored."""
    sent: Sequence[bytes] = request.data if isinstance(request.data, list) else []
    if len(sent) > MOST_LINES:
        raise Problem(413, "api.too_many_lines", f"A request may have {MOST_LINES} lines at most.")
    return sent


class Intake:
    """Takes the lines of one request. `position` is where in the feed the last of its new orders stands."""

    def __init__(self, view: BulkOrders) -> None:
        self.view = view
        self.position: Token | None = None

    def take(self, sent: Sequence[bytes]) -> Iterator[dict[str, Any]]:
        """Place the orders, a batch in each commit, and answer each line. If a commit fails, those before it stay."""
        for start in range(0, len(sent), BATCH):
            yield from self._batch(sent[start : start + BATCH], first=start + 1)

    def _batch(self, texts: Sequence[bytes], *, first: int) -> Iterator[dict[str, Any]]:
        now = self.view.now()
        read = [self._read(text, now) for text in texts]
        placed = iter(self._place([found for _, found in read if isinstance(found, PlaceOrder)], now))
        crash_point("api.after_batch")
        for number, (reference, found) in enumerate(read, start=first):
            told = next(placed) if isinstance(found, PlaceOrder) else found
            yield {"line": number, "external_reference": reference, **told}

    def _read(self, text: bytes, now: datetime) -> tuple[str | None, PlaceOrder | dict[str, Any]]:
        """The line's reference, if it can be read, and its order or what is wrong with it."""
        reference = None
        try:
            document = load(as_text(text))
            reference = _reference_in(document)
            style = settings.WAYBILL.fulfilment_style
            return reference, BulkOrderIn.command(document, self.view.shop_id, now=now, style=style)
        except (Problem, ValidationError) as wrong:
            return reference, self.view.explain(wrong)

    def _place(self, orders: Sequence[PlaceOrder], now: datetime) -> list[dict[str, Any]]:
        """What to tell of each. Orders that cannot be stored together are tried by halves, down to the one at fault."""
        if not orders:
            return []
        try:
            answers = self._commit(orders, now)
        except AWAY:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is one order's, and told and reported as that
            if len(orders) == 1:
                return [self.view.explain(error)]
        else:
            return [self._told(answer) for answer in answers]
        half = len(orders) // 2
        return self._place(orders[:half], now) + self._place(orders[half:], now)

    def _commit(self, orders: Sequence[PlaceOrder], now: datetime) -> list[Placed | Refused]:
        by = {"correlation_id": self.view.correlation_id, "actor": self.view.caller.actor}
        with transaction.atomic(durable=True):
            answers = commands.take_orders(orders, now=now, **by)
            self.position = last_published() or self.position
        return answers

    def _told(self, answer: Placed | Refused) -> dict[str, Any]:
        match answer:
            case Placed():
                status = 200 if answer.existing else 202
                named = {"id": str(answer.order_id), "state": str(answer.state), "existing": answer.existing}
                return {"status": status, **named}
            case ReferenceTaken():
                return self.view.explain(duplicate_reference(answer.order_id, answer.detail))
        return self.view.explain(answer)


def _reference_in(document: Any) -> str | None:
    found = document.get("external_reference") if isinstance(document, dict) else None
    return found if isinstance(found, str) and len(found) <= 100 else None
