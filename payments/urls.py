"""Addresses of the staff page "Money"."""

from __future__ import annotations

from django.urls import path

from payments import dispute_views, repaying_views, shares_views, views

app_name = "money"
urlpatterns = [
    path("", views.page, name="page"),
    path("disputes/", dispute_views.page, name="disputes"),
    path("disputes/<uuid:dispute_id>/", dispute_views.dispute, name="dispute"),
    path("refunds/", repaying_views.failed, name="failed_refunds"),
    path("refunds/<uuid:refund_id>/", repaying_views.refund, name="refund"),
    path("refunds/<uuid:refund_id>/repay/", repaying_views.repay, name="repay"),
    path("refunds/of-saga/<uuid:saga_id>/", repaying_views.of_saga, name="refund_of_saga"),
    path("shares/<uuid:share_id>/", shares_views.share, name="share"),
    path("shares/<uuid:share_id>/settle/", shares_views.settle, name="settle_share"),
    path("cases/<uuid:case_id>/", views.case, name="case"),
    path("cases/<uuid:case_id>/resolve/", views.resolve, name="resolve"),
    path("cases/<uuid:case_id>/look-again/", views.look_again, name="look_again"),
]
