"""Look at sagas and act on them from a shell. Every act needs --actor and --reason and leaves an event."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from sagas import lag, operate, preview, queries
from sagas.bus import subscriptions
from sagas.definition import check, definitions
from sagas.inflight import in_flight, stranded
from sagas.management import telling
from sagas.models import Intent, ParkedEvent, Saga
from sagas.quoting import words_of
from sagas.verdicts import Refused

Act = Callable[..., list[UUID]]

#: Acts on sagas and what they do.
ACTS: dict[str, tuple[Act, str]] = {
    "retry": (operate.retry_now, "Try what is due now, with fresh tries; a parked saga goes on."),
    "resume": (operate.resume, "Let a paused or parked saga go on."),
    "turn-back": (operate.turn_back, "Give everything back now; refused behind the point of no return."),
    "pause": (operate.pause, "Stand still until resumed."),
}


class Command(BaseCommand):
    """List sagas, tell the story of one, act on them. Exit code 1 when something was refused or not found."""

    help = __doc__

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        _add_looking(verbs)
        _add_acting(verbs)
        _add_platform(verbs)

    def handle(self, *_args: Any, **options: Any) -> None:
        verb: str = options["verb"]
        try:
            getattr(self, "_" + verb.replace("-", "_"), self._act)(options)
        except Refused as refused:
            raise CommandError(f"Refused: {refused.detail or refused.code}") from refused

    # --- looking --------------------------------------------------------------------------------------------

    def _list(self, options: dict[str, Any]) -> None:
        names = ("state", "hold", "definition", "step", "failure", "key")
        found = queries.list_sagas(**{name: options[name] for name in names})
        sagas = list(found[: options["limit"]])
        lines = telling.lines(sagas)
        self.stdout.write(json.dumps(lines, indent=2) if options["json"] else telling.table(lines))

    def _show(self, options: dict[str, Any]) -> None:
        told = telling.tell(_saga(options["saga"]))
        self.stdout.write(json.dumps(told, indent=2) if options["json"] else telling.page(told))

    def _definitions(self, options: dict[str, Any]) -> None:
        """What this code can run, what is in flight, and what it could not finish: that is exit code 1."""
        problems = [f"{d.name} v{d.version} {p}" for d in definitions() for p in check(d)]
        lost = stranded()
        answer = {
            "definitions": [{"name": d.name, "version": d.version} for d in definitions()],
            "in_flight": [{"name": n, "version": v, "sagas": c} for n, v, c in in_flight()],
            "problems": problems,
            "stranded": [vars(one) for one in lost],
        }
        self.stdout.write(json.dumps(answer, indent=2) if options["json"] else telling.definitions(answer))
        if problems or lost:
            raise CommandError("This code could not finish what is in flight.")

    def _parked_events(self, options: dict[str, Any]) -> None:
        found = queries.parked_events(subscription=options["subscription"])[: options["limit"]]
        lines = [telling.parked_event(parked) for parked in found]
        self.stdout.write(json.dumps(lines, indent=2) if options["json"] else telling.table(lines))

    def _readers(self, options: dict[str, Any]) -> None:
        """Every reader of the log, and the builds of projections; exit code 1 if one stands still."""
        now = timezone.now()
        answer = {
            "readers": [telling.reader(one, now) for one in lag.lags()],
            "builds": [telling.build(one) for one in lag.builds()],
            "skipped": [telling.skipped_event(one) for one in lag.skipped()],
        }
        self.stdout.write(json.dumps(answer, indent=2) if options["json"] else telling.readers(answer))
        if any(one["state"] == "stopped" for one in answer["readers"]):
            raise CommandError("A projection stands still.")

    # --- acting ---------------------------------------------------------------------------------------------

    def _act(self, options: dict[str, Any]) -> None:
        command, _ = ACTS[options["verb"]]
        sagas = [_saga(text) for text in options["sagas"]]
        self._tell(command([saga.pk for saga in sagas], **_who(options)), options)

    def _redrive(self, options: dict[str, Any]) -> None:
        ids = [_saga(text).pk for text in options["sagas"]]
        count = len(operate.redrive(ids, options["to"], **_who(options)))
        self.stdout.write(f"Delivered again to {options['to']}: {count} {'saga' if count == 1 else 'sagas'}.")

    def _skip(self, options: dict[str, Any]) -> None:
        saga, result = _saga(options["saga"]), _json_object(options["result"])
        self._tell(operate.skip_step(saga.pk, options["step"], result, **_who(options)), options)

    def _resolve(self, options: dict[str, Any]) -> None:
        ids = [_saga(text).pk for text in options["sagas"]]
        self._tell(operate.resolve(ids, as_state=options["as_state"], **_who(options)), options)

    def _tell(self, intents: Sequence[UUID], options: dict[str, Any]) -> None:
        """Wait a moment for the engine to take the acts up, and say what became of each."""
        answers = _answers(intents, options["wait"])
        for intent in answers:
            refused = intent.state == Intent.State.REFUSED
            said = preview.in_words(intent.answer, refused=refused) if intent.answer else "not taken up yet"
            self.stdout.write(f"{intent.saga.reference}: {said}")
        if any(intent.state == Intent.State.REFUSED for intent in answers):
            raise CommandError("Not all of it could be done.")

    def _pause_step(self, options: dict[str, Any]) -> None:
        operate.pause_for_all("step", options["name"], **_who(options))
        self.stdout.write(f"Step {options['name']} is paused for everybody.")

    def _resume_step(self, options: dict[str, Any]) -> None:
        operate.resume_for_all("step", options["name"], **_who(options))
        self.stdout.write(f"Step {options['name']} goes on.")

    def _pause_provider(self, options: dict[str, Any]) -> None:
        operate.pause_for_all("provider", options["name"], **_who(options))
        self.stdout.write(f"Provider {options['name']} is paused for everybody.")

    def _resume_provider(self, options: dict[str, Any]) -> None:
        operate.resume_for_all("provider", options["name"], **_who(options))
        self.stdout.write(f"Provider {options['name']} goes on.")

    def _skip_event(self, options: dict[str, Any]) -> None:
        operate.skip_event(options["name"], **_who(options))
        self.stdout.write(f"{options['name']} passes over one event for good and goes on.")

    def _retry_event(self, options: dict[str, Any]) -> None:
        operate.retry_event(options["name"], **_who(options))
        self.stdout.write(f"{options['name']} tries the event again.")

    def _redeliver(self, options: dict[str, Any]) -> None:
        self._settle("redeliver", "delivered again", options)

    def _drop(self, options: dict[str, Any]) -> None:
        self._settle("drop", "dropped", options)

    def _settle(self, how: str, done: str, options: dict[str, Any]) -> None:
        ids = options["events"]
        if known := set(ids) - set(ParkedEvent.objects.filter(pk__in=ids).values_list("pk", flat=True)):
            raise CommandError(f"No parked event {', '.join(map(str, sorted(known)))}.")
        try:
            count = operate.settle_parked(ids, how=how, **_who(options))
        except Refused:
            raise
        except Exception as error:
            raise CommandError(f"It failed again, and nothing has changed: {words_of(error)}") from error
        self.stdout.write(f"{count} {'event' if count == 1 else 'events'} {done}.")


def _add_looking(verbs: Any) -> None:
    lister = verbs.add_parser("list", help="Sagas, newest first.")
    for name, text in (
        ("state", "pending, running, compensating, completed or compensated"),
        ("hold", "none, waiting, parked or paused"),
        ("definition", "name of a definition"),
        ("step", "name of a step they stand at"),
        ("failure", "code that turned them back"),
        ("key", "an order's reference"),
    ):
        lister.add_argument(f"--{name}", default="", help=text, choices=_choices(name))
    lister.add_argument("--limit", type=int, default=50)
    shower = verbs.add_parser("show", help="The story of one saga: steps, acts, events.")
    shower.add_argument(
        "saga", metavar="SAGA", help="Its id, or its order's reference if that is one saga's alone."
    )
    teller = verbs.add_parser(
        "definitions", help="What this code can run; exit code 1 if it strands sagas in flight."
    )
    readers = verbs.add_parser(
        "readers", help="How far the readers of the log are; exit code 1 if one stopped."
    )
    parked = verbs.add_parser("parked-events", help="Events that reactions could not digest.")
    parked.add_argument("--subscription", default="")
    parked.add_argument("--limit", type=int, default=100)
    for parser in (lister, shower, teller, readers, parked):
        parser.add_argument("--json", action="store_true")


def _choices(name: str) -> list[str] | None:
    choices = {"state": Saga.State.values, "hold": Saga.Hold.values}.get(name)
    return ["", *choices] if choices else None


def _add_acting(verbs: Any) -> None:
    for verb, (_, text) in ACTS.items():
        parser = verbs.add_parser(verb, help=text)
        parser.add_argument("sagas", metavar="SAGA", nargs="+")
        _add_who(parser, wait=True)
    redrive = verbs.add_parser(
        "redrive", help="Tell one reaction again what was told of choreographed sagas."
    )
    redrive.add_argument("sagas", metavar="SAGA", nargs="+")
    redrive.add_argument("--to", required=True, metavar="SUBSCRIPTION", help="As in payments.fulfilment.")
    _add_who(redrive)
    skip = verbs.add_parser("skip", help="Take a stated result for one step and go on.")
    skip.add_argument("saga", metavar="SAGA")
    skip.add_argument("--step", required=True)
    skip.add_argument("--result", default="{}", help='A JSON object: {"payment_id": "..."}')
    resolve = verbs.add_parser("resolve", help="End sagas that stand still: the rest was settled by hand.")
    resolve.add_argument("sagas", metavar="SAGA", nargs="+")
    resolve.add_argument("--as", dest="as_state", required=True, choices=["completed", "compensated"])
    for parser in (skip, resolve):
        _add_who(parser, wait=True)


def _add_platform(verbs: Any) -> None:
    for scope in ("step", "provider"):
        for act, text in (("pause", "Stop this {} for everybody."), ("resume", "Let this {} go on.")):
            parser = verbs.add_parser(f"{act}-{scope}", help=text.format(scope))
            parser.add_argument("name", metavar="NAME")
            _add_who(parser)
    for verb, text in (
        ("skip-event", "Let a stopped projection pass over the event it stands before, for good."),
        ("retry-event", "Let a stopped projection try that event again: its cause is mended."),
    ):
        parser = verbs.add_parser(verb, help=text)
        parser.add_argument("name", metavar="READER", choices=[sub.name for sub in subscriptions()])
        _add_who(parser)
    for verb, text in (("redeliver", "Deliver parked events again."), ("drop", "Drop parked events.")):
        parser = verbs.add_parser(verb, help=text)
        parser.add_argument("events", metavar="EVENT", nargs="+", type=int)
        _add_who(parser)


def _add_who(parser: argparse.ArgumentParser, *, wait: bool = False) -> None:
    parser.add_argument("--actor", required=True, help="Who does it.")
    parser.add_argument("--reason", required=True, help="Why, for the record.")
    if wait:
        parser.add_argument(
            "--wait",
            type=float,
            default=5.0,
            metavar="SECONDS",
            help="How long to wait for the engine's answer.",
        )


def _who(options: dict[str, Any]) -> dict[str, Any]:
    return {"actor": options["actor"], "reason": options["reason"], "now": timezone.now()}


def _saga(text: str) -> Saga:
    """The saga of this id, or the one saga of this reference."""
    found = queries.named(text)
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandError(f"No saga {text}.")
    ids = ", ".join(f"{saga.pk} ({saga.definition})" for saga in found)
    raise CommandError(f"{text} is ambiguous: {ids}.")


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise CommandError(f"--result is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise CommandError("--result must be a JSON object.")
    return value


def _answers(intents: Sequence[UUID], seconds: float) -> list[Intent]:
    """The intents once none is new any more, or when the time is over."""
    stop = time.monotonic() + seconds
    while True:
        found = list(Intent.objects.filter(pk__in=intents).select_related("saga").order_by("id"))
        if time.monotonic() >= stop or not any(i.state == Intent.State.NEW for i in found):
            return found
        time.sleep(0.1)
