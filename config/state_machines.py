"""The tables of moves, told as a page: docs/state_machines.md is woven from them and kept equal to them."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db.models import TextChoices

from config.embedded.state import BASE_DIR
from inventory.models import Reservation
from orders.models import CreditNote, FulfilmentOrder, Order, RefundRequest, Return
from payments.models import Capture, Dispute, Payment, Refund, Renewal
from payments.reconciliation.rows import Case
from sagas.inbox.rows import IncomingWebhook
from sagas.models import Intent, Saga, SagaStep
from sagas.webhooks.models import WebhookDelivery, WebhookEndpoint
from shipping.models import Shipment

PAGE = BASE_DIR / "docs" / "state_machines.md"
BLOCK = re.compile(r"(<!-- moves: (?P<name>[\w ]+) -->\n).*?(<!-- end of moves -->)", re.DOTALL)


class UnknownMachine(KeyError):
    """The page has a place for a machine that the code does not have."""


@dataclass(frozen=True)
class Machine:
    """One object's states. `begins` are the states it is made in; `ends` those it may stay in for good."""

    name: str
    states: type[TextChoices]
    moves: Mapping[Any, Iterable[str]]
    begins: tuple[str, ...]
    ends: tuple[str, ...] = ()

    @property
    def final(self) -> list[str]:
        """States without a way out, and those whose meaning says so."""
        told = meanings(self.states)
        return [
            s.value
            for s in self.states
            if not self.moves.get(s) or s.value in self.ends or "Final" in told[s.value]
        ]


MACHINES = (
    Machine("Order", Order.State, Order.MOVES, ("draft",)),
    Machine("Payment", Payment.State, Payment.MOVES, ("created", "voided")),
    Machine("Share", Capture.State, Capture.MOVES, ("submitting",)),
    Machine("Renewal", Renewal.State, Renewal.MOVES, ("asking",)),
    Machine(
        "Parcel", FulfilmentOrder.State, FulfilmentOrder.MOVES, ("claimed", "cancelling"), ends=("ready",)
    ),
    Machine("Refund", Refund.State, Refund.MOVES, ("submitting", "succeeded")),
    Machine(
        "Refund request",
        RefundRequest.State,
        RefundRequest.MOVES,
        ("awaiting_approval", "running"),
        ends=("paid",),
    ),
    Machine("Return", Return.State, Return.MOVES, ("requested",)),
    Machine("Case", Case.State, Case.MOVES, ("open",)),
    Machine("Credit note", CreditNote.State, CreditNote.MOVES, ("waiting", "credited")),
    Machine("Reservation", Reservation.State, Reservation.MOVES, ("held", "released")),
    Machine("Shipment", Shipment.State, Shipment.MOVES, ("label_pending", "voided")),
    Machine("Saga", Saga.State, Saga.MOVES, ("pending",)),
    Machine("Hold", Saga.Hold, Saga.HOLD_MOVES, ("none",), ends=("none",)),
    Machine("Step", SagaStep.State, SagaStep.MOVES, ("due",), ends=("done", "refused", "skipped", "dropped")),
    Machine("Intent", Intent.State, Intent.MOVES, ("new",)),
    Machine("Dispute", Dispute.State, Dispute.MOVES, ("needs_response", "under_review", "won", "lost")),
    Machine(
        "Incoming webhook",
        IncomingWebhook.State,
        IncomingWebhook.MOVES,
        ("received",),
        ends=("applied", "ignored", "expired"),
    ),
    Machine("Webhook delivery", WebhookDelivery.State, WebhookDelivery.MOVES, ("queued", "exhausted")),
    Machine(
        "Webhook endpoint", WebhookEndpoint.State, WebhookEndpoint.MOVES, ("enabled",), ends=("disabled",)
    ),
)


def meanings(states: type[TextChoices]) -> dict[str, str]:
    """What each state means: the `#:` comment beside it in the source."""
    source = inspect.getsource(sys.modules[states.__module__])
    lines = source.splitlines()
    found = {}
    for line in _class(ast.parse(source), states.__qualname__).body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            comment = re.search(r"#: (.+)", "\n".join(lines[line.lineno - 1 : line.end_lineno]))
            found[str(getattr(states, line.targets[0].id))] = comment.group(1).strip() if comment else ""
    return found


def _class(module: ast.Module, qualified: str) -> ast.ClassDef:
    body: list[ast.stmt] = module.body
    for name in qualified.split("."):
        found = next(node for node in body if isinstance(node, ast.ClassDef) and node.name == name)
        body = found.body
    return found


def diagram(machine: Machine) -> str:
    """A mermaid drawing."""
    arrows = [f"    [*] --> {state}" for state in machine.begins]
    for state in machine.states:
        arrows += [f"    {state.value} --> {to}" for to in _targets(machine, state.value)]
    arrows += [f"    {state} --> [*]" for state in machine.final]
    return "\n".join(["```mermaid", "stateDiagram-v2", *arrows, "```"])


def table(machine: Machine) -> str:
    """States, what they mean and where they lead."""
    told = meanings(machine.states)
    body = [f"| `{s.value}` | {told[s.value]} | {_ways_out(machine, s.value)} |" for s in machine.states]
    return "\n".join(["| State | Meaning | May go to |", "|---|---|---|", *body])


def _ways_out(machine: Machine, state: str) -> str:
    return ", ".join(f"`{to}`" for to in _targets(machine, state)) or "–"


def _targets(machine: Machine, state: str) -> list[str]:
    reached = set(map(str, machine.moves.get(state, ())))
    return [s.value for s in machine.states if s.value in reached]


def woven(text: str) -> str:
    """The page with every drawing as the code has it now. Raises UnknownMachine."""
    by_name = {machine.name: machine for machine in MACHINES}

    def draw(place: re.Match[str]) -> str:
        machine = by_name.get(place["name"])
        if machine is None:
            raise UnknownMachine(place["name"])
        return f"{place[1]}\n{diagram(machine)}\n\n{table(machine)}\n\n{place[3]}"

    return BLOCK.sub(draw, text)


def missing(text: str) -> list[str]:
    """Machines that the page has no place for."""
    places = {place["name"] for place in BLOCK.finditer(text)}
    return [machine.name for machine in MACHINES if machine.name not in places]


def write(page: Path = PAGE) -> bool:
    """Bring the page up to date. Tells whether anything changed."""
    before = page.read_text(encoding="utf-8")
    after = woven(before)
    if after != before:
        page.write_text(after, encoding="utf-8")
    return after != before
