"""The page of circuits: where each stands, and a person's hand on it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from sagas import circuits, operate
from sagas.admin.asking import PlatformPages, Run, need
from sagas.resilience.breaker import CircuitReport
from sagas.resilience.circuit import Position

_ACTS = {
    "open": (
        "Force open",
        "Nobody makes this call until it is let go. Sagas wait for it and use up no tries.",
    ),
    "closed": ("Force closed", "This call is made whatever fails, until it is let go."),
    "unforce": (
        "Let it go",
        "The circuit goes by its calls again. It begins closed, and calls come back along a ramp.",
    ),
}
LOOKS = {Position.CLOSED: "ok", Position.OPEN: "alarm", Position.HALF_OPEN: "wait"}


def urls(pages: CircuitPages) -> list[URLPattern]:
    """The addresses of these pages, below those of the sagas."""
    view = pages.site.admin_view
    return [
        path("circuits/", view(pages.circuits), name="sagas_circuits"),
        path("circuits/<slug:act>/<str:provider>/<str:operation>/", view(pages.force), name="sagas_circuit"),
    ]


class CircuitPages(PlatformPages):
    """A list, and one act on one circuit."""

    def circuits(self, request: HttpRequest) -> HttpResponse:
        """Every circuit, and what its calls came to within the monitoring period."""
        need(request, "sagas.view_forcedcircuit")
        context = {"title": "Circuits", "circuits": [_shown(one) for one in circuits.reports()]}
        return self.page(request, "admin/sagas/circuits.html", context, may="sagas.change_forcedcircuit")

    def force(self, request: HttpRequest, act: str, provider: str, operation: str) -> HttpResponse:
        """Hold a circuit open or closed, or let it go."""
        need(request, "sagas.change_forcedcircuit")
        if act not in _ACTS or (provider, operation) not in circuits.names():
            return HttpResponseRedirect(reverse("admin:sagas_circuits"))
        verb, explains = _ACTS[act]
        told = {
            "title": f"{verb}: {provider}, {operation.replace('_', ' ')}?",
            "explains": explains, "verb": verb, "target": f"{provider}: {operation}",
        }  # fmt: skip
        return self.ask(request, told, _command(act, provider, operation), back="admin:sagas_circuits")


def _command(act: str, provider: str, operation: str) -> Run:
    if act == "unforce":
        command = partial(operate.unforce_circuit, provider, operation)
    else:
        command = partial(operate.force_circuit, provider, operation, act)
    return lambda actor, reason, now: command(actor=actor, reason=reason, now=now)


def _shown(one: CircuitReport) -> dict[str, Any]:
    return {
        "report": one,
        "look": LOOKS[one.position],
        "since": datetime.fromtimestamp(one.since, UTC) if one.since else None,
        "retry_at": datetime.fromtimestamp(one.retry_at, UTC) if one.retry_at else None,
    }
