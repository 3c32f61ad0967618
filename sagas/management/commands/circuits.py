"""Look at the circuits of providers, hold one open or closed, let it go. Every act needs --actor and --reason."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from sagas import circuits, operate
from sagas.management import telling
from sagas.resilience.breaker import CircuitReport
from sagas.verdicts import Refused


class Command(BaseCommand):
    """List circuits, or act on one. Exit code 1 when something was refused."""

    help = __doc__

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        lister = verbs.add_parser("list", help="Where every circuit stands.")
        lister.add_argument("--json", action="store_true")
        _add_act(verbs, "force-open", "Nobody calls until it is unforced; sagas wait.")
        _add_act(verbs, "force-closed", "All call, whatever fails, until it is unforced.")
        _add_act(verbs, "unforce", "Let it go by its calls again.")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["verb"] == "list":
            self._list(as_json=options["json"])
            return
        provider, _, operation = options["circuit"].partition(":")
        try:
            act(options["verb"], provider, operation, options["actor"], options["reason"])
        except Refused as refused:
            raise CommandError(f"Refused: {refused.detail or refused.code}") from refused
        self.stdout.write(f"{options['circuit']}: {options['verb']}. Done.")

    def _list(self, *, as_json: bool) -> None:
        found = list(circuits.reports())
        if as_json:
            self.stdout.write(json.dumps([asdict(one) for one in found], indent=2))
        else:
            self.stdout.write(telling.table([line(one) for one in found]))


def act(verb: str, provider: str, operation: str, actor: str, reason: str) -> None:
    """One act on one circuit. Raises Refused."""
    who: dict[str, Any] = {"actor": actor, "reason": reason, "now": timezone.now()}
    if verb == "unforce":
        operate.unforce_circuit(provider, operation, **who)
    else:
        operate.force_circuit(provider, operation, verb.removeprefix("force-"), **who)


def line(one: CircuitReport) -> telling.Line:
    """One circuit in a table."""
    return {
        "circuit": f"{one.provider}:{one.operation}",
        "position": one.position.value,
        "since": _moment(one.since),
        "probes_from": _moment(one.retry_at or 0.0),
        "failed": f"{one.failures}/{one.calls}",
        "opened": one.opened,
        "held_by": f"{one.forced.actor}: {one.forced.reason}" if one.forced else "",
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else ""


def _add_act(verbs: Any, verb: str, text: str) -> None:
    parser = verbs.add_parser(verb, help=text)
    parser.add_argument("circuit", metavar="PROVIDER:OPERATION", help="As in gateway:capture_payment.")
    parser.add_argument("--actor", required=True, help="Who does it.")
    parser.add_argument("--reason", required=True, help="Why, for the record.")
