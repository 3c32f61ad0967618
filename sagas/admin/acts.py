"""What staff may do to sagas: for each act its words, its form and the one operator command it calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404

from sagas import operate
from sagas.engine.rows import DUE, GAVE_UP
from sagas.models import Saga, SagaStep
from sagas.standing import words
from sagas.steps import all_steps

Run = Callable[[Sequence[UUID], Mapping[str, Any], str, datetime], object]


def id_in(text: str) -> UUID:
    """An id that a form of ours sent. Raises Http404 for what is none."""
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404 from error


class ReasonForm(forms.Form):
    """Every act has a reason."""

    reason = forms.CharField(
        max_length=500,
        label="Reason",
        help_text="Kept with the act, together with your name.",
        widget=forms.Textarea(attrs={"rows": 3, "cols": 70, "autofocus": True}),
    )

    def payload(self) -> dict[str, Any]:
        """What the act carries besides its reason."""
        return {}


class SagaForm(ReasonForm):
    """The form of an act on the sagas in question."""

    def __init__(self, *args: Any, sagas: Sequence[Saga], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sagas = sagas


class SkipForm(SagaForm):
    """One step and the result it would have given."""

    step = forms.ChoiceField(label="Step")
    result = forms.JSONField(
        label="Its result",
        initial=dict,
        required=False,
        help_text="A JSON object with what the step gives; later steps read it.",
        widget=forms.Textarea(
            attrs={"rows": 4, "cols": 70, "class": "vLargeTextField", "spellcheck": "false"}
        ),
    )
    field_order = ("step", "result", "reason")

    def __init__(self, *args: Any, sagas: Sequence[Saga], **kwargs: Any) -> None:
        super().__init__(*args, sagas=sagas, **kwargs)
        steps = SagaStep.objects.filter(saga_id__in=[s.pk for s in sagas], state__in=(DUE, GAVE_UP))
        choice: Any = self.fields["step"]
        choice.choices = [(s.name, _offer(s.name)) for s in steps.order_by("position")]

    def clean_result(self) -> dict[str, Any]:
        """A step's result is an object."""
        result = self.cleaned_data["result"] or {}
        if not isinstance(result, dict):
            raise forms.ValidationError('Must be a JSON object, like {"payment_id": "…"}.')
        return result

    def payload(self) -> dict[str, Any]:
        return {"step": self.cleaned_data["step"], "result": self.cleaned_data["result"]}


class RedriveForm(SagaForm):
    """Who is to hear it again."""

    reaction = forms.ChoiceField(
        label="Deliver to", help_text="The part that should have gone on and has not."
    )
    field_order = ("reaction", "reason")

    def __init__(self, *args: Any, sagas: Sequence[Saga], **kwargs: Any) -> None:
        super().__init__(*args, sagas=sagas, **kwargs)
        choice: Any = self.fields["reaction"]
        choice.choices = [(sub.name, sub.name) for sub in operate.reactions()]


class ResolveForm(SagaForm):
    """How it has really ended."""

    as_state = forms.ChoiceField(
        label="It has ended",
        choices=[
            ("completed", "completed: everything was done, by hand where the system could not"),
            ("compensated", "compensated: everything was given back, by hand where the system could not"),
        ],
        widget=forms.RadioSelect,
    )
    field_order = ("as_state", "reason")

    def __init__(self, *args: Any, sagas: Sequence[Saga], **kwargs: Any) -> None:
        super().__init__(*args, sagas=sagas, **kwargs)
        self.fields[
            "reason"
        ].help_text = "Say what was settled by hand, and how. Kept with the act and your name."

    def payload(self) -> dict[str, Any]:
        return {"as": self.cleaned_data["as_state"]}


@dataclass(frozen=True)
class Act:
    """One thing staff may ask of sagas."""

    kind: str
    label: str
    explains: str
    run: Run
    form: type[SagaForm] = SagaForm
    grave: bool = False
    alone: bool = False  #: For one saga at a time.


def _skip(ids: Sequence[UUID], data: Mapping[str, Any], actor: str, now: datetime) -> object:
    return operate.skip_step(
        ids[0], data["step"], data["result"], actor=actor, reason=data["reason"], now=now
    )


def _resolve(ids: Sequence[UUID], data: Mapping[str, Any], actor: str, now: datetime) -> object:
    return operate.resolve(ids, as_state=data["as_state"], actor=actor, reason=data["reason"], now=now)


def _redrive(ids: Sequence[UUID], data: Mapping[str, Any], actor: str, now: datetime) -> object:
    return operate.redrive(ids, data["reaction"], actor=actor, reason=data["reason"], now=now)


def _plain(command: Callable[..., object]) -> Run:
    def run(ids: Sequence[UUID], data: Mapping[str, Any], actor: str, now: datetime) -> object:
        return command(ids, actor=actor, reason=data["reason"], now=now)

    return run


def _offer(name: str) -> str:
    step = all_steps().get(name)
    gives = f" (gives {', '.join(step.gives)})" if step and step.gives else ""
    return f"{words(name)}{gives}"


ACTS = {
    act.kind: act
    for act in (
        Act(
            "retry",
            "Retry now",
            "What is due is tried at once with fresh tries. A parked saga goes on.",
            _plain(operate.retry_now),
        ),
        Act(
            "resume",
            "Resume",
            "A paused or parked saga goes on from where it stands.",
            _plain(operate.resume),
        ),
        Act(
            "pause",
            "Pause",
            "It stands still until somebody resumes it. What is in flight comes to its end first.",
            _plain(operate.pause),
        ),
        Act(
            "redrive",
            "Deliver again",
            "What was told of a choreographed saga is told once more to one app, which goes on if it had not.",
            _redrive,
            RedriveForm,
        ),
        Act(
            "turn_back",
            "Turn back now",
            "Everything done so far is given back, newest first. Refused behind the point of no return.",
            _plain(operate.turn_back),
            grave=True,
        ),
        Act(
            "skip",
            "Skip a step",
            "The step is not run again; the saga goes on with the result you state.",
            _skip,
            SkipForm,
            grave=True,
            alone=True,
        ),
        Act(
            "resolve",
            "Resolve by hand",
            "The saga ends here and lets go of what it held. Whatever was left open, you have settled yourself.",
            _resolve,
            ResolveForm,
            grave=True,
        ),
    )
}
