"""Where a shop looks up how a payment stands, and where its customer has to act."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from payments import queries
from payments.api.serializers import PaymentDetailOut
from sagas.web.problems import not_found
from sagas.web.views import ApiView


class PaymentOfOrder(ApiView):
    """The payment of one of the shop's orders."""

    @extend_schema(
        operation_id="get_order_payment", tags=["orders"], responses=PaymentDetailOut,
        summary="How the payment of an order stands, and where its customer has to act",
    )  # fmt: skip
    def get(self, request: Request, order_id: UUID) -> Response:
        """The newest payment of the order, from its row. There is none before the payment is begun."""
        del request
        found = queries.payment_detail(order_id, self.shop_id)
        if found is None:
            raise not_found()
        return Response(PaymentDetailOut(found).data)
