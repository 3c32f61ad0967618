"""Registers the toys; the environment says which saga kills its worker, and where."""

from __future__ import annotations

import os
import signal

from django.apps import AppConfig

from sagas.steps import StepCall
from sagas.verdicts import Answer, Done, Refused

#: `step@reference`: handling it ends the process, at every try.
DEADLY = "TOY_DEADLY"
#: A step that refuses every saga.
REFUSES = "TOY_REFUSES"


class ToyAppConfig(AppConfig):
    name = "tests.sagas.toyapp"
    label = "toyapp"

    def ready(self) -> None:
        from tests.sagas import tallies, toys

        tallies.register()

        step, _, reference = os.environ.get(DEADLY, "").partition("@")

        def deadly(call: StepCall) -> Answer:
            if call.reference == reference:
                os.kill(os.getpid(), signal.SIGKILL)
            return Done()

        if step:
            toys.script.always[step] = deadly
        if refusing := os.environ.get(REFUSES):
            toys.script.always[refusing] = Refused("toy.no")
