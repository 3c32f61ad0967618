"""Filters of the list of sagas. Their choices come from the code or from a few probes of an index."""

# ruff: noqa: ARG002 - the signatures are Django's

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from sagas import overview, queries
from sagas.definition import definitions
from sagas.models import Saga
from sagas.standing import in_words, words

UNFINISHED = "unfinished"
#: So many reasons of parked sagas are offered.
REASONS = 12
Choices = list[tuple[str, str]]


class _Filter(SimpleListFilter):
    """A filter that also takes a value it does not offer: a link may carry an older one."""

    def offered(self) -> Choices:
        """The choices in the side bar."""
        raise NotImplementedError

    def narrow(self, found: QuerySet[Saga], value: str) -> QuerySet[Saga]:
        """Those that match a chosen value."""
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> Choices:
        choices, value = self.offered(), self.value()
        if value and value not in dict(choices):
            choices.append((value, value))
        return choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Saga]) -> QuerySet[Saga]:
        value = self.value()
        return self.narrow(queryset, value) if value else queryset


class StateFilter(_Filter):
    title = "state"
    parameter_name = "state"

    def offered(self) -> Choices:
        return [
            (UNFINISHED, "Unfinished"),
            *((str(value), str(label)) for value, label in Saga.State.choices),
        ]

    def narrow(self, found: QuerySet[Saga], value: str) -> QuerySet[Saga]:
        if value == UNFINISHED:
            return queries.unfinished(found)
        found = found.filter(state=value)
        return found if value in Saga.FINAL else queries.unfinished(found)


class HoldFilter(_Filter):
    title = "hold"
    parameter_name = "hold"

    def offered(self) -> Choices:
        return [(str(value), str(label)) for value, label in Saga.Hold.choices]

    def narrow(self, found: QuerySet[Saga], value: str) -> QuerySet[Saga]:
        return found.filter(hold=value)


class ReasonFilter(_Filter):
    """Why parked sagas are parked. Shown only while some are."""

    title = "reason for being parked"
    parameter_name = "reason"

    def offered(self) -> Choices:
        reasons = overview.parked_reasons()[:REASONS]
        return [(reason, f"{in_words(reason)[:70]} ({group.count:,})") for reason, group in reasons]

    def narrow(self, found: QuerySet[Saga], value: str) -> QuerySet[Saga]:
        return queries.unfinished(found).filter(hold=Saga.Hold.PARKED, hold_reason=value)


class DefinitionFilter(_Filter):
    title = "definition"
    parameter_name = "definition"

    def offered(self) -> Choices:
        return [(name, words(name)) for name in sorted({d.name for d in definitions()})]

    def narrow(self, found: QuerySet[Saga], value: str) -> QuerySet[Saga]:
        return found.filter(definition=value)


class StepFilter(_Filter):
    """Offered are the steps at which something stands now."""

    title = "step it stands at"
    parameter_name = "step"

    def offered(self) -> Choices:
        return [(name, words(name)) for name in overview.occupied_steps()]

    def narrow(self, found: QuerySet[Saga], value: str) -> QuerySet[Saga]:
        return queries.standing_at(found, value)


class FailureFilter(_Filter):
    title = "failure code"
    parameter_name = "failure"

    def offered(self) -> Choices:
        return [(code, code) for code in queries.failure_codes()]

    def narrow(self, found: QuerySet[Saga], value: str) -> QuerySet[Saga]:
        return found.filter(cause_code=value)


class CauseFilter(_Filter):
    title = "what turned it back"
    parameter_name = "cause"

    def offered(self) -> Choices:
        return [("refused", "A refusal"), ("deadline", "A deadline"), ("intent", "Somebody asked")]

    def narrow(self, found: QuerySet[Saga], value: str) -> QuerySet[Saga]:
        return found.filter(cause=value).exclude(cause_code="")


ALL = (StateFilter, HoldFilter, ReasonFilter, FailureFilter, CauseFilter, StepFilter, DefinitionFilter)
