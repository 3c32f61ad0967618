"""Sagas told in a terminal, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from sagas import preview, queries
from sagas.display import span
from sagas.lag import Lag
from sagas.models import ParkedEvent, Saga, SagaStep
from sagas.money import money
from sagas.rebuild.rows import ProjectionBuild, SkippedEvent
from sagas.standing import standing, words

Line = dict[str, Any]


def lines(sagas: Sequence[Saga]) -> list[Line]:
    """One line for each saga, in three queries for all."""
    ids = [saga.pk for saga in sagas]
    steps, asked, pauses = queries.steps_of(ids), queries.open_intents(ids), queries.pauses()
    now = timezone.now()
    return [_line(s, steps.get(s.pk, []), now, asked=asked.get(s.pk, ()), pauses=pauses) for s in sagas]


def _line(saga: Saga, steps: Sequence[SagaStep], now: datetime, **more: Any) -> Line:
    waits = standing(saga, steps, **more)
    done, total = queries.progress(saga, steps)
    return {
        "id": str(saga.pk),
        "reference": saga.reference,
        "definition": saga.definition,
        "state": saga.state,
        "hold": saga.hold,
        "steps": f"{done}/{total}",
        "amount": money(saga.amount_minor, saga.currency),
        "code": saga.cause_code,
        "waits_for": waits.what,
        "since": span(now - waits.since) if waits.what and waits.since else "",
    }


def tell(saga: Saga) -> dict[str, Any]:
    """Everything about one saga."""
    steps = queries.steps_in_order(saga.pk)
    streams = [saga.subject_id, saga.pk]
    return {
        **_line(
            saga, steps, timezone.now(), asked=list(queries.intents_of(saga.pk)), pauses=queries.pauses()
        ),
        "label": saga.label,
        "subject_id": str(saga.subject_id),
        "started_at": _moment(saga.started_at),
        "finished_at": _moment(saga.finished_at),
        "story": queries.story(saga.pk),
        "history": [_step(step) for step in steps],
        "asked": [_asked(intent) for intent in queries.intents_of(saga.pk)],
        "events": [_event(event) for event in queries.event_lines(streams, characters=500)],
    }


def _step(step: SagaStep) -> Line:
    return {
        "step": step.name,
        "state": step.state,
        "attempt": step.attempt,
        "verdict": step.verdict,
        "code": step.code,
        "began_at": _moment(step.began_at),
        "finished_at": _moment(step.finished_at),
        "next": _moment(step.lease_until or step.wake_at),
        "key": str(step.key),
    }


def _asked(intent: Any) -> Line:
    answer = preview.in_words(intent.answer, refused=intent.state == "refused") if intent.answer else ""
    return {
        "at": _moment(intent.made_at),
        "act": intent.kind,
        "actor": intent.actor,
        "reason": intent.reason,
        "state": intent.state,
        "answer": answer,
    }


def _event(event: queries.EventLine) -> Line:
    return {
        "at": _moment(event.at),
        "type": event.type,
        "version": event.version,
        "actor": event.actor,
        "reason": event.reason,
        "data": event.data,
    }


def parked_event(parked: ParkedEvent) -> Line:
    """One parked event."""
    return {
        "id": parked.pk,
        "subscription": parked.subscription,
        "stream": str(parked.stream),
        "version": parked.version,
        "since": _moment(parked.parked_at),
        "error": parked.error or "waits behind an earlier one",
    }


def reader(one: Lag, now: datetime) -> Line:
    """How far one reader of the log is behind."""
    return {
        "reader": one.subscription + (f"/{one.shard}" if one.shard else ""),
        "kind": one.kind,
        "state": one.state,
        "events_behind": one.waiting,
        "seconds_behind": round(max(0.0, (now - one.oldest).total_seconds()), 1) if one.oldest else 0,
        "moved_at": _moment(one.moved_at),
        "error": one.error,
    }


def build(one: ProjectionBuild) -> Line:
    """How far one build of a projection has come."""
    return {
        "projection": one.name,
        "slot": one.slot,
        "state": one.state,
        "events": one.events,
        "skipped": one.skipped,
        "differing": one.differing,
        "started_at": _moment(one.started_at),
        "moved_at": _moment(one.moved_at),
        "error": one.error,
    }


def skipped_event(one: SkippedEvent) -> Line:
    """One event that a person let a projection pass over."""
    return {
        "reader": one.subscription,
        "stream": str(one.stream),
        "version": one.version,
        "at": _moment(one.skipped_at),
        "actor": one.actor,
        "reason": one.reason,
        "error": one.error,
    }


def readers(answer: Mapping[str, Any]) -> str:
    """The readers, and the builds and skipped events if there were any."""
    parts = [_part("Readers of the event log", answer["readers"])]
    if answer["builds"]:
        parts.append(_part("Builds of projections", answer["builds"]))
    if answer["skipped"]:
        parts.append(_part("Events skipped by a person", answer["skipped"]))
    return "\n\n".join(parts)


def table(found: Sequence[Line]) -> str:
    """Columns as wide as what they hold; empty columns are left out."""
    if not found:
        return "None."
    names = [name for name in found[0] if any(line[name] not in ("", None, "none") for line in found)]
    cells = [[name.replace("_", " ").upper() for name in names]]
    cells += [["" if line[name] is None else str(line[name])[:80] for name in names] for line in found]
    widths = [max(len(row[at]) for row in cells) for at in range(len(names))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def page(told: Mapping[str, Any]) -> str:
    """The story of one saga."""
    parts = [_head(told), _part("Steps", [_without(s, "key") for s in told["history"]])]
    if told["asked"]:
        parts.append(_part("Asked", told["asked"]))
    parts.append(_part("Events", [_without(event, "data") for event in told["events"]]))
    return "\n\n".join(parts)


def _head(told: Mapping[str, Any]) -> str:
    held = "" if told["hold"] == "none" else f", {told['hold']}"
    first = (
        f"{told['reference']}  {words(told['definition'])}: {told['state']}{held}, {told['steps']} steps done"
    )
    rest = [f"id {told['id']}, {told['amount']}", "  ".join(told["story"])]
    if told["waits_for"]:
        rest.append(f"waits for {told['waits_for']}, for {told['since']}")
    if told["code"]:
        rest.append(f"turned back by {told['code']}")
    return "\n  ".join([first, *rest])


def _part(title: str, found: Sequence[Line]) -> str:
    return f"{title}\n{table(found)}"


def _without(line: Line, name: str) -> Line:
    return {key: value for key, value in line.items() if key != name}


def definitions(answer: Mapping[str, Any]) -> str:
    """What this code can run, what is in flight, what is stranded."""
    parts = [_part("This code runs", answer["definitions"]), _part("In flight", answer["in_flight"])]
    if answer["problems"]:
        parts.append("\n".join(["Problems", *answer["problems"]]))
    if answer["stranded"]:
        parts.append(_part("It could not finish", answer["stranded"]))
    return "\n\n".join(parts)


def _moment(at: datetime | None) -> str | None:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z" if at else None
