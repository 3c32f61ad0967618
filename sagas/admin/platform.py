"""Pages of the platform that are no list of one model: what is paused, the readers of the log, one stream."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.admin.sites import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from sagas import lag, operate, overview, queries
from sagas.admin import circuits
from sagas.admin.asking import PlatformPages, need
from sagas.models import Pause
from sagas.standing import words
from sagas.steps import all_steps

#: Of one stream so many events are shown, the newest.
EVENTS = 500


def urls(site: AdminSite) -> list[URLPattern]:
    """The addresses of these pages, below those of the sagas."""
    pages = Pages(site)
    view = site.admin_view
    return [
        path("pauses/", view(pages.pauses), name="sagas_pauses"),
        path("pauses/<slug:act>/<slug:scope>/<str:name>/", view(pages.pause), name="sagas_pause"),
        path("readers/", view(pages.readers), name="sagas_readers"),
        path("readers/<str:name>/<slug:act>/", view(pages.restart), name="sagas_restart_reader"),
        path("streams/<uuid:stream>/", view(pages.stream), name="sagas_stream"),
        *circuits.urls(circuits.CircuitPages(site)),
    ]


class Pages(PlatformPages):
    """The pages, each one query or one command."""

    def pauses(self, request: HttpRequest) -> HttpResponse:
        """Every provider and step, and who has stopped it."""
        need(request, "sagas.view_pause")
        context = {"title": "Steps and providers", **_targets(queries.pauses())}
        return self.page(request, "admin/sagas/pauses.html", context, may="sagas.change_pause")

    def pause(self, request: HttpRequest, act: str, scope: str, name: str) -> HttpResponse:
        """Stop a step or a provider for everybody, or let it go on."""
        need(request, "sagas.change_pause")
        command = {"pause": operate.pause_for_all, "resume": operate.resume_for_all}.get(act)
        known = {(Pause.Scope.STEP, s.name) for s in all_steps().values()}
        known |= {(Pause.Scope.PROVIDER, s.provider) for s in all_steps().values() if s.provider}
        if command is None or (scope, name) not in known | set(queries.pauses()):
            return HttpResponseRedirect(reverse("admin:sagas_pauses"))

        def run(actor: str, reason: str, now: datetime) -> None:
            command(scope, name, actor=actor, reason=reason, now=now)

        verb = "Pause" if act == "pause" else "Resume"
        explains = _PAUSE_WORDS[act, scope]
        words_ = {
            "title": f"{verb} {scope} {words(name)}?",
            "explains": explains,
            "verb": verb,
            "target": name,
        }
        return self.ask(request, words_, run, back="admin:sagas_pauses")

    def readers(self, request: HttpRequest) -> HttpResponse:
        """The subscriptions, how far behind they are, and what they could not digest."""
        need(request, "sagas.view_checkpoint")
        parked = {one.subscription: one for one in lag.parked()}
        readers = [(one, parked.get(one.subscription)) for one in lag.lags()]
        context = {"title": "Readers of the event log", "readers": readers, "writer": lag.slowest_writer(),
                   "builds": lag.builds(), "skipped": lag.skipped(), "most": lag.MOST_EVENTS}  # fmt: skip
        return self.page(request, "admin/sagas/readers.html", context, may="sagas.change_checkpoint")

    def restart(self, request: HttpRequest, name: str, act: str) -> HttpResponse:
        """Let a stopped projection pass over the event it stands before, or try it again."""
        need(request, "sagas.change_checkpoint")
        stopped = next((one for one in lag.lags() if one.subscription == name and one.stopped), None)
        if stopped is None or act not in _RESTARTS:
            return HttpResponseRedirect(reverse("admin:sagas_readers"))
        command, verb, title, explains = _RESTARTS[act]

        def run(actor: str, reason: str, now: datetime) -> None:
            command(name, actor=actor, reason=reason, now=now)

        words_ = {"title": title.format(name), "explains": explains, "verb": verb,
                  "target": name, "detail": stopped.error}  # fmt: skip
        return self.ask(request, words_, run, back="admin:sagas_readers")

    def stream(self, request: HttpRequest, stream: UUID) -> HttpResponse:
        """The events of one stream, whole."""
        need(request, "sagas.view_storedevent")
        events = queries.event_lines([stream], limit=EVENTS, characters=50_000)
        context = {"title": f"Events of {stream}", "events": events, "stream": stream, "most": EVENTS}
        return self.page(request, "admin/sagas/stream.html", context, may="")


_RESTARTS = {
    "skip": (
        operate.skip_event,
        "Pass over",
        "Let {} pass over one event?",
        "The projection passes over the one event it stopped at, for good, and goes on behind it. So do rebuilds.",
    ),
    "retry": (
        operate.retry_event,
        "Try again",
        "Let {} try its event again?",
        "The projection meets the same event once more. If it still cannot digest it, it stops there again.",
    ),
}
_PAUSE_WORDS = {
    (
        "pause",
        "step",
    ): "No saga runs this step until it is resumed. What is in flight comes to its end first.",
    (
        "pause",
        "provider",
    ): "No step that calls this provider is run until it is resumed. No attempts are burnt.",
    ("resume", "step"): "Sagas that wait at this step go on at once.",
    ("resume", "provider"): "Sagas that wait for this provider go on at once.",
}


def _targets(paused: Mapping[tuple[str, str], Pause]) -> dict[str, Any]:
    """Providers and steps in the order of the definitions, each with its pause if it has one."""
    steps, order = all_steps(), overview.step_order()
    names = sorted(steps, key=lambda n: (order.get(n, len(order)), n))
    providers = sorted({s.provider for s in steps.values() if s.provider})
    return {
        "providers": [
            (name, [s.name for s in steps.values() if s.provider == name], paused.get(("provider", name)))
            for name in providers
        ],
        "steps": [
            (steps[name], paused.get(("step", name)), paused.get(("provider", steps[name].provider)))
            for name in names
        ],
    }
