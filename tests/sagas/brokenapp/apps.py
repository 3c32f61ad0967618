"""Registers a compensatable step without an undo."""

from __future__ import annotations

from collections.abc import Sequence

from django.apps import AppConfig

from sagas.definition import SagaDefinition, compensatable
from sagas.steps import StepCall, local_step
from sagas.verdicts import Answer, Done


class BrokenAppConfig(AppConfig):
    name = "tests.sagas.brokenapp"
    label = "brokenapp"

    def ready(self) -> None:
        @local_step("sagas.no_undo")
        def no_undo(calls: Sequence[StepCall]) -> Sequence[Answer]:
            return [Done() for _ in calls]

        SagaDefinition("sagas.broken", version=1, steps=[compensatable("sagas.no_undo")])
