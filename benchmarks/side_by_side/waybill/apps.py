"""Wiring, as any app of Waybill does it."""

from __future__ import annotations

from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "benchmarks.side_by_side.waybill"
    label = "shop"

    def ready(self) -> None:
        from benchmarks.side_by_side.waybill import definition, steps  # noqa: F401 - they register themselves
