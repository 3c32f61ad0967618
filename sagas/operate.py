"""What a person may do to sagas, steps and providers. Each act needs an actor and a reason and leaves an event.

Acts on sagas are intents: inserted at once, taken up by the engine before the next step. Used by the admin, the
API, pages and `manage.py sagas`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from sagas import bell, circuits, log, queries, redeliver
from sagas.bus import Subscription, get_subscription, subscriptions
from sagas.contract import OperatorActed
from sagas.engine.intents import ask
from sagas.forced import ForcedCircuit
from sagas.ids import operation_key, uuid7
from sagas.inbox import store as inbox
from sagas.inbox.sources import find_source
from sagas.models import Checkpoint, ParkedEvent, Pause, Saga
from sagas.steps import all_steps
from sagas.verdicts import Refused

#: The stream of acts that belong to no saga.
PLATFORM = operation_key(UUID(int=0), "platform", "operate")

KINDS = ("cancel", "turn_back", "retry", "resume", "pause", "skip", "resolve")


#: What a saga may be resolved as.
ENDS = ("completed", "compensated")

#: What may be done about parked events.
HOWS = ("redeliver", "drop")


class ReasonMissing(Refused):
    """Every act needs an actor and a reason."""

    code = "sagas.reason_missing"


class NoSuchStep(Refused):
    """No step or provider of that name is known."""

    code = "sagas.no_such_step"


class NoSuchCircuit(Refused):
    """No step calls that provider by that operation."""

    code = "sagas.no_such_circuit"


class NoSuchReaction(Refused):
    """No reaction of that name is known."""

    code = "sagas.no_such_reaction"


class NotChoreographed(Refused):
    """The engine leads these sagas: they are retried or resumed, nobody waits for an event."""

    code = "sagas.not_choreographed"


class NotStopped(Refused):
    """The reader stands before no event: it runs."""

    code = "sagas.not_stopped"


def act(
    kind: str,
    saga_ids: Iterable[UUID],
    *,
    actor: str,
    reason: str,
    now: datetime,
    payload: Mapping[str, Any] | None = None,
) -> list[UUID]:
    """Ask `kind` of sagas. Ids of the intents; the saga's story tells what became of them. Safe to repeat."""
    _check(actor, reason)
    if kind not in KINDS:
        raise Refused("sagas.no_such_act", kind)
    if kind == "resolve" and (payload or {}).get("as") not in ENDS:
        raise Refused("sagas.no_such_end", f"a saga is resolved as one of {', '.join(ENDS)}")
    with transaction.atomic():
        return ask(
            list(saga_ids), kind, actor=actor, reason=reason, now=now, payload=json.dumps(dict(payload or {}))
        )


def retry_now(saga_ids: Sequence[UUID], *, actor: str, reason: str, now: datetime) -> list[UUID]:
    """Try what is due now, with fresh tries; lifts a park."""
    return act("retry", saga_ids, actor=actor, reason=reason, now=now)


def resume(saga_ids: Sequence[UUID], *, actor: str, reason: str, now: datetime) -> list[UUID]:
    """Lift a pause or a park and go on."""
    return act("resume", saga_ids, actor=actor, reason=reason, now=now)


def turn_back(saga_ids: Sequence[UUID], *, actor: str, reason: str, now: datetime) -> list[UUID]:
    """Give everything back now. Refused behind the pivot."""
    return act("turn_back", saga_ids, actor=actor, reason=reason, now=now)


def pause(saga_ids: Sequence[UUID], *, actor: str, reason: str, now: datetime) -> list[UUID]:
    """Stand still until resumed. What is in flight comes to its end first."""
    return act("pause", saga_ids, actor=actor, reason=reason, now=now)


def skip_step(
    saga_id: UUID, step: str, result: Mapping[str, Any], *, actor: str, reason: str, now: datetime
) -> list[UUID]:
    """Take the stated result for a step as if it had answered, and go on."""
    payload = {"step": step, "result": dict(result)}
    return act("skip", [saga_id], actor=actor, reason=reason, now=now, payload=payload)


def resolve(saga_ids: Sequence[UUID], *, as_state: str, actor: str, reason: str, now: datetime) -> list[UUID]:
    """End sagas that stand still, `completed` or `compensated`: the rest was settled by hand, the reason tells how.

    They let go of what they hold. One that has ended stays as it ended and lets go once more: safe to repeat.
    """
    return act("resolve", saga_ids, actor=actor, reason=reason, now=now, payload={"as": as_state})


def pause_for_all(scope: str, name: str, *, actor: str, reason: str, now: datetime) -> None:
    """Stop a step or a provider for every saga. Nothing burns attempts meanwhile. Safe to repeat."""
    _check(actor, reason)
    _check_target(scope, name)
    with transaction.atomic():
        defaults = {"actor": actor, "reason": reason, "since": now}
        Pause.objects.get_or_create(scope=scope, name=name, defaults=defaults)
        _write(f"pause_{scope}", name, actor=actor, reason=reason, now=now)


def resume_for_all(scope: str, name: str, *, actor: str, reason: str, now: datetime) -> None:
    """Let a step or a provider go on. Safe to repeat."""
    _check(actor, reason)
    with transaction.atomic():
        Pause.objects.filter(scope=scope, name=name).delete()
        _write(f"resume_{scope}", name, actor=actor, reason=reason, now=now)
        for step in all_steps().values():
            if name in (step.name, step.provider):
                transaction.on_commit(partial(bell.ring, step.name), robust=True)


def force_circuit(
    provider: str, operation: str, position: str, *, actor: str, reason: str, now: datetime
) -> None:
    """Hold a circuit `open` (nobody calls) or `closed` (all do, whatever fails) for everybody. Safe to repeat."""
    _check(actor, reason)
    if position not in ForcedCircuit.Position.values:
        raise Refused("sagas.no_such_position", position)
    _check_circuit(provider, operation)
    held = {"position": position, "actor": actor[:100], "reason": reason[:500], "since": now}
    with transaction.atomic():
        ForcedCircuit.objects.update_or_create(provider=provider, operation=operation, defaults=held)
        _write(f"force_{position}", f"{provider}:{operation}", actor=actor, reason=reason, now=now)
        transaction.on_commit(partial(_hold_circuit, provider, operation), robust=True)


def unforce_circuit(provider: str, operation: str, *, actor: str, reason: str, now: datetime) -> None:
    """Let a circuit go by its calls again: closed at first, with calls coming back along the ramp. Safe to repeat."""
    _check(actor, reason)
    _check_circuit(provider, operation)
    with transaction.atomic():
        ForcedCircuit.objects.filter(provider=provider, operation=operation).delete()
        _write("unforce_circuit", f"{provider}:{operation}", actor=actor, reason=reason, now=now)
        transaction.on_commit(partial(_hold_circuit, provider, operation), robust=True)


def _check_circuit(provider: str, operation: str) -> None:
    if (provider, operation) not in circuits.names():
        raise NoSuchCircuit(detail=f"{provider}:{operation}")


def _hold_circuit(provider: str, operation: str) -> None:
    """Tell the workers at once; the keeper would in a moment."""
    circuits.force(provider, operation, queries.forced_circuits().get((provider, operation)))


def skip_event(subscription: str, *, actor: str, reason: str, now: datetime) -> None:
    """Let a stopped projection pass over the event it could not digest, for good: rebuilds skip it too."""
    pass_over = partial(redeliver.pass_over, actor=actor, reason=reason, now=now)
    _start_again("skip_event", subscription, pass_over, actor=actor, reason=reason, now=now)


def retry_event(subscription: str, *, actor: str, reason: str, now: datetime) -> None:
    """Let a stopped projection meet the same event once more, now that its cause is mended."""
    _start_again("retry_event", subscription, redeliver.try_again, actor=actor, reason=reason, now=now)


def _start_again(
    act_name: str,
    subscription: str,
    start: Callable[[Subscription, Checkpoint], None],
    *,
    actor: str,
    reason: str,
    now: datetime,
) -> None:
    _check(actor, reason)
    sub = get_subscription(subscription)
    with transaction.atomic():
        stopped = Checkpoint.objects.select_for_update().filter(subscription=sub.name, state="stopped")
        found = list(stopped.order_by("shard"))
        if not found:
            raise NotStopped(detail=f"{sub.name} is not stopped")
        for checkpoint in found:
            start(sub, checkpoint)
        _write(act_name, sub.name, actor=actor, reason=reason, now=now)
        for shard in range(sub.shards):
            transaction.on_commit(partial(bell.ring, sub.task(shard)), robust=True)


def settle_parked(parked_ids: Sequence[int], *, how: str, actor: str, reason: str, now: datetime) -> int:
    """Deliver parked events of a reaction again (`how="redeliver"`), or drop them (`how="drop"`). How many."""
    _check(actor, reason)
    if how not in HOWS:
        raise Refused("sagas.no_such_act", how)
    with transaction.atomic():
        found = list(
            ParkedEvent.objects.select_for_update()
            .filter(pk__in=parked_ids, settled_at__isnull=True)
            .order_by("stream", "version")
        )
        if how == "redeliver":
            redeliver.deliver_again(found, now=now)
        ParkedEvent.objects.filter(pk__in=[p.pk for p in found]).update(
            settled_at=now, settled_by=actor[:100], settled_how=f"{how}: {reason}"[:200]
        )
        _write(how, f"{len(found)} parked events", actor=actor, reason=reason, now=now)
    return len(found)


def read_again(webhook_ids: Sequence[UUID], *, actor: str, reason: str, now: datetime) -> int:
    """Have incoming webhooks read once more, from the start. How many; those without a body stay as they are."""
    _check(actor, reason)
    with transaction.atomic():
        sources = inbox.read_again(webhook_ids, now=now)
        _write("read_again", f"{len(sources)} webhooks", actor=actor, reason=reason, now=now)
        readers = {source.reader for name in sources if (source := find_source(name)) is not None}
        transaction.on_commit(partial(bell.ring, *sorted(readers)), robust=True)
    return len(sources)


def redrive(
    saga_ids: Sequence[UUID], subscription: str, *, actor: str, reason: str, now: datetime
) -> list[UUID]:
    """Deliver what was heard of choreographed sagas again, to one reaction. Safe to repeat: it acts once.

    The sagas it was delivered for. Raises Refused: no such reaction, or a saga that somebody leads.
    """
    _check(actor, reason)
    sub = next((s for s in reactions() if s.name == subscription), None)
    if sub is None:
        raise NoSuchReaction(detail=subscription)
    with transaction.atomic():
        sagas = list(Saga.objects.filter(pk__in=saga_ids).order_by("id").select_for_update(no_key=True))
        if led := [saga.reference for saga in sagas if saga.style != Saga.Style.CHOREOGRAPHY]:
            raise NotChoreographed(detail=", ".join(led[:5]))
        redeliver.deliver_heard(sub, sagas, now=now)
        events = [OperatorActed(saga_id=s.pk, act="redrive", target=sub.name, payload={}) for s in sagas]
        appends = [log.Append(saga.pk, None, event) for saga, event in zip(sagas, events, strict=True)]
        log.publish(appends, now=now, actor=actor, reason=reason)
    return [saga.pk for saga in sagas]


def reactions() -> list[Subscription]:
    """The apps' parts in choreographed sagas, by name: others may act again on what they are told again."""
    return [sub for sub in subscriptions() if sub.part]


def _check(actor: str, reason: str) -> None:
    if not actor.strip() or not reason.strip():
        raise ReasonMissing


def _check_target(scope: str, name: str) -> None:
    known = {
        "step": {s.name for s in all_steps().values()},
        "provider": {s.provider for s in all_steps().values()},
    }
    if not name or name not in known.get(scope, set()):
        raise NoSuchStep(detail=f"{scope} {name}")


def _write(act_name: str, target: str, *, actor: str, reason: str, now: datetime) -> None:
    event = OperatorActed(saga_id=None, act=act_name, target=target, payload={"id": str(uuid7())})
    log.publish([log.Append(PLATFORM, None, event)], now=now, actor=actor, reason=reason)
