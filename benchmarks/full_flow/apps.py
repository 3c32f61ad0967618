"""An app that puts the in-process gateway and carrier in the place of those the settings name."""

from __future__ import annotations

from django.apps import AppConfig


class FullFlowConfig(AppConfig):
    name = "benchmarks.full_flow"
    label = "full_flow"

    def ready(self) -> None:
        from benchmarks.full_flow.providers import YesCarrier, YesGateway
        from payments.gateways import use_gateway
        from shipping.carriers import use_carrier

        use_gateway(YesGateway())
        use_carrier(YesCarrier())
