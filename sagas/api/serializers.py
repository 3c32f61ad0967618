"""Sagas as documents. What is only for staff (results, memos, providers' words, workers) stays out."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from sagas.models import Saga, SagaStep
from sagas.web.fields import Text
from sagas.web.pages import PageQuery


class SagaQuery(PageQuery):
    """Filters of the list of sagas."""

    state = serializers.ChoiceField(Saga.State.choices, default="")
    hold = serializers.ChoiceField(Saga.Hold.choices, default="")
    definition = Text(max_length=100, default="", help_text="As in `orders.fulfil_order`.")
    step = Text(max_length=100, default="", help_text="The step they stand at.")
    failure = Text(max_length=100, default="", help_text="The code they turned back for.")
    reference = Text(max_length=200, default="", help_text="The shop's own reference of the order.")


class SagaOut(serializers.ModelSerializer[Saga]):
    """A promise across payment, inventory and shipping: kept as a whole, or everything is given back."""

    class Meta:
        model = Saga
        fields = (
            "id", "definition", "version", "style", "reference", "subject_id", "label", "amount_minor", "currency",
            "state", "hold", "hold_since", "cause", "cause_code", "cause_step", "deadline_at", "started_at",
            "moved_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields
        extra_kwargs: dict[str, dict[str, Any]] = {
            "subject_id": {"help_text": "What it is about: the id of the order."},
            "state": {"help_text": "Where it stands."},
            "hold": {"help_text": "Why it stands still, if it does."},
            "cause_code": {"help_text": "Why it turned back, empty if it did not."},
        }


class StepOut(serializers.ModelSerializer[SagaStep]):
    """One step in one direction. `undo` gives back what `do` did."""

    class Meta:
        model = SagaStep
        fields = (
            "position", "direction", "name", "state", "verdict", "code", "attempt", "wake_at", "began_at",
            "finished_at",
        )  # fmt: skip
        read_only_fields = fields


class SagaDetailOut(SagaOut):
    """A saga with its story in short lines, and its steps in the order they began."""

    story = serializers.ListField(child=serializers.CharField(), read_only=True)
    steps = StepOut(many=True, read_only=True)

    class Meta(SagaOut.Meta):
        fields = (*SagaOut.Meta.fields, "story", "steps")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class SagaPageOut(serializers.Serializer[Any]):
    """One page of sagas, newest first."""

    items = SagaOut(many=True)
    next_cursor = serializers.CharField(allow_null=True)
