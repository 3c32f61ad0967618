"""Where a shop tells what came and went, and looks what there is."""

from __future__ import annotations

import json

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from inventory import queries
from inventory.api.lines import record_lines
from inventory.api.serializers import MovementAnswerOut, MovementIn, StockOut, StockPageOut, StockQuery
from sagas.web.bodies import Lines
from sagas.web.pages import cursor_after, key_in, page
from sagas.web.views import ApiView

NDJSON = "application/x-ndjson"


class StockMovements(ApiView):
    """Pieces that come and go."""

    parser_classes = (Lines,)

    @extend_schema(
        operation_id="record_movements", tags=["stock"], summary="Record stock movements",
        request={NDJSON: MovementIn}, responses={(200, NDJSON): MovementAnswerOut},
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        """Record movements, one document per line; each is answered by one line, in order.

        A bad line stops no other. A key is carried out once per shop, so the whole request is safe to repeat
        and takes no Idempotency-Key.
        """
        sent = request.data if isinstance(request.data, list) else []
        answers = record_lines(sent, self.shop_id, now=self.now())
        return HttpResponse("".join(json.dumps(a) + "\n" for a in answers), content_type=NDJSON)


class Stock(ApiView):
    """What there is."""

    @extend_schema(
        operation_id="list_stock", tags=["stock"], parameters=[StockQuery], responses=StockPageOut,
        summary="List stock by location and SKU",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """One page of the shop's stock."""
        asked = StockQuery.read(request.query_params)
        after = key_in(asked["cursor"], 2) if asked["cursor"] else ("", "")
        limit = asked["limit"]
        found = queries.stock_levels(
            self.shop_id,
            skus=asked["sku"],
            location=asked["location"],
            after=(after[0], after[1]),
            limit=limit + 1,
        )
        last = found[limit - 1] if len(found) > limit else None
        more = cursor_after(last.location, last.sku) if last else None
        return page(request, StockOut(found[:limit], many=True).data, more)
