"""Addresses of orders below /api/v1/."""

from __future__ import annotations

from django.urls import path

from orders.api.bulk import BulkOrders
from orders.api.fulfilments import OrderFulfilment, OrderFulfilmentCancel, OrderFulfilments
from orders.api.history import OrderEvents
from orders.api.refunds import OrderRefund, OrderRefunds
from orders.api.returns import OrderReturns, ReturnDetail, ReturnInspect, ReturnReceive, ReturnWithdraw
from orders.api.views import OrderAddress, OrderCancel, OrderDetail, Orders, OrderSummary

urlpatterns = [
    path("orders", Orders.as_view(), name="api-orders"),
    path("orders/bulk", BulkOrders.as_view(), name="api-orders-bulk"),
    path("orders/summary", OrderSummary.as_view(), name="api-order-summary"),
    path("orders/<uuid:order_id>", OrderDetail.as_view(), name="api-order"),
    path("orders/<uuid:order_id>/events", OrderEvents.as_view(), name="api-order-events"),
    path("orders/<uuid:order_id>/refunds", OrderRefunds.as_view(), name="api-order-refunds"),
    path("orders/<uuid:order_id>/refunds/<uuid:refund_id>", OrderRefund.as_view(), name="api-order-refund"),
    path("orders/<uuid:order_id>/fulfilments", OrderFulfilments.as_view(), name="api-order-fulfilments"),
    path(
        "orders/<uuid:order_id>/fulfilments/<uuid:parcel_id>",
        OrderFulfilment.as_view(),
        name="api-order-fulfilment",
    ),
    path(
        "orders/<uuid:order_id>/fulfilments/<uuid:parcel_id>/cancel",
        OrderFulfilmentCancel.as_view(),
        name="api-order-fulfilment-cancel",
    ),
    path("orders/<uuid:order_id>/cancel", OrderCancel.as_view(), name="api-order-cancel"),
    path("orders/<uuid:order_id>/address", OrderAddress.as_view(), name="api-order-address"),
    path("orders/<uuid:order_id>/returns", OrderReturns.as_view(), name="api-order-returns"),
    path("orders/<uuid:order_id>/returns/<uuid:return_id>", ReturnDetail.as_view(), name="api-return"),
    path(
        "orders/<uuid:order_id>/returns/<uuid:return_id>/receive",
        ReturnReceive.as_view(),
        name="api-return-receive",
    ),
    path(
        "orders/<uuid:order_id>/returns/<uuid:return_id>/inspect",
        ReturnInspect.as_view(),
        name="api-return-inspect",
    ),
    path(
        "orders/<uuid:order_id>/returns/<uuid:return_id>/withdraw",
        ReturnWithdraw.as_view(),
        name="api-return-withdraw",
    ),
]
