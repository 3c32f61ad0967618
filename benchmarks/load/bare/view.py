"""A view as the framework's tutorial writes it: a serializer, a transaction, the rows, an answer.

It knows no idempotency, asks nobody who they are, counts no requests, rings no bell, and believes what it is sent:
no reference is looked up, no total is compared.
"""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction
from rest_framework import serializers
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.load.bare.rows import Rows


class LineIn(serializers.Serializer[Any]):
    """One line."""

    sku = serializers.CharField(max_length=100)
    name = serializers.CharField(max_length=300, default="", allow_blank=True)
    quantity = serializers.IntegerField(min_value=1)
    unit_price_minor = serializers.IntegerField(min_value=0)
    tax_minor = serializers.IntegerField(min_value=0, default=0)
    discount_minor = serializers.IntegerField(min_value=0, default=0)


class CustomerIn(serializers.Serializer[Any]):
    """Who ordered."""

    reference = serializers.CharField(max_length=150)
    name = serializers.CharField(max_length=300)
    email = serializers.EmailField(default="", allow_blank=True)


class ShipToIn(serializers.Serializer[Any]):
    """Where the goods go."""

    country = serializers.CharField(min_length=2, max_length=2)
    street = serializers.CharField(max_length=300, default="", allow_blank=True)
    postcode = serializers.CharField(max_length=20, default="", allow_blank=True)
    city = serializers.CharField(max_length=100, default="", allow_blank=True)


class OrderIn(serializers.Serializer[Any]):
    """The fields that the load's orders have."""

    external_reference = serializers.CharField(max_length=100)
    currency = serializers.CharField(min_length=3, max_length=3)
    lines = LineIn(many=True)
    expected_total_minor = serializers.IntegerField(min_value=0)
    customer = CustomerIn()
    ship_to = ShipToIn()
    payment_method = serializers.CharField(max_length=100)


class BareOrders(APIView):
    """Takes an order."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    parser_classes = (JSONParser,)
    renderer_classes = (JSONRenderer,)

    def post(self, request: Request) -> Response:
        """Store it: a statement for each table, in one transaction."""
        sent = OrderIn(data=request.data)
        sent.is_valid(raise_exception=True)
        rows = Rows.of(sent.validated_data, request.headers)
        with transaction.atomic(), connection.cursor() as cursor:
            for statement, values in rows.statements():
                cursor.execute(statement, values)
        return Response(rows.answer(), status=202)
